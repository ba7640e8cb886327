// SPDX-License-Identifier: Apache-2.0
// Keys and values in pages: what is stored reads back as defined, and ragged passes give the bits of `attention` over
// the same keys and values side by side.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/awkward.h"
#include "support/reference_attention.h"

namespace tern {
namespace {

using testing::awkward_floats;
using testing::cpus;
using testing::Floats;
using testing::normal_floats;
using testing::run_kernel;
using testing::same_bits;

constexpr KvType kTypes[] = {KvType::f32, KvType::f16, KvType::int8, KvType::int4};

// One sequence: its keys and values, of which the first `length` came in earlier passes.
struct Sequence {
  int64_t length, rows;
  int64_t tokens() const { return length + rows; }
};

struct Case {
  int64_t heads, kv_heads, dim, page_tokens;
  std::vector<Sequence> sequences;
};

std::string name(KvType type, const Case& c) {
  std::string text = std::string(name_of(type)) + ", heads " + std::to_string(c.heads) + "/" + std::to_string(c.kv_heads) +
                     ", dim " + std::to_string(c.dim) + ", pages of " + std::to_string(c.page_tokens);
  for (const Sequence& s : c.sequences) text += ", " + std::to_string(s.length) + "+" + std::to_string(s.rows);
  return text;
}

// Angles of every position, in no relation to a model's.
struct Turns {
  Floats cos, sin;
  Turns(int64_t positions, int64_t dim) {
    for (int64_t i = 0; i < positions * dim / 2; ++i) {
      cos.push_back(std::cos(static_cast<float>(i % 97)));
      sin.push_back(std::sin(static_cast<float>(i % 97)));
    }
  }
};

// Pages in a shuffled order, filled with bytes that read as NaN or worse.
class Pages {
 public:
  Pages(const Device& device, KvType type, const Case& c) : device_(device), c_(c), type_(type) {
    block_ = device.backend().kernels().kv_block_bytes(type, c.page_tokens, c.dim);
    int32_t count = 3;
    for (const Sequence& s : c.sequences) {
      tables_.emplace_back();
      for (int64_t t = 0; t < s.tokens(); t += c.page_tokens) tables_.back().push_back(count++);
    }
    std::vector<int32_t> order(static_cast<size_t>(count));
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
    std::shuffle(order.begin(), order.end(), std::mt19937(5));
    for (auto& table : tables_) {
      for (int32_t& page : table) page = order[static_cast<size_t>(page)];
    }
    stride_ = 2 * static_cast<size_t>(c.kv_heads) * block_;
    bytes_.assign(static_cast<size_t>(count) * stride_ / sizeof(float), std::numeric_limits<float>::quiet_NaN());
  }

  KvPages pages() {
    return {type_,   c_.kv_heads, c_.dim, c_.page_tokens, stride_, reinterpret_cast<std::byte*>(bytes_.data())};
  }

  // Calls act(batch) for rows [begin_i, end_i) of the sequences; those without rows stay out.
  template <class Act>
  void pass(const Turns& turns, const std::vector<Sequence>& sequences, const Act& act) {
    std::vector<PagedSequence> rows;
    std::vector<int32_t> table;
    int64_t row = 0;
    for (size_t i = 0; i < sequences.size(); ++i) {
      if (sequences[i].rows == 0) continue;
      rows.push_back({row, sequences[i].rows, sequences[i].length, static_cast<int64_t>(table.size())});
      table.insert(table.end(), tables_[i].begin(), tables_[i].end());
      row += sequences[i].rows;
    }
    act(PagedBatch{static_cast<int64_t>(rows.size()), row, rows.data(), table.data(), turns.cos.data(),
                   turns.sin.data()});
  }

  void append(const Turns& turns, const std::vector<Sequence>& sequences, const Floats& k, const Floats& v) {
    pass(turns, sequences, [&](const PagedBatch& batch) {
      run_kernel(device_, &Kernels::kv_append, {pages(), batch, k.data(), v.data()});
    });
  }

