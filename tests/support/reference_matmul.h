// SPDX-License-Identifier: Apache-2.0
// Naive matrix products: exact integers, doubles with the sum of magnitudes that bounds rounding errors, and the two
// orders of f32 summation that src/device/kernels.h promises.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace reference {

// acc [rows, n] = q [rows, k] (row stride q_stride) · codesᵀ, codes [n, k].
inline std::vector<int64_t> ternary_matmul(const std::vector<int8_t>& q, int64_t q_stride,
                                           const std::vector<int8_t>& codes, int64_t rows, int64_t n, int64_t k) {
  std::vector<int64_t> acc(static_cast<size_t>(rows * n));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < n; ++j) {
      int64_t sum = 0;
      const int8_t* a = q.data() + r * q_stride;
      const int8_t* b = codes.data() + j * k;
      for (int64_t i = 0; i < k; ++i) sum += a[i] * b[i];
      acc[static_cast<size_t>(r * n + j)] = sum;
    }
  }
  return acc;
}

// A dot product of two strided vectors in double, and Σ |a||b|.
struct Dot {
  double value = 0, magnitude = 0;
};

inline Dot dot(const float* a, int64_t a_stride, const float* b, int64_t b_stride, int64_t k) {
  Dot d;
  for (int64_t i = 0; i < k; ++i) {
    const double product = static_cast<double>(a[i * a_stride]) * static_cast<double>(b[i * b_stride]);
    d.value += product;
    d.magnitude += std::fabs(product);
  }
  return d;
}

// acc = fma(a[i], b[i], acc) for i ascending.
inline float chain(const float* a, int64_t a_stride, const float* b, int64_t b_stride, int64_t k, float acc) {
  for (int64_t i = 0; i < k; ++i) acc = std::fma(a[i * a_stride], b[i * b_stride], acc);
  return acc;
}

// 16 chains over the elements of equal index mod 16, folded by halves.
inline float lanes(const float* a, const float* b, int64_t k) {
  float acc[16] = {};
  for (int64_t i = 0; i < k; ++i) acc[i % 16] = std::fma(a[i], b[i], acc[i % 16]);
  for (int half = 8; half > 0; half /= 2) {
    for (int l = 0; l < half; ++l) acc[l] += acc[l + half];
  }
  return acc[0];
}

}  // namespace reference
