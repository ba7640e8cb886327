// SPDX-License-Identifier: Apache-2.0
// Normalization and ternary product in one op against the two, bit for bit.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr float kEps = 1e-5f;

const Device& device() {
  static const Device instance = testing::test_device();
  return instance;
}

std::vector<uint32_t> bits(const Tensor& x) {
  std::vector<uint32_t> all;
  for (const float value : x.to_vector<float>()) all.push_back(std::bit_cast<uint32_t>(value));
  return all;
}

void expect_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].shape(), b[i].shape()) << i;
    EXPECT_EQ(bits(a[i]), bits(b[i])) << i;
  }
}

// Rows of many sizes; every seventh, from the third on, has a NaN or infinities.
std::vector<float> awkward_rows(int64_t rows, int64_t cols, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(rows * cols));
  for (int64_t row = 0; row < rows; ++row) {
    const auto begin = static_cast<size_t>(row * cols), end = begin + static_cast<size_t>(cols);
    const int exponent = static_cast<int>(random() % 30) - 15;
    for (size_t i = begin; i < end; ++i) x[i] = std::ldexp(normal(random), exponent);
    if (row % 7 == 2 && cols > 0) {
      const float special =
          row % 2 == 0 ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
      x[begin + random() % static_cast<size_t>(cols)] = special;
    }
  }
  return x;
}

PackedTernary weights(int64_t n, int64_t k, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int8_t> codes(static_cast<size_t>(n * k));
  for (int8_t& code : codes) code = static_cast<int8_t>(static_cast<int>(random() % 3) - 1);
  return pack_ternary(Tensor::from(codes, {n, k}, device()), 0.37f + static_cast<float>(n) / 64);
}

struct Operands {
  Tensor x, y, norm;
};

// `shift` elements from where memory is aligned.
Operands operands(int64_t rows, int64_t cols, int64_t shift = 0) {
  const auto shifted = [&](const std::vector<float>& values, const Shape& shape) {
    std::vector<float> longer(static_cast<size_t>(shift), 0.0f);
    longer.insert(longer.end(), values.begin(), values.end());
    const auto count = static_cast<int64_t>(longer.size());
    return reshape(slice(Tensor::from(longer, {count}, device()), 0, shift, count), shape);
  };
  return {shifted(awkward_rows(rows, cols, 1), {rows, cols}), shifted(awkward_rows(rows, cols, 2), {rows, cols}),
          shifted(awkward_rows(1, cols, 3), {cols})};
}

void expect_compositions(const Operands& o, std::initializer_list<const PackedTernary*> weights) {
  expect_same(norm_ternary_linear(o.x, o.norm, kEps, weights),
              ternary_linear(norm_quantize(o.x, o.norm, kEps), weights));
  const std::vector<uint32_t> x = bits(o.x), y = bits(o.y);
  const Tensor sum = clone(o.x);
  const std::vector<Tensor> of_sum = ternary_linear(add_norm_quantize(sum, o.y, o.norm, kEps), weights);
  const AddedTernary added = add_norm_ternary_linear(o.x, o.y, o.norm, kEps, weights);
  expect_same(added.results, of_sum);
  EXPECT_EQ(bits(added.sum), bits(sum));
  EXPECT_EQ(bits(o.x), x);
  EXPECT_EQ(bits(o.y), y);
  const PackedTernary& first = **weights.begin();
  expect_same({gate_norm_ternary_linear(o.x, o.y, o.norm, kEps, first)},
              {ternary_linear(gate_norm_quantize(o.x, o.y, o.norm, kEps), first)});
  const Tensor residual = of_sum[0];
  expect_same({residual_norm_ternary_linear(residual, {}, o.x, o.norm, kEps, first)},
              {residual + ternary_linear(norm_quantize(o.x, o.norm, kEps), first)});
  expect_same({residual_norm_ternary_linear(residual, o.x, o.y, o.norm, kEps, first)},
              {residual + gate_norm_ternary_linear(o.x, o.y, o.norm, kEps, first)});
}

TEST(NormTernary, IsItsCompositionExactly) {
  for (const int64_t cols : {1, 4, 15, 16, 17, 64, 100, 132, 2560, 6912, 6913, 20000}) {
    const PackedTernary a = weights(1, cols, 5), b = weights(15, cols, 6), c = weights(17, cols, 7),
                        d = weights(cols < 20000 ? 700 : 33, cols, 8);
    for (const int64_t rows : {0, 1, 2, 3, 4, 7, 8, 9, 33}) {
      SCOPED_TRACE(::testing::Message() << rows << " x " << cols);
      const Operands o = operands(rows, cols);
      expect_compositions(o, {&d});
      if (rows == 9) continue;
      expect_compositions(o, {&a});
      expect_compositions(o, {&c, &d});
      expect_compositions(o, {&b, &a, &d});
      expect_compositions(o, {&d, &a, &b, &c});
    }
  }
}