  Floats attend(const Turns& turns, const std::vector<Sequence>& sequences, const Floats& q, float scale, bool shared) {
    Floats out(q.size(), -7.0f), scores;
    for (const Sequence& s : sequences) {
      scores.resize(scores.size() + static_cast<size_t>(c_.heads * s.rows * (s.tokens() + 32)));
    }
    pass(turns, sequences, [&](const PagedBatch& batch) {
      run_kernel(device_, &Kernels::paged_attention,
                 {pages(), batch, c_.heads, q.data(), nullptr, nullptr, scale, out.data(), shared ? scores.data() : nullptr});
    });
    return out;
  }

 private:
  const Device device_;
  const Case& c_;
  KvType type_;
  size_t block_ = 0, stride_ = 0;
  std::vector<std::vector<int32_t>> tables_;
  std::vector<float> bytes_;
};

// What a token's head (one row of dim elements) reads back as, by the definition in kernels.h.
Floats read_back(KvType type, const Floats& x) {
  Floats y = x;
  if (type == KvType::f16) {
    for (float& value : y) value = static_cast<float>(f16(value));
  }
  const size_t group = type == KvType::int8 ? x.size() : type == KvType::int4 ? 32 : 0;
  for (size_t begin = 0; group != 0 && begin < x.size(); begin += group) {
    const size_t end = std::min(begin + group, x.size());
    float low = x[begin], high = x[begin], greatest = 0;
    bool finite = true;
    for (size_t i = begin; i < end; ++i) {
      low = std::min(low, x[i]);
      high = std::max(high, x[i]);
      greatest = std::max(greatest, std::fabs(x[i]));
      finite = finite && std::isfinite(x[i]);
    }
    const float minimum = static_cast<float>(f16(low));
    const float step = type == KvType::int8 ? greatest / 127.0f : static_cast<float>(f16((high - minimum) / 15.0f));
    const float inverse = 1.0f / step;
    for (size_t i = begin; i < end; ++i) {
      const float scaled = (type == KvType::int8 ? x[i] : x[i] - minimum) * inverse;
      const float least = type == KvType::int8 ? -127.0f : 0.0f, most = type == KvType::int8 ? 127.0f : 15.0f;
      const float code = std::isnan(scaled) ? 0.0f : std::nearbyint(std::clamp(scaled, least, most));
      y[i] = type == KvType::int8 ? code * step : std::fma(code, step, minimum);
      if (!finite) y[i] = std::numeric_limits<float>::quiet_NaN();
    }
  }
  return y;
}

// The same for rows of heads.
Floats read_back_all(KvType type, const Floats& x, int64_t dim) {
  Floats y;
  for (size_t at = 0; at < x.size(); at += static_cast<size_t>(dim)) {
    const auto begin = x.begin() + static_cast<std::ptrdiff_t>(at);
    const Floats row = read_back(type, Floats(begin, begin + dim));
    y.insert(y.end(), row.begin(), row.end());
  }
  return y;
}

// A sequence of one token sees its own value alone: the result is what was stored.
void expect_read_back(int64_t dim, const Floats& v) {
  const auto tokens = static_cast<int64_t>(v.size()) / dim;
  const Case c = {1, 1, dim, 1, std::vector<Sequence>(static_cast<size_t>(tokens), Sequence{0, 1})};
  const Turns turns(1, dim);
  const Floats zeros(v.size());
  for (const KvType type : kTypes) {
    Floats expected = read_back_all(type, v, dim);
    for (float& value : expected) value += 0.0f;  // a sum from 0 has no -0
    for (const Device& device : cpus()) {
      Pages pages(device, type, c);
      pages.append(turns, c.sequences, zeros, v);
      ASSERT_TRUE(same_bits(pages.attend(turns, c.sequences, zeros, 1.0f, false), expected))
          << name_of(type) << " dim " << dim << " on " << device.description();
    }
  }
}

TEST(KvAppend, ReadsBackAsDefined) {
  for (const int64_t dim : {2, 14, 16, 18, 30, 32, 34, 62, 64, 80, 128, 130, 288}) {
    for (const float size : {1.0f, 1e-3f, 300.0f}) {
      Floats v = normal_floats(7 * dim, static_cast<uint32_t>(dim), size);
      v.resize(static_cast<size_t>(8 * dim));                          // a row of zeros
      v.insert(v.end(), static_cast<size_t>(dim), 1.5f);               // one of equals
      for (int64_t i = 0; i < dim; ++i) v.push_back(100 + 0.001f * i);  // far from 0, close together
      expect_read_back(dim, v);
    }
  }
}

TEST(KvAppend, WhatIsNotFiniteStaysSo) {
  for (const int64_t dim : {16, 34, 128}) {
    Floats v = normal_floats(12 * dim, 3);
    for (size_t row = 0; row < 12; ++row) {
      const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                           -std::numeric_limits<float>::infinity()};
      v[row * static_cast<size_t>(dim) + row] = bad[row % 3];
    }
    expect_read_back(dim, v);
  }
}

// The conversions' errors against the definition of the step, not against the code's own formula.
TEST(KvAppend, ErrorsAreWithinHalfAStep) {
  for (int seed = 0; seed < 200; ++seed) {
    const Floats x = normal_floats(32, static_cast<uint32_t>(seed), 2.0f);
    const float low = *std::min_element(x.begin(), x.end()), high = *std::max_element(x.begin(), x.end());
    const float greatest = std::max(-low, high);
    const Floats half = read_back(KvType::f16, x), eight = read_back(KvType::int8, x), four = read_back(KvType::int4, x);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_LE(std::fabs(half[i] - x[i]), std::fabs(x[i]) * 0x1p-11f + 0x1p-25f);
      EXPECT_LE(std::fabs(eight[i] - x[i]), greatest / 127 * 0.5001f);
      // Half a step of at most (1 + 2^-11)/15 of the range; the ends are off by the roundings of scale and minimum.
      EXPECT_LE(std::fabs(four[i] - x[i]), (high - low) * (0.5f / 15 + 0x1p-11f) + std::fabs(low) * 0x1p-11f);
    }
  }
}

