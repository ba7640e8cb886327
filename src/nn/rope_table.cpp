// SPDX-License-Identifier: Apache-2.0
#include "nn/rope_table.h"

#include <cmath>
#include <vector>

namespace tern {

RopeTable make_rope_table(int64_t positions, int64_t dim, double theta, const Device& device) {
  const int64_t half = dim / 2;
  std::vector<float> frequencies;
  for (int64_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dim);
    frequencies.push_back(1.0f / static_cast<float>(std::pow(theta, static_cast<double>(exponent))));
  }
  std::vector<float> cos, sin;
  cos.reserve(static_cast<size_t>(positions * half));
  sin.reserve(cos.capacity());
  for (int64_t p = 0; p < positions; ++p) {
    for (const float frequency : frequencies) {
      const double angle = static_cast<double>(static_cast<float>(p) * frequency);
      cos.push_back(static_cast<float>(std::cos(angle)));
      sin.push_back(static_cast<float>(std::sin(angle)));
    }
  }
  const Shape shape{positions, half};
  return {Tensor::from(cos, shape, device), Tensor::from(sin, shape, device)};
}

}  // namespace tern
