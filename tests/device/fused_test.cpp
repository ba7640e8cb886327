// SPDX-License-Identifier: Apache-2.0
// The fused pointwise kernels: squared-ReLU gate, AdamW, and the sums over everything.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/awkward.h"
#include "support/reference_pointwise.h"

namespace tern {
namespace {

using testing::awkward_floats;
using testing::awkward_sizes;
using testing::Floats;
using testing::normal_floats;
using testing::run_kernel;
using testing::same_everywhere;

float relu(float x) { return x < 0 ? 0.0f : x; }

TEST(Relu2Gate, IsTheProductOfIeeeOperations) {
  for (const int64_t size : awkward_sizes()) {
    const Floats gate = awkward_floats(size, 1), up = awkward_floats(size, 2);
    const Floats y = same_everywhere([&](const Device& device) {
      Floats out(gate.size());
      run_kernel(device, &Kernels::relu2_gate, {size, gate.data(), up.data(), out.data()});
      return out;
    });
    Floats expected;
    for (size_t i = 0; i < y.size(); ++i) expected.push_back(relu(gate[i]) * relu(gate[i]) * up[i]);
    for (size_t i = 0; i < y.size(); ++i) {
      ASSERT_TRUE(y[i] == expected[i] || (y[i] != y[i] && expected[i] != expected[i])) << gate[i] << " " << up[i];
    }
  }
}

TEST(Relu2Gate, GradientIsTheDerivative) {
  for (const int64_t size : awkward_sizes()) {
    const Floats gate = normal_floats(size, 1), up = normal_floats(size, 2), dy = normal_floats(size, 3);
    const Floats both = same_everywhere([&](const Device& device) {
      Floats out(2 * gate.size());
      run_kernel(device, &Kernels::relu2_gate_backward,
                 {size, gate.data(), up.data(), dy.data(), out.data(), out.data() + size});
      return out;
    });
    for (size_t i = 0; i < gate.size(); ++i) {
      const double r = relu(gate[i]);
      EXPECT_LE(reference::ulps(both[i], double{dy[i]} * up[i] * 2 * r), 1.5);
      EXPECT_LE(reference::ulps(both[gate.size() + i], dy[i] * r * r), 1.5);
    }
  }
}

TEST(SumSquares, AddsInDoubleInTheDocumentedOrder) {
  const std::vector<int64_t> sizes = {0, 1, 15, 16, 17, 4095, 4096, 4097, 100003, 0, 5000011};
  std::vector<Floats> all;
  std::vector<SumSquaresTensor> list;
  std::vector<double> expected;
  for (const int64_t size : sizes) {
    const Floats& x = all.emplace_back(normal_floats(size, 1));
    list.push_back({size, x.data()});
    double sum = 0;
    for (size_t begin = 0; begin < x.size(); begin += 4096) {
      sum += reference::lanes_sum<double>(begin, std::min(begin + 4096, x.size()), [&](size_t i) {
        return static_cast<double>(x[i]) * static_cast<double>(x[i]);  // exact
      });
    }
    expected.push_back(sum);
  }
  for (const Device& device : testing::cpus()) {
    std::vector<double> y(list.size(), -1);
    run_kernel(device, &Kernels::sum_squares, {std::ssize(list), list.data(), y.data()});
    EXPECT_EQ(y, expected) << device.description();
  }
}

TEST(AbsSum, AddsInDoubleInTheDocumentedOrder) {
  std::vector<Floats> all;
  std::vector<AbsSumMatrix> list;
  std::vector<double> expected;
  for (const int64_t rows : {0, 1, 3, 1023, 1025}) {
    for (const int64_t cols : {1, 7, 16, 63, 129}) {
      const Floats& x = all.emplace_back(normal_floats(rows * cols, 1));
      list.push_back({rows, cols, x.data()});
      double sum = 0;
      for (size_t begin = 0; begin < x.size(); begin += static_cast<size_t>(cols)) {
        sum += reference::lanes_sum<double>(begin, begin + static_cast<size_t>(cols),
                                            [&](size_t i) { return std::fabs(static_cast<double>(x[i])); });
      }
      expected.push_back(sum);
    }
  }
  for (const Device& device : testing::cpus()) {
    std::vector<double> y(list.size(), -1);
    run_kernel(device, &Kernels::abs_sum, {std::ssize(list), list.data(), y.data()});
    EXPECT_EQ(y, expected) << device.description();
  }
}

struct Adam {
  Floats p, m, v;
};

// PyTorch's operations one by one, each rounded to f32.
void adamw_step(Adam& s, const Floats& grad, const AdamwArgs& a) {
  const auto keep = static_cast<float>(1 - a.lr * a.weight_decay);
  const auto step = static_cast<float>(a.lr / (1 - std::pow(a.beta1, static_cast<double>(a.step))));
  const auto root2 = static_cast<float>(std::sqrt(1 - std::pow(a.beta2, static_cast<double>(a.step))));
  const auto blend1 = static_cast<float>(1 - a.beta1), blend2 = static_cast<float>(1 - a.beta2);
  for (size_t i = 0; i < grad.size(); ++i) {
    const float g = grad[i] * static_cast<float>(a.grad_scale);
    const float p = s.p[i] * keep;
    s.m[i] = std::fma(blend1, g - s.m[i], s.m[i]);
    const float kept = s.v[i] * static_cast<float>(a.beta2);
    const float fresh = blend2 * g * g;
    s.v[i] = kept + fresh;
    const float denominator = std::sqrt(s.v[i]) / root2 + static_cast<float>(a.eps);
    s.p[i] = p - step * s.m[i] / denominator;
  }
}

Floats adamw_steps(const Device& device, int64_t size, int steps) {
  Adam s = {normal_floats(size, 1), Floats(static_cast<size_t>(size)), Floats(static_cast<size_t>(size))};
  for (int step = 1; step <= steps; ++step) {
    const Floats grad = normal_floats(size, 10 + static_cast<uint32_t>(step), 1e-3f);
    // In three pieces, one of them empty.
    const int64_t first = size / 3;
    const auto piece = [&](int64_t begin, int64_t count) {
      return AdamwTensor{count, s.p.data() + begin, s.m.data() + begin, s.v.data() + begin, grad.data() + begin};
    };
    const AdamwTensor pieces[] = {piece(0, first), piece(first, 0), piece(first, size - first)};
    run_kernel(device, &Kernels::adamw, {3, pieces, 0.5, 1e-3, 0.9, 0.95, 1e-8, 0.1, step});
  }
  Floats all = s.p;
  all.insert(all.end(), s.m.begin(), s.m.end());
  all.insert(all.end(), s.v.begin(), s.v.end());
  return all;
}

TEST(Adamw, FollowsPyTorchsOrderOfOperations) {
  for (const int64_t size : awkward_sizes()) {
    const Floats all = same_everywhere([&](const Device& device) { return adamw_steps(device, size, 3); });
    Adam s = {normal_floats(size, 1), Floats(static_cast<size_t>(size)), Floats(static_cast<size_t>(size))};
    AdamwArgs args = {};
    args.grad_scale = 0.5, args.lr = 1e-3, args.beta1 = 0.9, args.beta2 = 0.95, args.eps = 1e-8;
    args.weight_decay = 0.1;
    for (args.step = 1; args.step <= 3; ++args.step) {
      adamw_step(s, normal_floats(size, 10 + static_cast<uint32_t>(args.step), 1e-3f), args);
    }
    Floats expected = s.p;
    expected.insert(expected.end(), s.m.begin(), s.m.end());
    expected.insert(expected.end(), s.v.begin(), s.v.end());
    EXPECT_TRUE(testing::same_bits(all, expected)) << size;
  }
}

TEST(Adamw, FirstStepMovesByTheLearningRate) {
  // With m = v = 0 the first step is lr·g/(|g| + eps) whatever the gradient's size.
  for (const Device& device : testing::cpus()) {
    Floats p = {1, 1, 1}, m(3), v(3);
    const Floats grad = {5.0f, -0.01f, 0.0f};
    const AdamwTensor all = {3, p.data(), m.data(), v.data(), grad.data()};
    run_kernel(device, &Kernels::adamw, {1, &all, 1.0, 0.25, 0.9, 0.95, 1e-8, 0.0, 1});
    EXPECT_NEAR(p[0], 0.75f, 1e-5f);
    EXPECT_NEAR(p[1], 1.25f, 1e-5f);
    EXPECT_EQ(p[2], 1.0f);
  }
}

}  // namespace
}  // namespace tern
