// SPDX-License-Identifier: Apache-2.0
// Misuse: each op names itself, the input at fault and what it got.
#include <gtest/gtest.h>

#include <limits>

#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;
using Axes = std::vector<int>;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor zeros(const Shape& shape, DType dtype = DType::f32) { return Tensor::zeros(shape, dtype, cpu()); }
Tensor ids(const std::vector<int64_t>& values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, cpu());
}

TEST(Errors, OfEveryOpGivenAnUndefinedTensor) {
  const Tensor none, x = zeros({2, 2});
  EXPECT_TRUE(fails_with("[add] expected b to be defined", [&] { add(x, none); }));
  EXPECT_TRUE(fails_with("[div] expected a to be defined", [&] { div(none, x); }));
  EXPECT_TRUE(fails_with("[div] expected b to be defined", [&] { div(x, none); }));
  EXPECT_TRUE(fails_with("[exp] expected x to be defined", [&] { exp(none); }));
  EXPECT_TRUE(fails_with("[mul] expected a to be defined", [&] { mul(none, 2.0); }));
  EXPECT_TRUE(fails_with("[where] expected condition to be defined", [&] { where(none, x, x); }));
  EXPECT_TRUE(fails_with("[sum] expected x to be defined", [&] { sum(none); }));
  EXPECT_TRUE(fails_with("[reshape] expected x to be defined", [&] { reshape(none, {1}); }));
  EXPECT_TRUE(fails_with("[matmul] expected b to be defined", [&] { matmul(x, none); }));
  EXPECT_TRUE(fails_with("[softmax]", [&] { softmax(none); }));
  EXPECT_TRUE(fails_with("[attention] expected q to be defined", [&] { attention(none, x, x, 1); }));
  EXPECT_TRUE(fails_with("[embedding]", [&] { embedding(x, none); }));
  EXPECT_TRUE(fails_with("[cross_entropy]", [&] { cross_entropy(none, ids({0})); }));
  EXPECT_TRUE(fails_with("[quantize_rows]", [&] { quantize_rows(none); }));
  EXPECT_TRUE(fails_with("[norm_quantize] expected weight to be defined", [&] { norm_quantize(x, none, 1e-5f); }));
  EXPECT_TRUE(fails_with("[add_norm_quantize] expected y", [&] { add_norm_quantize(x, none, x, 1e-5f); }));
  EXPECT_TRUE(fails_with("[gate_norm_quantize] expected gate", [&] { gate_norm_quantize(none, x, x, 1e-5f); }));
  EXPECT_TRUE(fails_with("[unpack_ternary]", [&] { unpack_ternary({}); }));
  EXPECT_TRUE(fails_with("[assign]", [&] { assign(x, none); }));
}

TEST(Errors, OfFusedNorms) {
  const Tensor x = zeros({2, 3}), w = zeros({3});
  EXPECT_TRUE(fails_with("expected weight of shape [3], got [2]", [&] { norm_quantize(x, zeros({2}), 1e-5f); }));
  EXPECT_TRUE(fails_with("expected x of dtype f32", [&] { norm_quantize(zeros({2, 3}, DType::f16), w, 1e-5f); }));
  EXPECT_TRUE(fails_with("expected y of shape [2, 3], got [3]", [&] { add_norm_quantize(x, w, w, 1e-5f); }));
  EXPECT_TRUE(fails_with("contiguous x", [&] { add_norm_quantize(transpose(x), transpose(x), zeros({2}), 1e-5f); }));
  EXPECT_TRUE(fails_with("expected up of shape [2, 3], got [3]", [&] { gate_norm_quantize(x, w, w, 1e-5f); }));

  const PackedTernary packed = pack_ternary(zeros({4, 3}, DType::i8), 1.0f),
                      other = pack_ternary(zeros({4, 2}, DType::i8), 1.0f);
  EXPECT_TRUE(fails_with("[norm_ternary_linear] expected weight of shape [3]",
                         [&] { norm_ternary_linear(x, zeros({2}), 1e-5f, {&packed}); }));
  EXPECT_TRUE(fails_with("[norm_ternary_linear] expected x [..., 2], got [2, 3]", [&] {
    norm_ternary_linear(x, w, 1e-5f, {&packed, &other});
  }));
  EXPECT_TRUE(fails_with("[norm_ternary_linear] expected 1 to 4 matrices, got 0",
                         [&] { norm_ternary_linear(x, w, 1e-5f, {}); }));
  EXPECT_TRUE(fails_with("[add_norm_ternary_linear] expected y of shape [2, 3], got [3]",
                         [&] { add_norm_ternary_linear(x, w, w, 1e-5f, {&packed}); }));
  EXPECT_TRUE(fails_with("[gate_norm_ternary_linear] expected up of shape [2, 3], got [3]",
                         [&] { gate_norm_ternary_linear(x, w, w, 1e-5f, packed); }));
}

