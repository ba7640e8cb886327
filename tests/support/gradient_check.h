// SPDX-License-Identifier: Apache-2.0
// Reverse-mode gradients against central differences.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "tern/autograd.h"
#include "tern/tensor.h"

namespace tern::testing {

using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

namespace gradient_check {

// Differences are taken at kStep and twice that. The functions are f32, so a smaller step would drown in rounding: at
// 1/64 the noise of a difference is 64 ulps of the function, and Richardson's step removes the h² term of its error.
inline constexpr double kStep = 1.0 / 64;
inline constexpr double kEpsilon = 1.0 / (1 << 23);
inline constexpr size_t kAllCoordinates = 24;
inline constexpr int kDirections = 3;

// Uniform in [-1, 1), the same on every machine.
class Uniform {
 public:
  explicit Uniform(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  double operator()() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<double>(state_ >> 11) * 0x1p-52 - 1.0;
  }

 private:
  uint64_t state_;
};

inline std::vector<Tensor> leaves_of(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : inputs) {
    leaves.push_back(Tensor::from(input.to_vector<float>(), input.shape(), input.device()).set_requires_grad());
  }
  return leaves;
}

// Σ weight·f in double, and the size of what was summed: the f32 function's rounding errors are ulps of that.
struct Weighted {
  double value = 0, magnitude = 0;
};

inline Weighted weighted(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::vector<float>& weight) {
  const std::vector<float> y = f(inputs).to_vector<float>();
  double largest = 0;
  for (const float value : y) largest = std::max(largest, std::abs(static_cast<double>(value)));
  Weighted out;
  for (size_t i = 0; i < y.size(); ++i) {
    const double w = static_cast<double>(weight[i]);
    out.value += w * static_cast<double>(y[i]);
    out.magnitude += std::abs(w) * (std::abs(static_cast<double>(y[i])) + largest);
  }
  return out;
}

struct Derivative {
  double value, tolerance;
};

// The derivative along `direction` of one input, divided by the steps that were taken after rounding to f32.
inline Derivative numeric(const TensorFunction& f, std::vector<Tensor> inputs, size_t which,
                          const std::vector<float>& weight, const std::vector<double>& direction) {
  const Tensor center = inputs[which];
  const std::vector<float> x = center.to_vector<float>();
  double slopes[2], noise = 0;
  for (int round = 0; round < 2; ++round) {
    const double step = kStep * (round + 1);
    Weighted ends[2];
    for (int side = 0; side < 2; ++side) {
      std::vector<float> moved = x;
      for (size_t i = 0; i < x.size(); ++i) {
        moved[i] = static_cast<float>(static_cast<double>(x[i]) + (side == 0 ? step : -step) * direction[i]);
      }
      inputs[which] = Tensor::from(moved, center.shape(), center.device());
      ends[side] = weighted(f, inputs, weight);
      noise = std::max(noise, ends[side].magnitude);
    }
    slopes[round] = (ends[0].value - ends[1].value) / (2 * step);
  }
  // The error of (4·D(h) - D(2h)) / 3 is of fourth order: below the distance of the two, which is of second order.
  // Inputs are rounded to f32 as well: half an ulp of a value near 2 moves it by 1e-5 of a step.
  const double rounding = 16 * kEpsilon * noise / kStep;
  return {(4 * slopes[0] - slopes[1]) / 3, std::abs(slopes[0] - slopes[1]) + rounding};
}

inline ::testing::AssertionResult agree(const TensorFunction& f, const std::vector<Tensor>& inputs, size_t which,
                                        const std::vector<float>& weight, const std::vector<float>& gradient,
                                        const std::vector<double>& direction, double* largest) {
  const Derivative expected = numeric(f, inputs, which, weight, direction);
  double got = 0, size = 0;
  for (size_t i = 0; i < gradient.size(); ++i) {
    got += static_cast<double>(gradient[i]) * direction[i];
    size += std::abs(static_cast<double>(gradient[i]) * direction[i]);
  }
  *largest = std::max(*largest, std::abs(expected.value));
  // The rounded step differs from the asked one by up to 2 ulps of the input, 2^-16 of it.
  const double tolerance = expected.tolerance + size * 0x1p-15;
  if (std::abs(got - expected.value) <= tolerance) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "input " << which << ": the gradient gives " << got << ", differences "
                                       << expected.value << " within " << tolerance;
}

}  // namespace gradient_check

// Success when the gradients that backward() gives for the f32 inputs of f agree with central differences: for a random
// cotangent v, along each coordinate (or some, of a large input) and along random directions u, vᵀJu. f must be smooth
// within 1/32 of the inputs in each coordinate. Fails, too, when every derivative is 0 though there are elements: such
// a check shows nothing.
inline ::testing::AssertionResult gradients_agree(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  using namespace gradient_check;
  Uniform uniform(inputs.size() * 7919 + 1);
  const std::vector<Tensor> leaves = leaves_of(inputs);
  const Tensor y = f(leaves);
  if (!y.requires_grad()) return ::testing::AssertionFailure() << "the result requires no gradient";
  std::vector<float> weight(static_cast<size_t>(y.numel()));
  for (float& w : weight) w = static_cast<float>(uniform() + (uniform() < 0 ? -0.5 : 0.5));
  backward(y, Tensor::from(weight, y.shape(), y.device()));
  double largest = 0;
  bool empty = y.numel() == 0;
  for (size_t which = 0; which < leaves.size(); ++which) {
    empty = empty || leaves[which].numel() == 0;
    const Tensor grad = leaves[which].grad();
    if (!grad.defined()) return ::testing::AssertionFailure() << "input " << which << " got no gradient";
    if (grad.shape() != leaves[which].shape()) {
      return ::testing::AssertionFailure() << "input " << which << " has shape " << to_string(leaves[which].shape())
                                           << ", its gradient " << to_string(grad.shape());
    }
    const std::vector<float> gradient = grad.to_vector<float>();
    const size_t step = gradient.size() / kAllCoordinates + 1;
    for (size_t i = 0; i < gradient.size(); i += step) {
      std::vector<double> direction(gradient.size());
      direction[i] = 1;
      auto result = agree(f, inputs, which, weight, gradient, direction, &largest);
      if (!result) return result << " (coordinate " << i << ")";
    }
    for (int d = 0; d < kDirections && !gradient.empty(); ++d) {
      std::vector<double> direction(gradient.size());
      for (double& u : direction) u = uniform();
      auto result = agree(f, inputs, which, weight, gradient, direction, &largest);
      if (!result) return result << " (direction " << d << ")";
    }
  }
  if (largest == 0 && !empty) return ::testing::AssertionFailure() << "every derivative is 0";
  return ::testing::AssertionSuccess();
}

}  // namespace tern::testing
