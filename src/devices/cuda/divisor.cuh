// SPDX-License-Identifier: Apache-2.0
// Division by a number that a whole launch shares.
#pragma once

#include <cstdint>

namespace tern::cuda {

// Divides non-negative numbers by a positive one: by a multiplication where both are below 2^31. With 2^bits the least
// power not below d, m = ⌈2^(31+bits) / d⌉ fits 32 bits and exceeds the exact factor by less than 2^bits / d, so that
// ⌊n·m / 2^(31+bits)⌋ = ⌊n / d⌋ for all n < 2^31 (Granlund and Montgomery, 1994).
class Divisor {
 public:
  Divisor() = default;
  explicit Divisor(int64_t divisor) : divisor_(divisor), multiplier_(0), shift_(0) {
    if (divisor >> 31 != 0) return;  // which leaves a quotient of 0
    int bits = 0;
    while (int64_t{1} << bits < divisor) ++bits;
    shift_ = 31 + bits;
    multiplier_ = static_cast<uint32_t>(((int64_t{1} << shift_) + divisor - 1) / divisor);
  }

  __host__ __device__ int64_t divisor() const { return divisor_; }

  __device__ int64_t quotient(int64_t n) const {
    if (n >> 31 != 0) return n / divisor_;
    return small_quotient(static_cast<uint32_t>(n));
  }
  // For numbers below 2^31.
  __device__ int64_t small_quotient(uint32_t n) const {
    return static_cast<int64_t>(static_cast<uint64_t>(n) * multiplier_ >> shift_);
  }

 private:
  int64_t divisor_;
  uint32_t multiplier_;
  int shift_;
};

}  // namespace tern::cuda