TEST(Errors, OfDtypesAndDevices) {
  const Device other = testing::test_device();
  const Tensor truths = zeros({2}, DType::boolean);
  EXPECT_TRUE(fails_with("[sub] expected numbers, got two tensors of dtype bool", [&] { sub(truths, truths); }));
  EXPECT_TRUE(fails_with("[neg] expected x of an integer or a float or a complex dtype, got bool", [&] { neg(truths); }));
  EXPECT_TRUE(fails_with("[mul] expected a number that fits i32, got 0.5", [] { mul(zeros({2}, DType::i32), 0.5); }));
  EXPECT_TRUE(
      fails_with("[add] expected b on the device of a", [&] { add(zeros({2}), to_device(zeros({2}), other)); }));
  EXPECT_TRUE(fails_with("[relu] expected x of a float dtype, got i32", [] { relu(zeros({2}, DType::i32)); }));
  EXPECT_TRUE(fails_with("[where] expected condition of dtype bool, got f32",
                         [] { where(zeros({2}), zeros({2}), zeros({2})); }));
  EXPECT_TRUE(fails_with("[linear] expected x of dtype f32, got bf16", [] {
    linear(zeros({2}, DType::bf16), zeros({2, 2}));
  }));
}

TEST(Errors, OfShapes) {
  EXPECT_TRUE(fails_with("[sub] expected shapes that broadcast, got [2, 3] and [2]", [] {
    sub(zeros({2, 3}), zeros({2}));
  }));
  EXPECT_TRUE(fails_with("[matmul] expected [..., m, k] and [..., k, n], got [2, 3] and [2, 3]", [] {
    matmul(zeros({2, 3}), zeros({2, 3}));
  }));
  EXPECT_TRUE(fails_with("[matmul] expected a with at least 1 axes, got shape []", [] {
    matmul(zeros({}), zeros({3, 2}));
  }));
  EXPECT_TRUE(fails_with("[matmul] expected shapes that broadcast, got [2] and [3]", [] {
    matmul(zeros({2, 1, 1}), zeros({3, 1, 1}));
  }));
  EXPECT_TRUE(fails_with("[linear] expected x [..., k] and w [n, k]", [] { linear(zeros({2, 3}), zeros({5, 2})); }));
  EXPECT_TRUE(fails_with("[rms_norm] expected weight of shape [3], got [2]", [] {
    rms_norm(zeros({2, 3}), zeros({2}), 1e-5f);
  }));
  EXPECT_TRUE(fails_with("[rms_norm] expected x with at least 1 axes", [] { rms_norm(zeros({}), zeros({1}), 1e-5f); }));
  EXPECT_TRUE(fails_with("[relu2_gate] expected up of shape [2, 3], got [3]", [] {
    relu2_gate(zeros({2, 3}), zeros({3}));
  }));
  EXPECT_TRUE(fails_with("[ternary_codes] expected w with 2 axes", [] { ternary_codes(zeros({3}), 1.0f); }));
}

TEST(Errors, OfAxesAndElements) {
  EXPECT_TRUE(fails_with("[sum] expected an axis in [-2, 2), got 2", [] { sum(zeros({2, 3}), Axes{2}); }));
  EXPECT_TRUE(fails_with("[sum] expected each axis once, got axis 1 twice", [] { sum(zeros({2, 3}), Axes{1, -1}); }));
  EXPECT_TRUE(fails_with("[max] expected at least one element on axis 0", [] { max(zeros({0, 3}), 0); }));
  EXPECT_TRUE(fails_with("[argmin] expected at least one element on axis 1", [] { argmin(zeros({2, 0}), 1); }));
  EXPECT_TRUE(fails_with("[max] expected an axis", [] { max(zeros({}), 0); }));
}

