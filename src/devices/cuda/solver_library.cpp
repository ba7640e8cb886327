// SPDX-License-Identifier: Apache-2.0
#include "devices/cuda/solver_library.h"

#include <fmt/format.h>

#include <string>

#include "base/check.h"
#include "base/shared_library.h"

namespace tern::cuda {
namespace {

// Stays open as long as the process, as what it has set up on the device does.
void* open_library(const char* name, const char* file, int major, const char* built_with) {
  std::string why;
  void* const library = open_shared_library({fmt::format("{}.so.{}", file, major), built_with}, why);
  check(library != nullptr, "cuda",
        "expected {} {}, which factorizations of matrices need, on this machine (LD_LIBRARY_PATH names more places to "
        "look in), got none: {}",
        name, major, why);
  return library;
}

template <class Routine>
void find_with_work_size(const SharedLibrary& library, const std::string& name, Routine& routine) {
  library.find((name + "_bufferSize").c_str(), routine.work_size);
  library.find(name.c_str(), routine.run);
}

void find_routines(const SharedLibrary& library, SolverLibrary& out) {
  library.find("cusolverDnCreate", out.create);
  library.find("cusolverDnDestroy", out.destroy);
  library.find("cusolverDnSetStream", out.set_stream);
  library.find("cusolverDnCreateParams", out.create_params);
  library.find("cusolverDnDestroyParams", out.destroy_params);
  find_with_work_size(library, "cusolverDnXgetrf", out.getrf);
  library.find("cusolverDnXgetrs", out.getrs);
  find_with_work_size(library, "cusolverDnXpotrf", out.potrf);
  find_with_work_size(library, "cusolverDnXgeqrf", out.geqrf);
  find_with_work_size(library, "cusolverDnXgesvd", out.gesvd);
  find_with_work_size(library, "cusolverDnXsyevd", out.syevd);
  find_with_work_size(library, "cusolverDnXsyevBatched", out.syev_batched);
  find_with_work_size(library, "cusolverDnXgeev", out.geev);
  library.find("cusolverDnSorgqr_bufferSize", out.orgqr_work_size.f32);
  library.find("cusolverDnDorgqr_bufferSize", out.orgqr_work_size.f64);
  library.find("cusolverDnCungqr_bufferSize", out.orgqr_work_size.c64);
  library.find("cusolverDnZungqr_bufferSize", out.orgqr_work_size.c128);
  library.find("cusolverDnSorgqr", out.orgqr.f32);
  library.find("cusolverDnDorgqr", out.orgqr.f64);
  library.find("cusolverDnCungqr", out.orgqr.c64);
  library.find("cusolverDnZungqr", out.orgqr.c128);
}

SolverLibrary load() {
  SolverLibrary out = {};
  find_routines(
      {open_library("cuSOLVER", "libcusolver", CUSOLVER_VER_MAJOR, TERN_CUSOLVER_LIBRARY), "cuda", "a cuSOLVER"}, out);
  const SharedLibrary blas = {open_library("cuBLAS", "libcublas", CUBLAS_VER_MAJOR, TERN_CUBLAS_LIBRARY), "cuda",
                              "a cuBLAS"};
  blas.find("cublasCreate_v2", out.create_blas);
  blas.find("cublasDestroy_v2", out.destroy_blas);
  blas.find("cublasSetStream_v2", out.set_blas_stream);
  blas.find("cublasStrsm_v2_64", out.trsm.f32);
  blas.find("cublasDtrsm_v2_64", out.trsm.f64);
  blas.find("cublasCtrsm_v2_64", out.trsm.c64);
  blas.find("cublasZtrsm_v2_64", out.trsm.c128);
  return out;
}

}  // namespace

const SolverLibrary& solver_library() {
  static const SolverLibrary library = load();
  return library;
}

}  // namespace tern::cuda