// Queries, keys and values of a case, and what `attention` makes of them sequence by sequence.
struct Inputs {
  Turns turns;
  std::vector<Floats> q, k, v;  // of a sequence's new rows; of all its tokens

  explicit Inputs(const Case& c) : turns(longest(c), c.dim) {
    uint32_t seed = 11;
    for (const Sequence& s : c.sequences) {
      q.push_back(normal_floats(s.rows * c.heads * c.dim, seed++));
      k.push_back(normal_floats(s.tokens() * c.kv_heads * c.dim, seed++));
      v.push_back(normal_floats(s.tokens() * c.kv_heads * c.dim, seed++));
    }
  }

  static int64_t longest(const Case& c) {
    int64_t most = 1;
    for (const Sequence& s : c.sequences) most = std::max(most, s.tokens());
    return most;
  }

  // Rows [begin, end) of every sequence's keys or values, one after the other.
  static Floats rows(const std::vector<Floats>& of, const std::vector<Sequence>& parts, int64_t width) {
    Floats all;
    for (size_t i = 0; i < parts.size(); ++i) {
      const auto begin = of[i].begin() + parts[i].length * width;
      all.insert(all.end(), begin, begin + parts[i].rows * width);
    }
    return all;
  }

  Floats rotated(const Floats& x, int64_t heads, int64_t dim, int64_t first) const {
    const int64_t tokens = static_cast<int64_t>(x.size()) / (heads * dim);
    std::vector<int32_t> positions;
    for (int64_t t = 0; t < tokens; ++t) positions.push_back(static_cast<int32_t>(first + t));
    Floats y(x.size());
    run_kernel(cpus().front(), &Kernels::rope,
               {tokens, heads, dim, x.data(), positions.data(), turns.cos.data(), turns.sin.data(), false, y.data()});
    return y;
  }

