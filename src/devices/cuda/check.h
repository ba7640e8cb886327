// SPDX-License-Identifier: Apache-2.0
// Checked calls of the CUDA runtime.
#pragma once

#include <cuda_runtime_api.h>

#include "base/check.h"

namespace tern::cuda {

// Throws Error "[cuda] <what>: <the runtime's words>" unless `status` is cudaSuccess.
inline void check_call(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  fail("cuda", "{}: {} ({})", what, cudaGetErrorString(status), cudaGetErrorName(status));
}

}  // namespace tern::cuda
