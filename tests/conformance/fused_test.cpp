// SPDX-License-Identifier: Apache-2.0
// Fused kernels against the compositions of plain ops that define them: values and gradients.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "conformance/op_cases.h"
#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/ops.h"

namespace tern::conformance {
namespace {

using Tensors = std::vector<Tensor>;
using Function = std::function<Tensor(const Tensors&)>;

struct Pair {
  const char* name;
  std::vector<Operand> inputs;
  Function fused, composed;
  double terms;  // of the longest sum
};

const std::vector<int> kLast = {-1};

Tensor composed_rms_norm(const Tensors& x) { return x[0] * rsqrt(add(mean(square(x[0]), kLast, true), 1e-5)) * x[1]; }

Tensor composed_softmax(const Tensor& x) {
  const Tensor e = exp(x - max(x, -1, true));
  return e / sum(e, kLast, true);
}

Tensor composed_cross_entropy(const Tensor& logits, const Tensor& targets) {
  const Tensor classes = Tensor::arange(logits.size(-1), DType::i64, logits.device());
  const Tensor log_p = log(composed_softmax(logits));
  const Tensor zero = Tensor::zeros({}, DType::f32, logits.device());
  return neg(mean(sum(where(equal(unsqueeze(targets, -1), classes), log_p, zero), kLast)));
}

Tensor composed_attention(const Tensors& x, double scale) {
  const int64_t batch = x[0].size(0), tokens = x[0].size(1), heads = x[0].size(2), dim = x[0].size(3);
  const int64_t kv_heads = x[1].size(2), group = heads / kv_heads;
  const auto by_head = [&](const Tensor& t, int64_t of_head) {
    const Tensor grouped = reshape(t, {batch, tokens, kv_heads, of_head, dim});
    return permute(expand(grouped, {batch, tokens, kv_heads, group, dim}), std::vector<int>{0, 2, 3, 1, 4});
  };
  const Tensor q = by_head(x[0], group), k = by_head(x[1], 1), v = by_head(x[2], 1);
  const Tensor position = Tensor::arange(tokens, DType::i64, x[0].device());
  const Tensor seen = less_equal(position, unsqueeze(position, 1));
  const Tensor hidden = Tensor::full({}, -std::numeric_limits<double>::infinity(), DType::f32, x[0].device());
  const Tensor p = composed_softmax(where(seen, mul(matmul(q, transpose(k)), scale), hidden));
  return reshape(permute(matmul(p, v), std::vector<int>{0, 3, 1, 2, 4}), {batch, tokens, heads, dim});
}

std::vector<Pair> pairs() {
  const auto targets = [](const Tensor& x) { return Tensor::from<int64_t>({3, 0, 32, 7, 7}, {5}, x.device()); };
  return {
      {"relu2_gate",
       {{{5, 33}}, {{5, 33}}},
       [](const Tensors& x) { return relu2_gate(x[0], x[1]); },
       [](const Tensors& x) { return relu2(x[0]) * x[1]; },
       1},
      {"rms_norm",
       {{{5, 33}}, {{33}}},
       [](const Tensors& x) { return rms_norm(x[0], x[1], 1e-5f); },
       composed_rms_norm,
       33},
      {"softmax",
       {{{5, 33}}},
       [](const Tensors& x) { return softmax(x[0]); },
       [](const Tensors& x) { return composed_softmax(x[0]); },
       33},
      {"linear",
       {{{2, 5, 33}}, {{7, 33}}},
       [](const Tensors& x) { return linear(x[0], x[1]); },
       [](const Tensors& x) { return matmul(x[0], transpose(x[1])); },
       33},
      {"cross_entropy",
       {{{5, 33}}},
       [=](const Tensors& x) { return cross_entropy(x[0], targets(x[0])); },
       [=](const Tensors& x) { return composed_cross_entropy(x[0], targets(x[0])); },
       40},
      {"attention",
       {{{2, 7, 4, 5}}, {{2, 7, 2, 5}}, {{2, 7, 2, 5}}},
       [](const Tensors& x) { return attention(x[0], x[1], x[2], 0.5f); },
       [](const Tensors& x) { return composed_attention(x, 0.5); },
       24},
  };
}

// Both are off by an ulp of the largest element per term.
void expect_near(const Tensor& a, const Tensor& b, double terms) {
  ASSERT_EQ(a.shape(), b.shape());
  const std::vector<float> x = a.to_vector<float>(), y = b.to_vector<float>();
  float largest = 0;
  for (const float value : y) largest = std::max(largest, std::abs(value));
  ASSERT_GT(largest, 0);
  for (size_t i = 0; i < x.size(); ++i)
    ASSERT_NEAR(x[i], y[i], 2 * 0x1p-23 * (terms + 8) * static_cast<double>(largest)) << i;
}

// The value, then the gradients.
Tensors evaluate(const Function& f, const Pair& pair, const Device& device) {
  const OpCase c{pair.name, pair.inputs, f, nullptr};
  Tensors leaves = bases(c, Layout::contiguous, device);
  for (Tensor& leaf : leaves) leaf.set_requires_grad();
  const Tensor y = f(leaves);
  std::vector<float> weight(static_cast<size_t>(y.numel()));
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(i % 7) / 4 - 0.625f;
  backward(y, Tensor::from(weight, y.shape(), device));
  Tensors out = {y};
  for (const Tensor& leaf : leaves) out.push_back(leaf.grad());
  return out;
}

TEST(Fused, AgreeWithTheirCompositions) {
  const Device device = testing::test_device();
  for (const Pair& pair : pairs()) {
    SCOPED_TRACE(pair.name);
    const Tensors fused = evaluate(pair.fused, pair, device), composed = evaluate(pair.composed, pair, device);
    for (size_t i = 0; i < fused.size(); ++i) {
      SCOPED_TRACE(i);
      expect_near(fused[i], composed[i], pair.terms);
    }
  }
}

// With the same two roundings the fused gate is the composed one to the bit.
TEST(Fused, Relu2GateIsItsCompositionExactly) {
  const Device device = testing::test_device();
  const OpCase c{"", {{{3, 37}}, {{3, 37}}}, nullptr, nullptr};
  const Tensors x = bases(c, Layout::contiguous, device);
  EXPECT_EQ(relu2_gate(x[0], x[1]).to_vector<float>(), (relu2(x[0]) * x[1]).to_vector<float>());
}

void expect_same(const QuantizedRows& a, const QuantizedRows& b) {
  EXPECT_EQ(a.shape, b.shape);
  EXPECT_EQ(a.q.to_vector<int8_t>(), b.q.to_vector<int8_t>());
  EXPECT_EQ(a.scale.to_vector<float>(), b.scale.to_vector<float>());
  EXPECT_EQ(a.sums.to_vector<int32_t>(), b.sums.to_vector<int32_t>());
}

// Any view and any leading axes.
TEST(Fused, NormQuantizeIsItsCompositionExactly) {
  const Device device = testing::test_device();
  const OpCase c{"", {{{2, 3, 37}}, {{2, 3, 37}}, {{37}}}, nullptr, nullptr};
  for (const Layout layout : kLayouts) {
    SCOPED_TRACE(name_of(layout));
    const Tensors x = bases(c, layout, device);
    const Tensor a = view(x[0], {2, 3, 37}, layout), b = view(x[1], {2, 3, 37}, layout), w = view(x[2], {37}, layout);
    expect_same(norm_quantize(a, w, 1e-5f), quantize_rows(rms_norm(a, w, 1e-5f)));
    expect_same(gate_norm_quantize(a, b, w, 1e-5f), quantize_rows(rms_norm(relu2_gate(a, b), w, 1e-5f)));
    const Tensor sum = a + b, taken = clone(a);
    expect_same(add_norm_quantize(taken, b, w, 1e-5f), quantize_rows(rms_norm(sum, w, 1e-5f)));
    EXPECT_EQ(taken.to_vector<float>(), sum.to_vector<float>());
  }
}

// Fewer queries than keys, as in decoding, and a cache longer than its content: the last rows of the full result.
TEST(Fused, AttentionOfTheLastQueriesOnACache) {
  const Device device = testing::test_device();
  const OpCase c{"", {{{2, 7, 4, 5}}, {{2, 9, 2, 5}}, {{2, 9, 2, 5}}}, nullptr, nullptr};
  const Tensors x = bases(c, Layout::contiguous, device);
  const Tensor k = slice(x[1], 1, 0, 7), v = slice(x[2], 1, 0, 7);
  const Tensor full = attention(x[0], contiguous(k), contiguous(v), 0.5f);
  for (const int64_t queries : {1, 2, 7}) {
    const Tensor last = attention(slice(x[0], 1, 7 - queries, 7), k, v, 0.5f);
    EXPECT_EQ(last.to_vector<float>(), slice(full, 1, 7 - queries, 7).to_vector<float>()) << queries;
  }
}

// linear promises that a row's bits do not depend on its neighbours.
TEST(Fused, LinearRowsAreIndependent) {
  const Device device = testing::test_device();
  const OpCase c{"", {{{13, 67}}, {{35, 67}}}, nullptr, nullptr};
  const Tensors x = bases(c, Layout::contiguous, device);
  const Tensor all = linear(x[0], x[1]);
  for (int64_t row = 0; row < 13; ++row) {
    EXPECT_EQ(linear(select(x[0], 0, row), x[1]).to_vector<float>(), select(all, 0, row).to_vector<float>()) << row;
  }
}

}  // namespace
}  // namespace tern::conformance
