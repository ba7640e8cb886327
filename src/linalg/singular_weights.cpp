// SPDX-License-Identifier: Apache-2.0
#include "linalg/singular_weights.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "linalg/matrices.h"

namespace tern::linalg {
namespace {

template <class R>
SingularWeights weigh_typed(const Tensor& s, const std::vector<double>& limits) {
  const auto k = static_cast<size_t>(s.size(-1));
  std::vector<R> values = s.to_vector<R>();
  std::vector<int64_t> ranks(limits.size());
  for (size_t i = 0; i < limits.size(); ++i) {
    R* const of = values.data() + i * k;
    R largest = 0;
    for (size_t j = 0; j < k; ++j) largest = std::max(largest, std::abs(of[j]));
    const double least = limits[i] * static_cast<double>(largest);
    for (size_t j = 0; j < k; ++j) {
      const bool counts = static_cast<double>(std::abs(of[j])) > least;
      ranks[i] += counts ? 1 : 0;
      of[j] = counts ? 1 / of[j] : R(0);
    }
  }
  return {Tensor::from(values, s.shape(), s.device()), Tensor::from(ranks, leading(s.shape(), 1), s.device())};
}

}  // namespace

SingularWeights weigh(const Tensor& s, const std::vector<double>& limits) {
  return s.dtype() == DType::f64 ? weigh_typed<double>(s, limits) : weigh_typed<float>(s, limits);
}

}  // namespace tern::linalg
