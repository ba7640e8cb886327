// SPDX-License-Identifier: Apache-2.0
// What the ops on pages refuse, and that storing and attending are the same in one op as in two. Their values are
// judged in tests/device and tests/models.
#include "ops/paged.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/cpus.h"
#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;

Tensor zeros(const Shape& shape) { return Tensor::zeros(shape, DType::f32, testing::test_device()); }

TEST(Paged, RefusesSizesThatMakeNoPages) {
  const Device device = testing::test_device();
  const auto make = [&](int64_t pages, int64_t layers, int64_t heads, int64_t dim, int64_t tokens) {
    return make_paged_kv(KvType::int8, pages, layers, heads, dim, tokens, device);
  };
  const int64_t page = kv_page_bytes(KvType::int8, 2, 1, 6, 5, device);
  EXPECT_GE(page, 2 * 2 * 5 * 6);
  EXPECT_EQ(page % (2 * 2 * 64), 0);
  EXPECT_EQ(make(3, 2, 1, 6, 5).bytes.numel(), 3 * page);
  EXPECT_TRUE(fails_with("in [1, ", [&] { make(0, 2, 1, 6, 5); }));
  EXPECT_TRUE(fails_with("in [1, ", [&] { make(3, 0, 1, 6, 5); }));
  EXPECT_TRUE(fails_with("in [1, ", [&] { make(3, 2, -1, 6, 5); }));
  EXPECT_TRUE(fails_with("even head extent of at most 2048", [&] { make(3, 2, 1, 7, 5); }));
  EXPECT_TRUE(fails_with("even head extent of at most 2048", [&] { make(3, 2, 1, 2050, 5); }));
  EXPECT_TRUE(fails_with("at most 524288 tokens", [&] { make(3, 2, 1, 6, 524289); }));
  EXPECT_TRUE(fails_with("fit into memory", [&] { make(INT32_MAX, INT32_MAX, 1, 6, 5); }));
}

TEST(Paged, RefusesPassesAndOperandsThatDoNotFit) {
  const Device device = testing::test_device();
  const PagedKv kv = make_paged_kv(KvType::f32, 3, 2, 1, 6, 5, device);
  const auto on = [&](const Shape& shape) { return Tensor::zeros(shape, DType::f32, device); };
  const Tensor angles = on({20, 3});
  const std::vector<int32_t> pages = {2, 0}, bad = {1, 3};
  const auto pass = [&](int64_t rows, int64_t length, const std::vector<int32_t>& of, int64_t heads = 2) {
    const PagedRows one = {rows, length, of};
    return make_paged_pass(kv, {&one, 1}, heads, angles, angles);
  };
  EXPECT_TRUE(fails_with("at least one row", [&] { pass(0, 3, pages); }));
  EXPECT_TRUE(fails_with("after -1", [&] { pass(1, -1, pages); }));
  EXPECT_TRUE(fails_with("at most 20 tokens, got 21", [&] { pass(1, 20, pages); }));
  EXPECT_TRUE(fails_with("3 pages for 11 tokens, got 2", [&] { pass(1, 10, pages); }));
  EXPECT_TRUE(fails_with("pages in [0, 3), got 3", [&] { pass(1, 5, bad); }));
  EXPECT_TRUE(fails_with("a multiple of 1 heads, got 0", [&] { pass(1, 5, pages, 0); }));
  EXPECT_TRUE(fails_with("expected cos of shape", [&] {
    const PagedRows one = {1, 0, pages};
    make_paged_pass(kv, {&one, 1}, 2, on({20, 4}), angles);
  }));
  const PagedPass good = pass(2, 3, pages);
  const Tensor k = on({2, 6}), q = on({2, 12});
  EXPECT_TRUE(fails_with("a layer in [0, 2), got 2", [&] { kv_append(kv, 2, good, k, k); }));
  EXPECT_TRUE(fails_with("expected v of shape [2, 6], got [2, 12]", [&] { kv_append(kv, 0, good, k, q); }));
  EXPECT_TRUE(fails_with("expected q of shape [2, 12], got [2, 6]", [&] { paged_attention(kv, 0, good, k, 1); }));
  EXPECT_TRUE(fails_with("on the device", [&] { kv_append(kv, 0, good, zeros({2, 6}), k); }));
  kv_append(kv, 1, good, k, k);
  EXPECT_EQ(paged_attention(kv, 1, good, q, 1).shape(), (Shape{2, 12}));
  EXPECT_TRUE(fails_with("a layer in [0, 2), got 2", [&] { append_and_attend(kv, 2, good, q, k, k, 1); }));
  EXPECT_TRUE(
      fails_with("expected v of shape [2, 6], got [2, 12]", [&] { append_and_attend(kv, 0, good, q, k, q, 1); }));
}

