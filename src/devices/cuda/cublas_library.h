// SPDX-License-Identifier: Apache-2.0
// cuBLASLt, opened when it is first needed: it is half a gigabyte that only training in bf16 uses, and programs are to
// start without it.
#pragma once

#include <cublasLt.h>

namespace tern::cuda {

// What of it is called, by its names. The inline functions of its header are not among them: they call what is linked.
struct CublasLibrary {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtGetStatusString) get_status_string;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) matmul_algo_get_heuristic;
  decltype(&cublasLtMatmulAlgoConfigGetAttribute) matmul_algo_config_get_attribute;
  decltype(&cublasLtMatmulDescInit_internal) matmul_desc_init;
  decltype(&cublasLtMatmulDescSetAttribute) matmul_desc_set_attribute;
  decltype(&cublasLtMatmulPreferenceInit_internal) matmul_preference_init;
  decltype(&cublasLtMatmulPreferenceSetAttribute) matmul_preference_set_attribute;
  decltype(&cublasLtMatrixLayoutInit_internal) matrix_layout_init;
  decltype(&cublasLtMatrixLayoutSetAttribute) matrix_layout_set_attribute;
};

// Throws Error when this machine has none of this build's major version where libraries are looked for, nor where this
// build found one.
const CublasLibrary& cublas_library();

}  // namespace tern::cuda
