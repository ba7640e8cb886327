// SPDX-License-Identifier: Apache-2.0
// Whether elements are 0, by their bits.
#pragma once

#include <cstdint>

#include "device/element_bytes.h"
#include "tern/dtype.h"

namespace tern::cuda {

// Whether elements of a dtype are not 0: all of their bits count but the signs of floats. NaN is not 0.
class TruthMask {
 public:
  explicit TruthMask(DType dtype) {
    const bool halves = dtype == DType::f16 || dtype == DType::bf16;
    if (dtype == DType::f32 || dtype == DType::c64) mask_ = 0x7fffffff7fffffff;
    if (dtype == DType::f64 || dtype == DType::c128) mask_ = 0x7fffffffffffffff;
    if (halves) mask_ = 0x7fff;
  }

  template <class Bits>
  __host__ __device__ bool is_true(Bits x) const {
    return (x & static_cast<Bits>(mask_)) != 0;
  }
  __host__ __device__ bool is_true(Sixteen x) const { return is_true(x.low) || is_true(x.high); }

 private:
  uint64_t mask_ = ~uint64_t{0};  // of eight bytes
};

}  // namespace tern::cuda
