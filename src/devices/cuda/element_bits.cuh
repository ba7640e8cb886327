// SPDX-License-Identifier: Apache-2.0
// Elements by their bits, whatever they mean, and whether they are 0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tern/dtype.h"

namespace tern::cuda {

// Not aligned to more than its parts, as complex numbers are not.
struct Sixteen {
  uint64_t low, high;
};

// Calls fn(T{}) with an unsigned type of so many bytes, or one of 16.
template <class Fn>
void with_bits(size_t bytes, const Fn& fn) {
  switch (bytes) {
    case 1:
      return fn(uint8_t{});
    case 2:
      return fn(uint16_t{});
    case 4:
      return fn(uint32_t{});
    case 8:
      return fn(uint64_t{});
    default:
      return fn(Sixteen{});
  }
}

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
