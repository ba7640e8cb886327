// SPDX-License-Identifier: Apache-2.0
// Grids whose blocks all run at one time and take the work in turn.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "devices/cuda/launch.h"

namespace tern::cuda {

// Blocks of a kernel that run at one time, at least one a multiprocessor, but at most `needed`. Lets the kernel have
// `shared` bytes of dynamic shared memory.
template <class... Parameters>
unsigned resident_blocks(const Exec& exec, const char* name, void (*kernel)(Parameters...), int threads, size_t shared,
                         int64_t needed) {
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)),
             name);
  int each = 0;
  keep_error(exec, cudaOccupancyMaxActiveBlocksPerMultiprocessor(&each, kernel, threads, shared), name);
  return static_cast<unsigned>(std::min(int64_t{std::max(each, 1)} * multiprocessors(exec), needed));
}

}  // namespace tern::cuda
