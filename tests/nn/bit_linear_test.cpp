// SPDX-License-Identifier: Apache-2.0
#include "nn/bit_linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "support/test_device.h"
#include "tern/autograd.h"

namespace tern {
namespace {

std::vector<float> gaussian(int64_t count, unsigned seed, float deviation) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0f, deviation);
  std::vector<float> out(static_cast<size_t>(count));
  for (float& x : out) x = normal(engine);
  return out;
}

struct Case {
  int64_t rows, in, out;
};

const Case kCases[] = {{1, 1, 1}, {1, 7, 3}, {3, 63, 17}, {5, 64, 64}, {2, 65, 129}, {9, 127, 31}, {33, 352, 128}};

// y = x̂·ŵᵀ in double from the quantized values that the int path uses.
std::vector<double> naive(const QuantizedRows& xq, const TernaryCodes& w, const Case& c) {
  const std::vector<int8_t> q = xq.q.to_vector<int8_t>(), codes = w.codes.to_vector<int8_t>();
  const std::vector<float> scale = xq.scale.to_vector<float>();
  const int64_t stride = xq.q.size(1);
  std::vector<double> y;
  for (int64_t r = 0; r < c.rows; ++r) {
    for (int64_t j = 0; j < c.out; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < c.in; ++k) sum += double(q[size_t(r * stride + k)]) * codes[size_t(j * c.in + k)];
      y.push_back(sum * static_cast<double>(w.scale) / static_cast<double>(scale[size_t(r)]));
    }
  }
  return y;
}

TEST(BitLinear, ForwardIsTheIntegerProductWithOneScale) {
  const Device device = testing::test_device();
  for (const Case& c : kCases) {
    const BitLinear linear(Tensor::from(gaussian(c.out * c.in, 1, 0.02f), {c.out, c.in}, device),
                           find_weight_scheme("absmean"));
    const Tensor x = Tensor::from(gaussian(c.rows * c.in, 2, 1.0f), {c.rows, c.in}, device);
    const QuantizedRows xq = quantize_rows(x);
    const std::vector<double> want = naive(xq, linear.codes(), c);
    const std::vector<float> got = linear.forward(x, xq, false).to_vector<float>();
    // The sum is exact below 2^24; the quotient of the scales and the product round once each.
    for (size_t i = 0; i < want.size(); ++i)
      EXPECT_NEAR(got[i], want[i], std::fabs(want[i]) * 2.5e-7) << c.in << " " << i;
  }
}

TEST(BitLinear, TrainingAndInferenceGiveTheSameBits) {
  const Device device = testing::test_device();
  for (const Case& c : kCases) {
    BitLinear trains(Tensor::from(gaussian(c.out * c.in, 1, 0.02f), {c.out, c.in}, device),
                     find_weight_scheme("absmean"));
    const BitLinear runs(trains.packed());
    Tensor x = Tensor::from(gaussian(c.rows * c.in, 2, 1.0f), {c.rows, c.in}, device);
    x.set_requires_grad();
    const QuantizedRows xq = quantize_rows(x.detach());
    const Tensor y = trains.forward(x, xq, true);
    EXPECT_TRUE(y.requires_grad());
    EXPECT_EQ(y.to_vector<float>(), runs.forward(x.detach(), xq, false).to_vector<float>());
    backward(sum(y));
    EXPECT_EQ(trains.master().grad().shape(), (Shape{c.out, c.in}));
    EXPECT_EQ(x.grad().shape(), (Shape{c.rows, c.in}));
  }
}

TEST(BitLinear, RequantizeFollowsTheMaster) {
  const Device device = testing::test_device();
  BitLinear linear(Tensor::from({1.0f, -1.0f, 0.1f, 1.9f}, {2, 2}, device), find_weight_scheme("absmean"));
  EXPECT_EQ(linear.codes().codes.to_vector<int8_t>(), (std::vector<int8_t>{1, -1, 0, 1}));
  assign(linear.master().detach(), Tensor::from({-3.0f, 0.0f, 1.0f, 0.0f}, {2, 2}, device));
  linear.requantize();
  EXPECT_EQ(linear.codes().codes.to_vector<int8_t>(), (std::vector<int8_t>{-1, 0, 1, 0}));
  EXPECT_EQ(linear.codes().scale, 1.0f);
}

TEST(BitLinear, RequantizesManyAsEachAlone) {
  const Device device = testing::test_device();
  const WeightScheme& scheme = find_weight_scheme("absmean");
  std::vector<BitLinear> alone, together;
  for (const Case& c : kCases) {
    for (std::vector<BitLinear>* layers : {&alone, &together}) {
      layers->emplace_back(Tensor::from(gaussian(c.out * c.in, 1, 0.02f), {c.out, c.in}, device), scheme);
      assign(layers->back().master().detach(), Tensor::from(gaussian(c.out * c.in, 9, 0.05f), {c.out, c.in}, device));
    }
  }
  alone.emplace_back(alone[0].packed());  // has no master, and stays as it is
  together.emplace_back(alone[0].packed());
  std::vector<BitLinear*> list;
  for (BitLinear& layer : together) list.push_back(&layer);
  BitLinear::requantize(list);
  for (size_t i = 0; i < alone.size(); ++i) {
    alone[i].requantize();
    const TernaryCodes codes = alone[i].codes();
    EXPECT_EQ(together[i].packed().scale, codes.scale) << i;
    EXPECT_EQ(together[i].packed().bytes.to_vector<uint8_t>(),
              pack_ternary(codes.codes, codes.scale).bytes.to_vector<uint8_t>())
        << i;
  }
}

}  // namespace
}  // namespace tern
