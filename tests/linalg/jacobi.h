// SPDX-License-Identifier: Apache-2.0
// Singular values by one-sided Jacobi rotations (Hestenes 1958) in long double: slow, and exact to the last digits of
// every double, so that what LAPACK's routines make of a matrix can be judged by it.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "linalg/host_matrix.h"

namespace tern::testing {

// Of the real parts of a, in descending order.
inline std::vector<long double> singular_values(const HostMatrix& given) {
  const HostMatrix a = given.rows() < given.columns() ? given.adjoint() : given;
  std::vector<std::vector<long double>> columns(static_cast<size_t>(a.columns()));
  for (size_t j = 0; j < columns.size(); ++j) {
    for (int64_t i = 0; i < a.rows(); ++i) columns[j].push_back(a(i, static_cast<int64_t>(j)).real());
  }
  const auto dot = [](const std::vector<long double>& x, const std::vector<long double>& y) {
    long double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
    return sum;
  };
  // Turns two columns in their plane until they are orthogonal.
  const auto rotate = [&](std::vector<long double>& x, std::vector<long double>& y) {
    const long double xx = dot(x, x), yy = dot(y, y), xy = dot(x, y);
    if (std::abs(xy) <= std::numeric_limits<long double>::epsilon() * 4 * std::sqrt(xx) * std::sqrt(yy)) return false;
    const long double zeta = (yy - xx) / (2 * xy);
    const long double tangent = (zeta < 0 ? -1 : 1) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
    const long double cosine = 1 / std::sqrt(1 + tangent * tangent), sine = cosine * tangent;
    for (size_t i = 0; i < x.size(); ++i) {
      const long double left = x[i], right = y[i];
      x[i] = cosine * left - sine * right;
      y[i] = sine * left + cosine * right;
    }
    return true;
  };
  bool turned = true;
  for (int sweep = 0; turned && sweep < 60; ++sweep) {
    turned = false;
    for (size_t p = 0; p < columns.size(); ++p) {
      for (size_t q = p + 1; q < columns.size(); ++q) turned = rotate(columns[p], columns[q]) || turned;
    }
  }
  std::vector<long double> values;
  for (const auto& column : columns) values.push_back(std::sqrt(dot(column, column)));
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

}  // namespace tern::testing
