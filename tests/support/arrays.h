// SPDX-License-Identifier: Apache-2.0
// Arrays of any dtype for tests of ops: made of numbers, laid out in awkward ways, and read back as numbers that hold
// all of them exactly.
#pragma once

#include <algorithm>
#include <complex>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/dispatch.h"
#include "tern/ops.h"

namespace tern::testing {

using Exact = long double;  // holds every f64, i64 and u64
using Numbers = std::vector<Exact>;

inline const std::vector<DType>& real_dtypes() {
  static const std::vector<DType> list = {DType::boolean, DType::i8,  DType::u8,  DType::i16, DType::u16,
                                          DType::i32,     DType::u32, DType::i64, DType::u64, DType::f16,
                                          DType::bf16,    DType::f32, DType::f64};
  return list;
}

// The real parts of all elements in row-major order.
inline Numbers numbers(const Tensor& x) {
  return dispatch(x.dtype(), [&]<class T>() {
    std::vector<std::byte> bytes(static_cast<size_t>(x.numel()) * sizeof(T));
    x.copy_to_host(bytes);
    Numbers out;
    for (size_t i = 0; i < bytes.size(); i += sizeof(T)) {
      T value;
      std::memcpy(&value, bytes.data() + i, sizeof(T));
      if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, f16>) {
        out.push_back(static_cast<float>(value));
      } else if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
        out.push_back(value.real());
      } else {
        out.push_back(value);
      }
    }
    return out;
  });
}

// Small integers, which every dtype holds, some of them 0 and many equal: sums and products of a few are exact.
inline Tensor small_numbers(const Shape& shape, DType dtype, uint32_t seed, const Device& device) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& value : values)
    value = static_cast<float>(static_cast<int>(random() % 8) - (is_unsigned_integer(dtype) ? 0 : 3));
  return cast(Tensor::from(values, shape, device), dtype);
}

// The same elements under the same shape, but in other places: dense, transposed, reversed, with gaps.
inline std::vector<Tensor> layouts(const Tensor& x) {
  std::vector<Tensor> out = {x};
  if (x.rank() == 0) return out;
  const int last = x.rank() - 1;
  out.push_back(transpose(clone(transpose(x, 0, last)), 0, last));
  Tensor backward = x, holes = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const int64_t extent = x.shape()[axis];
    backward = slice(backward, axis, -1, -extent - 1, -1);
  }
  backward = clone(backward);
  for (int axis = 0; axis < x.rank(); ++axis) backward = slice(backward, axis, -1, -x.shape()[axis] - 1, -1);
  out.push_back(backward);
  Shape wide = x.shape();
  wide[last] *= 2;
  const Tensor gaps = Tensor::zeros(wide, x.dtype(), x.device());
  const Tensor every_other = slice(gaps, last, 0, wide[last], 2);
  if (x.numel() > 0) assign(every_other, x);
  out.push_back(every_other);
  return out;
}

// For each output of a reduction of `shape` over the axes of `reduced`, in row-major order, the flat indices of its
// elements, in row-major order.
inline std::vector<std::vector<size_t>> groups_of(const Shape& shape, const std::vector<bool>& reduced) {
  int64_t outputs = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) outputs *= reduced[static_cast<size_t>(axis)] ? 1 : shape[axis];
  std::vector<std::vector<size_t>> groups(static_cast<size_t>(outputs));
  for (int64_t flat = 0; flat < shape.numel(); ++flat) {
    int64_t rest = flat, output = 0, step = 1;
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      const int64_t index = rest % shape[axis];
      rest /= shape[axis];
      if (reduced[static_cast<size_t>(axis)]) continue;
      output += index * step;
      step *= shape[axis];
    }
    groups[static_cast<size_t>(output)].push_back(static_cast<size_t>(flat));
  }
  return groups;
}

// All sets of axes, the empty one left out.
inline std::vector<std::vector<bool>> axis_choices(int rank) {
  std::vector<std::vector<bool>> out;
  for (int bits = 1; bits < 1 << rank; ++bits) {
    std::vector<bool> set;
    for (int axis = 0; axis < rank; ++axis) set.push_back((bits >> axis & 1) != 0);
    out.push_back(set);
  }
  return out;
}

inline std::vector<int> axes_of(const std::vector<bool>& set) {
  std::vector<int> axes;
  for (size_t axis = 0; axis < set.size(); ++axis) {
    if (set[axis]) axes.push_back(static_cast<int>(axis));
  }
  return axes;
}

}  // namespace tern::testing
