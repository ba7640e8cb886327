// SPDX-License-Identifier: Apache-2.0
// Where an index of one axis leads (device/array_index.h).
#pragma once

#include <cstdint>

#include "device/array_index.h"

namespace tern::cuda {

// The extent may be kOffsets, for indices that are offsets already.
struct IndexRange {
  int64_t extent, scale;

  // Whether an index is in range.
  __host__ __device__ bool has(int64_t index) const {
    return extent == kOffsets || (index >= -extent && index < extent);
  }
  // In elements, for one in range.
  __host__ __device__ int64_t offset(int64_t index) const {
    return (index < 0 && extent != kOffsets ? index + extent : index) * scale;
  }
};

}  // namespace tern::cuda
