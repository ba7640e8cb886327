// SPDX-License-Identifier: Apache-2.0
// cuSOLVER, and of cuBLAS the one routine that it lacks, opened when they are first needed: half a gigabyte that
// factorizations of matrices alone use.
#pragma once

#include <cublas_v2.h>
#include <cusolverDn.h>

namespace tern::cuda {

// A routine and how much work memory it wants.
template <class Query, class Routine>
struct SolverRoutine {
  Query work_size;
  Routine run;
};

// A routine that has a name for each dtype.
template <class F32, class F64, class C64, class C128>
struct RoutineByType {
  F32 f32;
  F64 f64;
  C64 c64;
  C128 c128;
};

// What of the libraries is called.
struct SolverLibrary {
  decltype(&cusolverDnCreate) create;
  decltype(&cusolverDnDestroy) destroy;
  decltype(&cusolverDnSetStream) set_stream;
  decltype(&cusolverDnCreateParams) create_params;
  decltype(&cusolverDnDestroyParams) destroy_params;
  SolverRoutine<decltype(&cusolverDnXgetrf_bufferSize), decltype(&cusolverDnXgetrf)> getrf;
  decltype(&cusolverDnXgetrs) getrs;
  SolverRoutine<decltype(&cusolverDnXpotrf_bufferSize), decltype(&cusolverDnXpotrf)> potrf;
  SolverRoutine<decltype(&cusolverDnXgeqrf_bufferSize), decltype(&cusolverDnXgeqrf)> geqrf;
  SolverRoutine<decltype(&cusolverDnXgesvd_bufferSize), decltype(&cusolverDnXgesvd)> gesvd;
  SolverRoutine<decltype(&cusolverDnXsyevd_bufferSize), decltype(&cusolverDnXsyevd)> syevd;
  SolverRoutine<decltype(&cusolverDnXsyevBatched_bufferSize), decltype(&cusolverDnXsyevBatched)> syev_batched;
  SolverRoutine<decltype(&cusolverDnXgeev_bufferSize), decltype(&cusolverDnXgeev)> geev;
  RoutineByType<decltype(&cusolverDnSorgqr_bufferSize), decltype(&cusolverDnDorgqr_bufferSize),
                decltype(&cusolverDnCungqr_bufferSize), decltype(&cusolverDnZungqr_bufferSize)>
      orgqr_work_size;
  RoutineByType<decltype(&cusolverDnSorgqr), decltype(&cusolverDnDorgqr), decltype(&cusolverDnCungqr),
                decltype(&cusolverDnZungqr)>
      orgqr;

  decltype(&cublasCreate_v2) create_blas;
  decltype(&cublasDestroy_v2) destroy_blas;
  decltype(&cublasSetStream_v2) set_blas_stream;
  RoutineByType<decltype(&cublasStrsm_v2_64), decltype(&cublasDtrsm_v2_64), decltype(&cublasCtrsm_v2_64),
                decltype(&cublasZtrsm_v2_64)>
      trsm;
};

// Throws Error when this machine has none of this build's major versions where libraries are looked for, nor where this
// build found them.
const SolverLibrary& solver_library();

}  // namespace tern::cuda
