// SPDX-License-Identifier: Apache-2.0
// Naive functions of rows, in double.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace reference {

using Row = std::vector<double>;

inline Row row_of(const std::vector<float>& x, size_t row, size_t cols) {
  return Row(x.begin() + static_cast<std::ptrdiff_t>(row * cols),
             x.begin() + static_cast<std::ptrdiff_t>((row + 1) * cols));
}

inline double sum(const Row& x) {
  double total = 0;
  for (const double v : x) total += v;
  return total;
}

inline double rms_inverse(const Row& x, double eps) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  return 1 / std::sqrt(squares / static_cast<double>(x.size()) + eps);
}

inline double log_sum_exp(const Row& x) {
  double max = -HUGE_VAL, total = 0;
  for (const double v : x) max = std::fmax(max, v);
  for (const double v : x) total += std::exp(v - max);
  return max + std::log(total);
}

inline Row softmax(const Row& x) {
  const double lse = log_sum_exp(x);
  Row y;
  for (const double v : x) y.push_back(std::exp(v - lse));
  return y;
}

// dx of y = x·inv·w with inv = 1/sqrt(mean(x²) + eps): inv·(g - x·Σ(g·x)·inv²/n), g = dy·w.
inline Row rms_norm_dx(const Row& x, const Row& weight, const Row& dy, double eps) {
  const double inv = rms_inverse(x, eps), n = static_cast<double>(x.size());
  double along = 0;
  for (size_t i = 0; i < x.size(); ++i) along += dy[i] * weight[i] * x[i];
  Row dx;
  for (size_t i = 0; i < x.size(); ++i) dx.push_back(inv * (dy[i] * weight[i] - x[i] * along * inv * inv / n));
  return dx;
}

}  // namespace reference
