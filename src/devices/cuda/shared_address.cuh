// SPDX-License-Identifier: Apache-2.0
// Addresses in shared memory as instructions take them that are written as such.
#pragma once

#include <cstdint>

namespace tern::cuda {

__device__ __forceinline__ uint32_t shared_address(const void* in_shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(in_shared));
}

}  // namespace tern::cuda
