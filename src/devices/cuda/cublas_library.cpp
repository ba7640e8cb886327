// SPDX-License-Identifier: Apache-2.0
#include "devices/cuda/cublas_library.h"

#include <fmt/format.h>

#include <string>

#include "base/check.h"
#include "base/shared_library.h"

namespace tern::cuda {
namespace {

// Stays open as long as the process, as what it has set up on the device does.
void* open_library() {
  std::string why;
  void* const library =
      open_shared_library({fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR), TERN_CUBLASLT_LIBRARY}, why);
  check(library != nullptr, "cuda",
        "expected cuBLASLt {}, which products in bf16 need, on this machine (LD_LIBRARY_PATH names more places to look "
        "in), got none: {}",
        CUBLAS_VER_MAJOR, why);
  return library;
}

CublasLibrary load() {
  const SharedLibrary library = {open_library(), "cuda", "a cuBLASLt"};
  CublasLibrary out = {};
  library.find("cublasLtCreate", out.create);
  library.find("cublasLtDestroy", out.destroy);
  library.find("cublasLtGetStatusString", out.get_status_string);
  library.find("cublasLtMatmul", out.matmul);
  library.find("cublasLtMatmulAlgoGetHeuristic", out.matmul_algo_get_heuristic);
  library.find("cublasLtMatmulAlgoConfigGetAttribute", out.matmul_algo_config_get_attribute);
  library.find("cublasLtMatmulDescInit_internal", out.matmul_desc_init);
  library.find("cublasLtMatmulDescSetAttribute", out.matmul_desc_set_attribute);
  library.find("cublasLtMatmulPreferenceInit_internal", out.matmul_preference_init);
  library.find("cublasLtMatmulPreferenceSetAttribute", out.matmul_preference_set_attribute);
  library.find("cublasLtMatrixLayoutInit_internal", out.matrix_layout_init);
  library.find("cublasLtMatrixLayoutSetAttribute", out.matrix_layout_set_attribute);
  return out;
}

}  // namespace

const CublasLibrary& cublas_library() {
  static const CublasLibrary library = load();
  return library;
}

}  // namespace tern::cuda