const Device& common_device() {
  static const Device device = testing::test_device();
  return device;
}

Tensor waves(const Shape& shape, float step) {
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = 2 * std::sin(step * static_cast<float>(i + 1));
  return Tensor::from(values, shape, common_device());
}

// Sequences of these rows after so many tokens, in two layers of pages of 16 tokens.
struct Pass {
  std::vector<int64_t> lengths, rows;
};

std::string name_of(const Pass& pass) {
  std::string text;
  for (size_t i = 0; i < pass.rows.size(); ++i) {
    text += " " + std::to_string(pass.lengths[i]) + "+" + std::to_string(pass.rows[i]);
  }
  return text;
}

// The pages after each of `passes`, and what the last attends to.
struct Outcome {
  std::vector<float> mixed;
  std::vector<uint8_t> pages;
};

Outcome run_passes(KvType type, int64_t dim, const std::vector<Pass>& passes, bool in_one) {
  constexpr int64_t kHeads = 6, kKvHeads = 2, kPageTokens = 16, kPagesOfEach = 12;
  const auto sequences = static_cast<int64_t>(passes[0].rows.size());
  PagedKv kv = make_paged_kv(type, sequences * kPagesOfEach, 2, kKvHeads, dim, kPageTokens, common_device());
  kv.bytes = Tensor::zeros(kv.bytes.shape(), DType::u8, common_device());
  const Tensor cos = waves({kPagesOfEach * kPageTokens, dim / 2}, 0.7f), sin = waves(cos.shape(), 0.3f);
  std::vector<std::vector<int32_t>> pages(static_cast<size_t>(sequences));
  for (size_t i = 0; i < pages.size(); ++i) {
    for (int64_t page = 0; page < kPagesOfEach; ++page) {
      pages[i].push_back(static_cast<int32_t>((kPagesOfEach - 1 - page) * sequences + static_cast<int64_t>(i)));
    }
  }
  Outcome outcome;
  for (const Pass& of : passes) {
    std::vector<PagedRows> rows;
    for (size_t i = 0; i < pages.size(); ++i) {
      if (of.rows[i] > 0) rows.push_back({of.rows[i], of.lengths[i], pages[i]});
    }
    const PagedPass pass = make_paged_pass(kv, rows, kHeads, cos, sin);
    const Tensor q = waves({pass.rows, kHeads * dim}, 0.37f), k = waves({pass.rows, kKvHeads * dim}, 0.11f);
    const Tensor v = waves(k.shape(), 0.23f);
    if (!in_one) kv_append(kv, 1, pass, k, v);
    const Tensor mixed = in_one ? append_and_attend(kv, 1, pass, q, k, v, 0.3f) : paged_attention(kv, 1, pass, q, 0.3f);
    outcome.mixed = mixed.to_vector<float>();
  }
  outcome.pages = kv.bytes.to_vector<uint8_t>();
  return outcome;
}

TEST(Paged, OneOpOrTwoGiveTheSameBits) {
  const Pass none = {{0, 0, 0}, {1, 1, 1}}, prompts = {{0, 0, 0}, {63, 7, 150}}, one_each = {{63, 7, 150}, {1, 1, 1}};
  const Pass ragged = {{63, 7, 150}, {1, 40, 3}}, alone = {{63, 7, 150}, {0, 0, 1}};
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8, KvType::int4}) {
    for (const int64_t dim : {6, 64, 80, 128, 130}) {
      for (const std::vector<Pass>& passes : std::vector<std::vector<Pass>>{
               {none}, {prompts}, {prompts, one_each}, {prompts, ragged}, {prompts, alone}}) {
        const Outcome one = run_passes(type, dim, passes, true), two = run_passes(type, dim, passes, false);
        const std::string name = std::string(tern::name_of(type)) + " " + std::to_string(dim) + name_of(passes.back());
        EXPECT_EQ(one.mixed, two.mixed) << name;
        EXPECT_TRUE(one.pages == two.pages) << name;
      }
    }
  }
}