TEST(Errors, OfViews) {
  EXPECT_TRUE(fails_with("[reshape] expected a shape of 6 elements, got [4]", [] { reshape(zeros({2, 3}), {4}); }));
  EXPECT_TRUE(fails_with("[reshape] expected a shape of 6 elements, got [4, -1]", [] {
    reshape(zeros({2, 3}), {4, -1});
  }));
  EXPECT_TRUE(fails_with("at most one -1, got [-1, -1]", [] { reshape(zeros({2, 3}), {-1, -1}); }));
  EXPECT_TRUE(fails_with("got [-2, 3]", [] { reshape(zeros({2, 3}), {-2, 3}); }));
  EXPECT_TRUE(fails_with("[reshape]", [] { reshape(zeros({0}), {0, -1}); }));
  EXPECT_TRUE(fails_with("[reshape]", [] { reshape(zeros({1}), {int64_t{1} << 40, int64_t{1} << 40}); }));
  EXPECT_TRUE(fails_with("[permute] expected 2 axes, got 1", [] { permute(zeros({2, 3}), Axes{0}); }));
  EXPECT_TRUE(fails_with("[permute] expected each axis once, got axis 0 twice", [] {
    permute(zeros({2, 3}), Axes{0, -2});
  }));
  EXPECT_TRUE(fails_with("[transpose] expected an axis in [-1, 1), got -2", [] { transpose(zeros({3})); }));
  EXPECT_TRUE(fails_with("[slice] expected a step other than 0", [] { slice(zeros({3}), 0, 0, 1, 0); }));
  EXPECT_TRUE(fails_with("[select] expected an index in [-3, 3) of axis 0, got 3", [] { select(zeros({3}), 0, 3); }));
  EXPECT_TRUE(fails_with("[select]", [] { select(zeros({0}), 0, 0); }));
  EXPECT_TRUE(fails_with("[squeeze] expected an extent of 1 on axis 1, got shape [1, 2]", [] {
    squeeze(zeros({1, 2}), 1);
  }));
  EXPECT_TRUE(fails_with("[expand] expected a shape that [3] broadcasts to, got [1]", [] { expand(zeros({3}), {1}); }));
  EXPECT_TRUE(fails_with("[expand]", [] { expand(zeros({2, 3}), {3}); }));
  EXPECT_TRUE(fails_with("[concat] expected at least one part", [] { concat({}, 0); }));
  EXPECT_TRUE(fails_with("[concat] expected part of shape [2, 3], got [3, 3]", [] {
    concat(std::vector<Tensor>{zeros({2, 3}), zeros({3, 3})}, 1);
  }));
}

TEST(Errors, OfAssign) {
  Tensor leaf = zeros({2});
  leaf.set_requires_grad();
  EXPECT_TRUE(fails_with("[assign] expected tensors outside any graph", [&] { assign(leaf, zeros({2})); }));
  EXPECT_TRUE(fails_with("[assign]", [&] { assign(zeros({2}), leaf); }));
  EXPECT_TRUE(fails_with("elements of its own, got one that axis 0 repeats",
                         [] { assign(expand(zeros({1}), {3}), zeros({3})); }));
  EXPECT_TRUE(fails_with("[expand]", [] { assign(zeros({2}), zeros({3})); }));
}

TEST(Errors, NameTheIdOutOfRangeAndItsPlace) {
  const Tensor table = zeros({5, 2});
  const Tensor grid = Tensor::from<int64_t>({0, 1, 2, 3, 4, 5}, {2, 3}, cpu());
  EXPECT_TRUE(fails_with("[embedding] expected ids in [0, 5), got 5 at [1, 2]", [&] { embedding(table, grid); }));
  EXPECT_TRUE(fails_with("got -1 at [1]", [&] { embedding(table, ids({4, -1})); }));
  EXPECT_TRUE(fails_with("got 0 at [0]", [&] { embedding(zeros({0, 2}), ids({0})); }));
  EXPECT_TRUE(
      fails_with("[embedding] expected ids of dtype i64, got i32", [&] { embedding(table, zeros({1}, DType::i32)); }));
  EXPECT_TRUE(fails_with("[embedding] expected table with 2 axes", [&] { embedding(zeros({5}), ids({0})); }));
}

TEST(Errors, OfCrossEntropyTargets) {
  EXPECT_TRUE(fails_with("[cross_entropy] expected targets in [0, 3) or -100, got 3 at [1]", [] {
    cross_entropy(zeros({2, 3}), ids({0, 3}));
  }));
  EXPECT_TRUE(fails_with("[cross_entropy_rows] expected targets in [0, 3) or -100, got -1 at [0]", [] {
    cross_entropy_rows(zeros({2, 3}), ids({-1, 0}));
  }));
  EXPECT_TRUE(fails_with("expected targets of shape [2], got [3]", [] {
    cross_entropy(zeros({2, 3}), ids({0, 0, 0}));
  }));
  EXPECT_TRUE(fails_with("targets of dtype i64, got i32", [] {
    cross_entropy(zeros({2, 3}), zeros({2}, DType::i32));
  }));
}