  Floats expected(KvType type, const Case& c, float scale) const {
    Floats all;
    for (size_t i = 0; i < c.sequences.size(); ++i) {
      const Sequence& s = c.sequences[i];
      const Floats queries = rotated(q[i], c.heads, c.dim, s.length);
      const Floats keys = read_back_all(type, rotated(k[i], c.kv_heads, c.dim, 0), c.dim);
      const Floats values = read_back_all(type, v[i], c.dim);
      Floats out(queries.size());
      run_kernel(cpus().front(), &Kernels::attention,
                 {1, c.heads, c.kv_heads, s.rows, s.tokens(), c.dim, s.tokens() * c.kv_heads * c.dim, queries.data(),
                  keys.data(), values.data(), scale, out.data(), nullptr});
      all.insert(all.end(), out.begin(), out.end());
    }
    return all;
  }
};

void expect_case(const Case& c, const std::vector<Device>& devices) {
  const Inputs in(c);
  const float scale = 1.0f / std::sqrt(static_cast<float>(c.dim));
  const int64_t width = c.kv_heads * c.dim;
  Floats q;
  for (const Floats& part : in.q) q.insert(q.end(), part.begin(), part.end());
  std::vector<Sequence> before;
  for (const Sequence& s : c.sequences) before.push_back({0, s.length});
  for (const KvType type : kTypes) {
    SCOPED_TRACE(name(type, c));
    const Floats expected = in.expected(type, c, scale);
    for (const Device& device : devices) {
      SCOPED_TRACE(device.description());
      Pages pages(device, type, c);
      pages.append(in.turns, before, Inputs::rows(in.k, before, width), Inputs::rows(in.v, before, width));
      pages.append(in.turns, c.sequences, Inputs::rows(in.k, c.sequences, width),
                   Inputs::rows(in.v, c.sequences, width));
      ASSERT_TRUE(same_bits(pages.attend(in.turns, c.sequences, q, scale, false), expected));
      ASSERT_TRUE(same_bits(pages.attend(in.turns, c.sequences, q, scale, true), expected)) << "shared";
    }
  }
}

TEST(PagedAttention, GivesTheBitsOfAttention) {
  const std::vector<Device> devices = cpus();
  const std::vector<Sequence> ragged = {{0, 1}, {5, 1}, {0, 7}, {31, 2}, {32, 1}, {63, 5}, {0, 33}, {17, 16}};
  for (const int64_t page_tokens : {1, 3, 16, 32}) expect_case({2, 1, 16, page_tokens, ragged}, devices);
  for (const int64_t dim : {2, 14, 34, 64, 128}) expect_case({4, 2, dim, 16, ragged}, devices);
  expect_case({3, 3, 20, 32, {{0, 1}}}, devices);
  expect_case({20, 5, 128, 32, {{40, 1}, {3, 1}}}, devices);
}

// Long enough that threads share one sequence: by keys, rows and columns.
TEST(PagedAttention, GivesTheSameBitsWhenThreadsShareASequence) {
  const std::vector<Device> devices = {cpus().front(), Device::open("cpu", {2, ""}), Device::open("cpu", {3, ""}),
                                       Device::open("cpu", {7, "scalar"})};
  expect_case({1, 1, 64, 32, {{700, 1}}}, devices);
  expect_case({4, 1, 128, 32, {{1300, 2}}}, devices);
  expect_case({2, 1, 34, 16, {{599, 1}, {3, 2}}}, devices);
  expect_case({2, 2, 2, 7, {{513, 3}}}, devices);
}