// One token of each of some sequences after as many tokens as `lengths` say.
struct Decoding {
  int64_t heads, kv_heads, dim, page_tokens;
  std::vector<int64_t> lengths;
};

std::string name_of(const Decoding& of) {
  std::string text =
      std::to_string(of.heads) + "/" + std::to_string(of.kv_heads) + " heads of " + std::to_string(of.dim) + ":";
  for (const int64_t length : of.lengths) text += " " + std::to_string(length);
  return text;
}

// One number each of q, k and v of the step and of earlier values, unless 0.
struct Blemish {
  float q = 0, k = 0, v = 0, before = 0;
};

void put(std::vector<float>& values, size_t at, float blemish) {
  if (blemish != 0 && !values.empty()) values[at % values.size()] = blemish;
}

std::vector<float> many_waves(int64_t count, float step) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = 2 * std::sin(step * static_cast<float>(i + 1));
  return values;
}

// The step's results; bytes become those of the pages.
std::vector<float> decode(KvType type, const Decoding& of, const Blemish& blemish, bool in_one,
                          std::vector<uint8_t>& bytes) {
  const int64_t longest = *std::max_element(of.lengths.begin(), of.lengths.end()) + 1, width = of.kv_heads * of.dim;
  const auto sequences = static_cast<int64_t>(of.lengths.size());
  std::vector<std::vector<int32_t>> pages;
  int32_t count = 0;
  std::vector<PagedRows> before, step;
  for (const int64_t length : of.lengths) {
    pages.emplace_back();
    for (int64_t token = 0; token <= length; token += of.page_tokens) pages.back().push_back(count++);
  }
  for (auto& table : pages) {
    for (int32_t& page : table) page = count - 1 - page;
  }
  int64_t earlier = 0;
  for (size_t i = 0; i < pages.size(); ++i) {
    if (of.lengths[i] > 0) before.push_back({of.lengths[i], 0, pages[i]});
    step.push_back({1, of.lengths[i], pages[i]});
    earlier += of.lengths[i];
  }
  PagedKv kv = make_paged_kv(type, count, 2, of.kv_heads, of.dim, of.page_tokens, common_device());
  kv.bytes = Tensor::zeros(kv.bytes.shape(), DType::u8, common_device());
  const Tensor cos = waves({longest, of.dim / 2}, 0.7f), sin = waves(cos.shape(), 0.3f);
  const auto rows_of = [&](std::vector<float> values, int64_t columns) {
    return Tensor::from(values, {static_cast<int64_t>(values.size()) / columns, columns}, common_device());
  };
  if (!before.empty()) {
    std::vector<float> values = many_waves(earlier * width, 0.029f);
    put(values, 7919, blemish.before);
    kv_append(kv, 1, make_paged_pass(kv, before, of.heads, cos, sin),
              rows_of(many_waves(earlier * width, 0.013f), width), rows_of(values, width));
  }
  std::vector<float> q = many_waves(sequences * of.heads * of.dim, 0.37f), k = many_waves(sequences * width, 0.11f),
                     v = many_waves(sequences * width, 0.23f);
  put(q, 1009, blemish.q);
  put(k, 503, blemish.k);
  put(v, 211, blemish.v);
  const PagedPass pass = make_paged_pass(kv, step, of.heads, cos, sin);
  const Tensor queries = rows_of(q, of.heads * of.dim), keys = rows_of(k, width), values = rows_of(v, width);
  if (!in_one) kv_append(kv, 1, pass, keys, values);
  const Tensor mixed = in_one ? append_and_attend(kv, 1, pass, queries, keys, values, 0.3f)
                              : paged_attention(kv, 1, pass, queries, 0.3f);
  bytes = kv.bytes.to_vector<uint8_t>();
  return mixed.to_vector<float>();
}

void expect_same_steps(KvType type, const Decoding& of, const Blemish& blemish = {}) {
  std::vector<uint8_t> one_bytes, two_bytes;
  const std::vector<float> one = decode(type, of, blemish, true, one_bytes),
                           two = decode(type, of, blemish, false, two_bytes);
  EXPECT_TRUE(testing::same_bits(one, two)) << tern::name_of(type) << " " << name_of(of);
  EXPECT_TRUE(one_bytes == two_bytes) << tern::name_of(type) << " " << name_of(of);
}

