// SPDX-License-Identifier: Apache-2.0
// Tensors of every dtype with small integers (pairs of them, if complex), whose sums of products are exact in 64 bits.
#pragma once

#include <complex>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tern/scalar.h"
#include "tern/tensor.h"

namespace tern::testing {

// A complex integer.
struct Gaussian {
  int64_t re = 0, im = 0;
  friend Gaussian operator*(Gaussian a, Gaussian b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
  Gaussian& operator+=(Gaussian b) {
    re += b.re, im += b.im;
    return *this;
  }
};

inline Gaussian small_integer(int64_t i, DType dtype) {
  if (dtype == DType::boolean) return {i % 3 == 1 ? 1 : 0, 0};
  const int64_t scrambled = i * 7919 % 10007;
  const int64_t re = scrambled % 7 - (is_unsigned_integer(dtype) ? 0 : 3);
  return {re, is_complex(dtype) ? scrambled % 5 - 2 : 0};
}

inline std::vector<Gaussian> small_integers(int64_t count, DType dtype, int64_t first) {
  std::vector<Gaussian> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(small_integer(first + i, dtype));
  return out;
}

// The bytes of the exact number in a dtype: its low bits for integers, whether it is above 0 for bool, rounded for
// floats.
inline std::vector<std::byte> bytes_of(Gaussian value, DType dtype) {
  std::vector<std::byte> bytes(size_of(dtype));
  if (is_integer(dtype)) {
    std::memcpy(bytes.data(), &value.re, bytes.size());
    return bytes;
  }
  const std::complex<double> number(static_cast<double>(value.re), static_cast<double>(value.im));
  const Scalar scalar = is_complex(dtype)         ? Scalar(number)
                        : dtype == DType::boolean ? Scalar(value.re > 0)
                                                  : Scalar(value.re);
  const auto element = scalar.element(dtype, "test");
  std::memcpy(bytes.data(), element.data(), bytes.size());
  return bytes;
}

inline Tensor tensor_of(const std::vector<Gaussian>& values, const Shape& shape, DType dtype, const Device& device) {
  std::vector<std::byte> all;
  for (const Gaussian value : values) {
    const auto bytes = bytes_of(value, dtype);
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  return Tensor::from_bytes(all, shape, dtype, device);
}

}  // namespace tern::testing
