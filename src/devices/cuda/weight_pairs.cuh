// SPDX-License-Identifier: Apache-2.0
// Pairs of a row of activations and a row of weights whose products are asked for one by one.
#pragma once

#include <cstdint>

#include "device/kernels.h"

namespace tern::cuda {

// Those of LinearRowsArgs and LinearPairsArgs. has(i) is false where nothing is asked for.
class RowPairs {
 public:
  explicit RowPairs(const LinearRowsArgs& args) : args_(args) {}

  __device__ int64_t count() const { return args_.count; }
  __device__ bool has(int64_t) const { return true; }
  __device__ const float* x(int64_t) const { return args_.x; }
  __device__ int64_t id(int64_t i) const { return args_.ids[i]; }
  __device__ void put(int64_t i, float y) const { args_.y[i] = y; }

 private:
  LinearRowsArgs args_;
};

class ListedPairs {
 public:
  explicit ListedPairs(const LinearPairsArgs& args) : args_(args) {}

  __device__ int64_t count() const { return args_.count == nullptr ? args_.most : min(*args_.count, args_.most); }
  __device__ bool has(int64_t i) const { return args_.pairs[i].id >= 0; }
  __device__ const float* x(int64_t i) const { return args_.x + int64_t{args_.pairs[i].row} * args_.k; }
  __device__ int64_t id(int64_t i) const { return args_.pairs[i].id; }
  __device__ void put(int64_t i, float y) const { args_.pairs[i].value = y; }

 private:
  LinearPairsArgs args_;
};

}  // namespace tern::cuda