// A device may attend to one row of each sequence by kernels of its own, which know what is stored along with it.
TEST(Paged, StepsOfDecodingGiveTheSameBits) {
  std::vector<int64_t> many(70, 90);
  for (size_t i = 0; i < 20; ++i) many[3 * i] = static_cast<int64_t>(i * 37 % 400);
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8}) {
    for (const int64_t length : {0, 1, 2, 62, 63, 64, 65, 127, 128, 129, 511, 512, 1000, 1024, 2050}) {
      expect_same_steps(type, {20, 5, 128, 32, {length}});
    }
    expect_same_steps(type, {20, 5, 128, 16, {0, 1, 63, 64, 65, 127, 129, 1000}});
    expect_same_steps(type, {20, 5, 128, 32, {700, 0}});
    expect_same_steps(type, {20, 5, 128, 32, {5, 300, 64}});
    expect_same_steps(type, {20, 5, 128, 32, many});
    for (const int64_t length : {0, 63, 64, 300, 4500}) {
      expect_same_steps(type, {1, 1, 128, 5, {length}});
      expect_same_steps(type, {8, 1, 128, 32, {length}});
      expect_same_steps(type, {9, 1, 128, 32, {length}});
      expect_same_steps(type, {6, 2, 64, 16, {length}});
      expect_same_steps(type, {6, 2, 96, 16, {length}});
    }
    expect_same_steps(type, {8, 1, 64, 16, many});
    expect_same_steps(type, {6, 2, 128, 16, many});
  }
}

TEST(Paged, StepsOfDecodingWithWhatIsNotFiniteGiveTheSameBits) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  const Blemish blemishes[] = {
      {.q = kNan}, {.q = -kInf}, {.k = kInf},      {.k = 1e30f},
      {.v = kNan}, {.v = -kInf}, {.before = kInf}, {.q = kInf, .k = kNan, .v = kInf, .before = -kInf}};
  for (const KvType type : {KvType::f32, KvType::f16}) {
    for (const Blemish& blemish : blemishes) {
      expect_same_steps(type, {20, 5, 128, 32, {300}}, blemish);
      expect_same_steps(type, {20, 5, 128, 32, {70, 0, 513}}, blemish);
      expect_same_steps(type, {6, 2, 64, 16, {1100}}, blemish);
      expect_same_steps(type, {6, 2, 64, 16, std::vector<int64_t>(140, 66)}, blemish);
    }
  }
}

// The same tokens token by token, or in one pass, or in two.
TEST(Paged, ChunksOfAPromptChangeNoBit) {
  constexpr int64_t kTokens = 140, kDim = 64, kHeads = 4;
  const Tensor cos = waves({kTokens, kDim / 2}, 0.7f), sin = waves(cos.shape(), 0.3f);
  const Tensor q = waves({kTokens, kHeads * kDim}, 0.37f), k = waves({kTokens, kDim}, 0.11f),
               v = waves(k.shape(), 0.23f);
  for (const KvType type : {KvType::f32, KvType::f16, KvType::int8, KvType::int4}) {
    std::vector<float> first;
    for (const int64_t chunk : {int64_t{1}, int64_t{3}, int64_t{90}, kTokens}) {
      const PagedKv kv = make_paged_kv(type, 9, 1, 1, kDim, 16, common_device());
      const std::vector<int32_t> pages = {8, 3, 1, 7, 2, 0, 6, 4, 5};
      std::vector<Tensor> parts;
      for (int64_t begin = 0; begin < kTokens; begin += chunk) {
        const int64_t end = std::min(begin + chunk, kTokens);
        const PagedRows rows = {end - begin, begin, pages};
        const PagedPass pass = make_paged_pass(kv, {&rows, 1}, kHeads, cos, sin);
        const auto part = [&](const Tensor& x) { return slice(x, 0, begin, end); };
        parts.push_back(append_and_attend(kv, 0, pass, part(q), part(k), part(v), 0.2f));
      }
      const std::vector<float> mixed = concat(parts, 0).to_vector<float>();
      if (first.empty()) first = mixed;
      EXPECT_EQ(mixed, first) << tern::name_of(type) << " in chunks of " << chunk;
    }
  }
}

}  // namespace
}  // namespace tern
