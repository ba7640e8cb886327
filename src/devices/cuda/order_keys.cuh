// SPDX-License-Identifier: Apache-2.0
// Real numbers as unsigned keys that are ordered alike, so that sorting and searching know unsigned integers only.
#pragma once

#include <cstdint>

#include "tern/dtype.h"

namespace tern::cuda {

// The bits of infinity; 0 of what is no real float.
constexpr uint64_t infinity_bits(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return 0x7f800000;
    case DType::f64:
      return uint64_t{0x7ff} << 52;
    case DType::f16:
      return 0x7c00;
    case DType::bf16:
      return 0x7f80;
    default:
      return 0;
  }
}

// By the bits of an element. Of an integer or bool: the sign bit turned over. Of a float: the sign bit, or all of those
// below 0; 0 and -0 have one key. Where the order descends, all bits of the key. NaNs are the greatest key in both
// directions.
template <class Key>
class OrderKey {
 public:
  explicit OrderKey(DType dtype, bool descending = false)
      : infinity_(static_cast<Key>(infinity_bits(dtype))),
        turned_(static_cast<Key>((is_signed_integer(dtype) ? kSign : 0) ^ (descending ? kAll : 0))) {}

  __host__ __device__ bool is_nan(Key bits) const {
    return infinity_ != 0 && static_cast<Key>(bits & ~kSign) > infinity_;
  }

  __host__ __device__ Key of(Key bits) const {
    if (infinity_ == 0) return static_cast<Key>(bits ^ turned_);
    if (is_nan(bits)) return kAll;
    const bool is_negative = bits > kSign;  // but for -0
    const Key place = is_negative ? static_cast<Key>(~bits) : static_cast<Key>(bits | kSign);
    return static_cast<Key>(place ^ turned_);
  }

  // The one NaN that sorted elements have.
  __host__ __device__ Key quiet_nan() const { return static_cast<Key>(infinity_ | (infinity_ >> 1)); }

 private:
  static constexpr Key kSign = static_cast<Key>(Key{1} << (8 * sizeof(Key) - 1)), kAll = static_cast<Key>(~Key{0});
  Key infinity_, turned_;
};

}  // namespace tern::cuda
