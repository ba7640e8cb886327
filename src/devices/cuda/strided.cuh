// SPDX-License-Identifier: Apache-2.0
// Where the elements of a shape lie in strided operands. The last axis is walked in packs where all operands allow it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "devices/cuda/divisor.cuh"
#include "devices/cuda/packs.cuh"

namespace tern::cuda {

inline int64_t count_of(const Dims& shape) {
  int64_t count = 1;
  for (int axis = 0; axis < shape.rank; ++axis) count *= shape.at[axis];
  return count;
}

// An operand as the host sees it, with the size of its elements.
struct StridedOperand {
  const void* data;
  size_t element;
  const Dims* strides;
};

// Whether `width` neighbours on the last axis are, in each operand, an aligned pack or the same element.
inline bool splits_into_packs(const Dims& shape, std::initializer_list<StridedOperand> operands, int width) {
  const int last = shape.rank - 1;
  const auto splits = [&](const StridedOperand& operand) {
    const int64_t* strides = operand.strides->at;
    if (strides[last] == 0) return true;
    return strides[last] == 1 && is_aligned(operand.data, operand.element * static_cast<size_t>(width)) &&
           std::all_of(strides, strides + last, [&](int64_t stride) { return stride % width == 0; });
  };
  return shape.at[last] % width == 0 && std::all_of(operands.begin(), operands.end(), splits);
}

template <int kOperands>
struct Offsets {
  int64_t at[kOperands];
};

// The packs of a shape of at least one element, in order; kernels get it by value.
template <int kOperands>
class Layout {
 public:
  Layout(const Dims& shape, const Dims* const (&strides)[kOperands], int width) : rank_(shape.rank) {
    count_ = count_of(shape) / width;
    for (int axis = 0; axis < rank_; ++axis) {
      const int64_t step = axis == rank_ - 1 ? width : 1;
      extents_[axis] = Divisor(shape.at[axis] / step);
      for (int k = 0; k < kOperands; ++k) strides_[k][axis] = strides[k]->at[axis] * step;
    }
  }

  __host__ __device__ int64_t count() const { return count_; }

  __device__ Offsets<kOperands> offsets(int64_t index) const {
    Offsets<kOperands> offsets = {};
    for (int axis = rank_ - 1; axis > 0; --axis) {
      const int64_t quotient = extents_[axis].quotient(index);
      add(offsets, axis, index - quotient * extents_[axis].divisor());
      index = quotient;
    }
    add(offsets, 0, index);
    return offsets;
  }

  // The pack of an operand that begins at p.
  template <int kWidth, class T>
  __device__ Pack<T, kWidth> load(int operand, const T* p) const {
    if constexpr (kWidth > 1) {
      if (strides_[operand][rank_ - 1] == 0) return repeat_pack<kWidth>(*p);
    }
    return load_pack<kWidth>(p);
  }

 private:
  __device__ void add(Offsets<kOperands>& offsets, int axis, int64_t steps) const {
#pragma unroll
    for (int k = 0; k < kOperands; ++k) offsets.at[k] += steps * strides_[k][axis];
  }

  int64_t count_;
  int rank_;
  Divisor extents_[8];
  int64_t strides_[kOperands][8];
};

}  // namespace tern::cuda