// relu2_gate of what a product gives, whether or not the device gates in it.
TEST(NormTernary, GatesTheSame) {
  const auto relu2 = [](const Gated& gated) {
    return gated.gate.defined() ? relu2_gate(gated.gate, gated.up) : gated.up;
  };
  for (const int64_t cols : {1, 17, 640, 40000}) {
    for (const int64_t n : {1, 15, 64, 65, 200}) {
      const PackedTernary gate = weights(n, cols, 5), up = weights(n, cols, 6), down = weights(9, n, 7);
      const Tensor norm = Tensor::full({n}, 1.25, DType::f32, device());
      for (const int64_t rows : {0, 1, 4, 32, 33, 127, 130}) {
        if (rows > 33 && cols > 640) continue;
        SCOPED_TRACE(::testing::Message() << rows << " x " << n << " x " << cols);
        const Operands o = operands(rows, cols);
        const std::vector<Tensor> both = norm_ternary_linear(o.x, o.norm, kEps, {&gate, &up});
        const Gated gated = norm_gated_ternary_linear(o.x, o.norm, kEps, gate, up);
        expect_same({relu2(gated)}, {relu2_gate(both[0], both[1])});
        expect_same({gate_norm_ternary_linear(gated.gate, gated.up, norm, kEps, down)},
                    {gate_norm_ternary_linear(both[0], both[1], norm, kEps, down)});
        const AddedTernary added = add_norm_ternary_linear(o.x, o.y, o.norm, kEps, {&gate, &up});
        const AddedGated added_gated = add_norm_gated_ternary_linear(o.x, o.y, o.norm, kEps, gate, up);
        expect_same({added_gated.sum, relu2(added_gated.results)},
                    {added.sum, relu2_gate(added.results[0], added.results[1])});
      }
    }
  }
}

// Rows at any place in memory, and any number of other rows.
TEST(NormTernary, OfARowAnywhere) {
  const PackedTernary w = weights(48, 640, 1);
  const Operands all = operands(33, 640);
  const std::vector<uint32_t> expected = bits(norm_ternary_linear(all.x, all.norm, kEps, {&w})[0]);
  for (const int64_t shift : {0, 1, 4, 5}) expect_compositions(operands(3, 640, shift), {&w});
  for (int64_t row = 0; row < 33; ++row) {
    const Tensor one = norm_ternary_linear(slice(all.x, 0, row, row + 1), all.norm, kEps, {&w})[0];
    EXPECT_EQ(bits(one), std::vector(expected.begin() + row * 48, expected.begin() + (row + 1) * 48)) << row;
  }
}

// One row at a time and four: of zeros, so small or large that squares of its numbers or their sum are not plain
// numbers any more, not finite; and beside gains that are not.
TEST(NormTernary, OfExtremes) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const int64_t cols : {4, 640, 6912}) {
    const PackedTernary w = weights(48, cols, 1);
    for (const float gain : {1.25f, 0x1p-100f, 0x1p100f, nan, inf}) {
      for (const float size :
           {0.0f, 0x1p-149f, 0x1p-80f, 0x1p-45f, 0x1p-39f, 0x1p39f, 0x1p45f, 0x1p80f, 0x1p127f, inf, nan}) {
        for (const bool everywhere : {false, true}) {
          SCOPED_TRACE(::testing::Message()
                       << cols << " columns, gain " << gain << ", size " << size << " " << everywhere);
          std::vector<float> x = awkward_rows(4, cols, 1), norm(static_cast<size_t>(cols), 0.75f);
          for (size_t i = 0; i < x.size(); i += everywhere ? 1 : static_cast<size_t>(cols)) {
            x[i] = everywhere ? std::copysign(size, x[i]) : size;
          }
          norm[1] = gain;
          const Tensor all = Tensor::from(x, {4, cols}, device()), gains = Tensor::from(norm, {cols}, device());
          for (const int64_t rows : {1, 4}) {
            const Tensor some = slice(all, 0, 0, rows);
            expect_compositions({some, some, gains}, {&w});
          }
        }
      }
    }
  }
}

TEST(NormTernary, KeepsTheLeadingShape) {
  const PackedTernary w = weights(3, 8, 1);
  const Tensor x = reshape(operands(6, 8).x, {2, 3, 8}), norm = Tensor::full({8}, 1.0, DType::f32, device());
  EXPECT_EQ(norm_ternary_linear(x, norm, kEps, {&w})[0].shape(), (Shape{2, 3, 3}));
  const AddedTernary added = add_norm_ternary_linear(x, x, norm, kEps, {&w, &w});
  EXPECT_EQ(added.sum.shape(), x.shape());
  EXPECT_EQ(added.results[1].shape(), (Shape{2, 3, 3}));
}

// The shapes of a model, large enough that blocks have several rows of tiles.
TEST(NormTernary, OfManyOutputs) {
  const PackedTernary wide = weights(13824, 640, 1), tall = weights(2600, 6912, 2);
  for (const int64_t rows : {1, 4, 20, 32}) {
    SCOPED_TRACE(rows);
    expect_compositions(operands(rows, 640), {&wide});
    expect_compositions(operands(rows, 6912), {&tall});
  }
}

// Of one column all is known: three operations and two products, each rounded, of numbers of every size; among them
// roots whose bits are all ones, which are the ones that short forms of reciprocals get wrong.
TEST(RmsNorm, RoundsEachOperation) {
  std::mt19937 random(1);
  std::vector<float> x = {0.0f, 0x1p-149f, 0x1p-60f, 0x1p60f, 0x1p127f};
  for (int exponent = -60; exponent < 60; ++exponent) {
    for (int below = 1; below < 6; ++below) x.push_back(std::ldexp(2.0f - std::ldexp(1.0f, below - 24), exponent));
    x.push_back(std::ldexp(1.0f + static_cast<float>(random() % 1000) / 1000, exponent));
  }
  const auto rows = static_cast<int64_t>(x.size());
  for (const float eps : {0.0f, kEps}) {
    const Tensor y = rms_norm(Tensor::from(x, {rows, 1}, device()), Tensor::full({1}, 1.5, DType::f32, device()), eps);
    const std::vector<float> got = y.to_vector<float>();
    for (size_t i = 0; i < x.size(); ++i) {
      const float inverse = 1.0f / std::sqrt(x[i] * x[i] + eps), expected = x[i] * inverse * 1.5f;
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(got[i])) << x[i];
      } else {
        EXPECT_EQ(got[i], expected) << x[i] << " " << eps;
      }
    }
  }
}

}  // namespace
}  // namespace tern
