// SPDX-License-Identifier: Apache-2.0
#include "devices/cuda/cublas_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <string>

#include "base/check.h"

namespace tern::cuda {
namespace {

// Stays open as long as the process, as what it has set up on the device does.
void* open_library() {
  std::string why;
  for (const std::string& path :
       {fmt::format("libcublasLt.so.{}", CUBLAS_VER_MAJOR), std::string(TERN_CUBLAS_LIBRARY)}) {
    if (void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    if (why.empty()) why = ::dlerror();
  }
  fail("cuda",
       "expected cuBLASLt {}, which products in bf16 need, on this machine (LD_LIBRARY_PATH names more places to look "
       "in), "
       "got none: {}",
       CUBLAS_VER_MAJOR, why);
}

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  check(function != nullptr, "cuda", "expected a cuBLASLt with {}, this machine's is without", name);
}

CublasLibrary load() {
  void* const library = open_library();
  CublasLibrary out = {};
  find(library, "cublasLtCreate", out.create);
  find(library, "cublasLtDestroy", out.destroy);
  find(library, "cublasLtGetStatusString", out.get_status_string);
  find(library, "cublasLtMatmul", out.matmul);
  find(library, "cublasLtMatmulAlgoGetHeuristic", out.matmul_algo_get_heuristic);
  find(library, "cublasLtMatmulAlgoConfigGetAttribute", out.matmul_algo_config_get_attribute);
  find(library, "cublasLtMatmulDescInit_internal", out.matmul_desc_init);
  find(library, "cublasLtMatmulDescSetAttribute", out.matmul_desc_set_attribute);
  find(library, "cublasLtMatmulPreferenceInit_internal", out.matmul_preference_init);
  find(library, "cublasLtMatmulPreferenceSetAttribute", out.matmul_preference_set_attribute);
  find(library, "cublasLtMatrixLayoutInit_internal", out.matrix_layout_init);
  find(library, "cublasLtMatrixLayoutSetAttribute", out.matrix_layout_set_attribute);
  return out;
}

}  // namespace

const CublasLibrary& cublas_library() {
  static const CublasLibrary library = load();
  return library;
}

}  // namespace tern::cuda
