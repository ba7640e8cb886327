// SPDX-License-Identifier: Apache-2.0
// Tensors of any dtype from exact numbers and back.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "support/awkward_elements.h"
#include "tern/ops.h"

namespace tern::testing {

using Numbers = std::vector<Number>;

inline Tensor tensor_of(const Numbers& numbers, DType dtype, const Device& device) {
  Bytes bytes(numbers.size() * size_of(dtype));
  for (size_t i = 0; i < numbers.size(); ++i) put(dtype, bytes, i, numbers[i]);
  return Tensor::from_bytes(std::as_bytes(std::span(bytes)), {static_cast<int64_t>(numbers.size())}, dtype, device);
}

inline Tensor awkward_tensor(DType dtype, const Shape& shape, uint32_t seed, const Device& device) {
  const Bytes bytes = awkward_elements(dtype, shape.numel(), seed);
  return Tensor::from_bytes(std::as_bytes(std::span(bytes)), shape, dtype, device);
}

inline Bytes bytes_of(const Tensor& x) {
  Bytes bytes(static_cast<size_t>(x.numel()) * size_of(x.dtype()));
  x.copy_to_host(std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

inline Numbers numbers_of(const Tensor& x) {
  const Bytes bytes = bytes_of(x);
  Numbers numbers;
  for (size_t i = 0; i < static_cast<size_t>(x.numel()); ++i) numbers.push_back(number_at(x.dtype(), bytes, i));
  return numbers;
}

// The same dtype, shape and numbers, any NaN for any.
inline ::testing::AssertionResult same_tensor(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) {
    return ::testing::AssertionFailure() << name_of(a.dtype()) << to_string(a.shape()) << " and " << name_of(b.dtype())
                                         << to_string(b.shape());
  }
  const Numbers left = numbers_of(a), right = numbers_of(b);
  for (size_t i = 0; i < left.size(); ++i) {
    if (!same(left[i], right[i])) {
      return ::testing::AssertionFailure() << "element " << i << ": " << left[i] << " and " << right[i];
    }
  }
  return ::testing::AssertionSuccess();
}

// The numbers that a tensor has, exactly.
inline ::testing::AssertionResult holds(const Tensor& x, DType dtype, const Numbers& expected) {
  if (x.dtype() != dtype) return ::testing::AssertionFailure() << "dtype " << name_of(x.dtype());
  const Numbers got = numbers_of(x);
  if (got.size() != expected.size()) return ::testing::AssertionFailure() << got.size() << " elements";
  for (size_t i = 0; i < got.size(); ++i) {
    if (!same(got[i], expected[i])) {
      return ::testing::AssertionFailure() << "element " << i << " is " << got[i] << ", not " << expected[i];
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace tern::testing