// What quantization may cost, from its steps: a score is off by scale·Σ|q||dk|, with dk half a step each, so a
// probability by a factor of at most e^(2·that); values are off by half a step.
TEST(PagedAttention, StaysWithinTheErrorsOfTheStoredNumbers) {
  const Case c = {2, 1, 64, 32, {{90, 3}}};
  const Inputs in(c);
  const double scale = 0.125;
  const reference::AttentionShape shape{1, 2, 1, 3, 93, 64};
  const auto widen = [](const Floats& x) { return reference::Doubles(x.begin(), x.end()); };
  const Floats q = in.rotated(in.q[0], 2, 64, 90), k = in.rotated(in.k[0], 1, 64, 0);
  const auto exact = reference::attention(shape, widen(q), widen(k), widen(in.v[0]), scale);
  double largest_q = 0, largest_k = 0, largest_v = 0;
  for (size_t at = 0; at < q.size(); at += 64) {
    double sum = 0;
    for (size_t i = at; i < at + 64; ++i) sum += std::fabs(static_cast<double>(q[i]));
    largest_q = std::max(largest_q, sum);
  }
  for (const float x : k) largest_k = std::max(largest_k, std::fabs(static_cast<double>(x)));
  for (const float x : in.v[0]) largest_v = std::max(largest_v, std::fabs(static_cast<double>(x)));
  // Half a step as a share of the greatest element: f16 2^-12, int8 1/254, int4 1/15 of a range of twice the greatest.
  const struct {
    KvType type;
    double share;
  } types[] = {{KvType::f32, 0}, {KvType::f16, 0x1p-11}, {KvType::int8, 1 / 253.0}, {KvType::int4, 1 / 14.8}};
  for (const auto& [type, share] : types) {
    const double score_error = scale * largest_q * share * largest_k;
    const double bound = std::expm1(2 * score_error) * largest_v + share * largest_v + 1e-4;
    Pages pages(cpus().back(), type, c);
    pages.append(in.turns, {{0, 93}}, in.k[0], in.v[0]);
    const Floats out = pages.attend(in.turns, c.sequences, in.q[0], static_cast<float>(scale), false);
    double worst = 0;
    for (size_t i = 0; i < out.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(out[i]), exact.out[i], bound) << name_of(type);
      worst = std::max(worst, std::fabs(static_cast<double>(out[i]) - exact.out[i]));
    }
    EXPECT_TRUE(type == KvType::f32 || worst > 1e-6) << name_of(type) << " stores less than f32, off by " << worst;
  }
}

// A bad key harms the queries that see it and no other sequence.
TEST(PagedAttention, NanStaysInItsSequence) {
  const Case c = {2, 1, 32, 16, {{0, 20}, {0, 20}}};
  Inputs in(c);
  std::vector<Floats> clean_k = in.k;
  in.k[0][11 * 32 + 5] = std::numeric_limits<float>::quiet_NaN();
  Floats q = in.q[0];
  q.insert(q.end(), in.q[1].begin(), in.q[1].end());
  for (const KvType type : kTypes) {
    for (const Device& device : cpus()) {
      Pages bad(device, type, c), good(device, type, c);
      bad.append(in.turns, c.sequences, Inputs::rows(in.k, c.sequences, 32), Inputs::rows(in.v, c.sequences, 32));
      good.append(in.turns, c.sequences, Inputs::rows(clean_k, c.sequences, 32), Inputs::rows(in.v, c.sequences, 32));
      const Floats x = bad.attend(in.turns, c.sequences, q, 0.2f, true);
      const Floats y = good.attend(in.turns, c.sequences, q, 0.2f, true);
      for (size_t i = 0; i < x.size(); ++i) {
        const bool sees = i >= 11 * 64 && i < 20 * 64;
        ASSERT_EQ(std::isnan(x[i]), sees) << name_of(type) << " " << i;
        ASSERT_TRUE(sees || x[i] == y[i]) << x[i] << " " << y[i];
      }
    }
  }
}

TEST(KvBlockBytes, AreTheDocumentedOnes) {
  const auto bytes = [](KvType type, int64_t tokens, int64_t dim) {
    return cpus().front().backend().kernels().kv_block_bytes(type, tokens, dim);
  };
  EXPECT_EQ(bytes(KvType::f32, 32, 128), 32u * 512);
  EXPECT_EQ(bytes(KvType::f16, 32, 128), 32u * 256);
  EXPECT_EQ(bytes(KvType::int8, 32, 128), 32u * 132);
  EXPECT_EQ(bytes(KvType::int4, 32, 128), 32u * (64 + 4 * 4));
  EXPECT_EQ(bytes(KvType::int4, 1, 2), 64u);
}

}  // namespace
}  // namespace tern
