// SPDX-License-Identifier: Apache-2.0
// Scores of a row's tokens (kernels.h, "scores"), and integers in their order.
#pragma once

#include <cmath>
#include <cstdint>

#include "device/kernels.h"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {

// What is allowed and penalized in a row.
class RowBits {
 public:
  // Everything, and nothing.
  __device__ RowBits() : allowed_(nullptr), penalized_(nullptr), penalty_(1.0) {}
  __device__ RowBits(const ScoreQuery& query, const uint64_t* bits)
      : allowed_(query.allowed < 0 ? nullptr : bits + query.allowed),
        penalized_(query.penalized < 0 ? nullptr : bits + query.penalized),
        penalty_(query.penalty) {}

  __device__ bool penalizes() const { return penalized_ != nullptr; }
  __device__ bool allowed(uint32_t i) const { return allowed_ == nullptr || bit(allowed_, i); }
  __device__ bool penalized(uint32_t i) const { return penalized_ != nullptr && bit(penalized_, i); }

  // Of an allowed token with this value: exact, and the nearest floats on either side.
  __device__ double score(float value, uint32_t i) const {
    const auto x = static_cast<double>(value);
    if (!penalized(i)) return x;
    return x > 0.0 ? x / penalty_ : x * penalty_;
  }
  __device__ float score_below(float value, uint32_t i) const { return __double2float_rd(score(value, i)); }
  __device__ float score_above(float value, uint32_t i) const { return __double2float_ru(score(value, i)); }

 private:
  __device__ static bool bit(const uint64_t* bits, uint32_t i) { return (bits[i / 64] >> (i % 64) & 1) != 0; }

  const uint64_t *allowed_, *penalized_;
  double penalty_;
};

// Order of unsigned integers that is that of floats; 0 for NaN and -Inf. Zeros are one.
__device__ inline uint32_t key_of(float x) {
  if (!(x > -INFINITY)) return 0;
  const uint32_t bits = __float_as_uint(x + 0.0f);
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}

// Greater for a greater bound, of equals for a lower column; 0 for NaN and -Inf.
using LeaderKey = unsigned long long;
__device__ inline LeaderKey leader_key(float low, uint32_t column) {
  const uint32_t key = key_of(low);
  return key == 0 ? 0 : LeaderKey{key} << 32 | ~column;
}
__device__ inline LeaderKey leader_key(const LeadingBound& leader) {
  return leader.column < 0 ? 0 : leader_key(leader.low, static_cast<uint32_t>(leader.column));
}
// Of a warp, in all lanes.
__device__ inline LeaderKey greatest_of_lanes(LeaderKey key) {
  const auto high = static_cast<uint32_t>(key >> 32), greatest = __reduce_max_sync(kAllLanes, high);
  const uint32_t low = high == greatest ? static_cast<uint32_t>(key) : 0;
  return LeaderKey{greatest} << 32 | __reduce_max_sync(kAllLanes, low);
}

}  // namespace tern::cuda