TEST(Errors, OfRope) {
  const Tensor x = zeros({1, 2, 1, 4}), table = zeros({3, 2});
  const auto at = [](const std::vector<int32_t>& values) {
    return Tensor::from(values, {1, static_cast<int64_t>(values.size())}, cpu());
  };
  EXPECT_NO_THROW(rope(x, at({0, 2}), table, table));
  EXPECT_TRUE(fails_with("[rope] expected positions in [0, 3), got 3 at [0, 1]", [&] {
    rope(x, at({0, 3}), table, table);
  }));
  EXPECT_TRUE(fails_with("[rope] expected positions of shape [1, 2], got [1, 3]", [&] {
    rope(x, at({0, 1, 2}), table, table);
  }));
  EXPECT_TRUE(fails_with("[rope] expected cos of shape [3, 2], got [3, 3]", [&] {
    rope(x, at({0, 1}), zeros({3, 3}), table);
  }));
  EXPECT_TRUE(fails_with("[rope] expected sin of shape [3, 2], got [4, 2]", [&] {
    rope(x, at({0, 1}), table, zeros({4, 2}));
  }));
  EXPECT_TRUE(fails_with("even last extent", [&] { rope(zeros({1, 2, 1, 3}), at({0, 1}), table, table); }));
  Tensor learned = zeros({3, 2});
  learned.set_requires_grad();
  EXPECT_TRUE(fails_with("cos and sin without a gradient", [&] { rope(x, at({0, 1}), learned, table); }));
}

TEST(Errors, OfAttention) {
  const auto run = [](const Shape& q, const Shape& k, const Shape& v) {
    attention(zeros(q), zeros(k), zeros(v), 1.0f);
  };
  EXPECT_TRUE(fails_with("[attention] expected q with 4 axes", [&] { run({2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3, 4}); }));
  EXPECT_TRUE(fails_with("heads of at most 2048", [&] { run({1, 1, 1, 2050}, {1, 1, 1, 2050}, {1, 1, 1, 2050}); }));
  EXPECT_TRUE(fails_with("expected v of shape [1, 2, 3, 4]", [&] { run({1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3, 5}); }));
  EXPECT_TRUE(fails_with("one batch and head extent", [&] { run({2, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3, 4}); }));
  EXPECT_TRUE(fails_with("multiple of those of k, got 3 and 2", [&] {
    run({1, 2, 3, 4}, {1, 2, 2, 4}, {1, 2, 2, 4});
  }));
  EXPECT_TRUE(fails_with("multiple of those of k, got 3 and 0", [&] {
    run({1, 2, 3, 4}, {1, 2, 0, 4}, {1, 2, 0, 4});
  }));
  EXPECT_TRUE(fails_with("at most as many queries as keys, got 3 and 2", [&] {
    run({1, 3, 2, 4}, {1, 2, 2, 4}, {1, 2, 2, 4});
  }));
  Tensor q = zeros({1, 1, 2, 4});
  q.set_requires_grad();
  EXPECT_TRUE(fails_with("as many queries as keys for a gradient", [&] {
    attention(q, zeros({1, 2, 2, 4}), zeros({1, 2, 2, 4}), 1.0f);
  }));
}

TEST(Errors, OfNumbersThatDoNotFit) {
  const Tensor x = zeros({2}, DType::i32);
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_TRUE(fails_with("[add] expected a number that fits i32, got 0.5", [&] { add(x, 0.5); }));
  EXPECT_TRUE(fails_with("fits i32, got 2147483648", [&] { add(x, 2147483648.0); }));
  EXPECT_TRUE(fails_with("[mul]", [&] { mul(zeros({2}, DType::i64), inf); }));
  EXPECT_TRUE(fails_with("[mul]", [&] { mul(x, std::numeric_limits<double>::quiet_NaN()); }));
  EXPECT_EQ(add(x, -2147483648.0).to_vector<int32_t>(), std::vector<int32_t>(2, std::numeric_limits<int32_t>::min()));
}

TEST(Errors, LinearWeightGradientsWantF32) {
  Tensor w = zeros({2, 3}, DType::bf16);
  w.set_requires_grad();
  EXPECT_TRUE(
      fails_with("[linear] expected w of dtype f32 for its gradient, got bf16", [&] { linear(zeros({3}), w); }));
}

}  // namespace
}  // namespace tern
