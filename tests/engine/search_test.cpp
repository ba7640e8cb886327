// SPDX-License-Identifier: Apache-2.0
// What a device finds in rows of scores against the host that looks through all of them: the same candidates, bit for
// bit, wherever the device decides.
#include "ops/scores.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "engine/random_choice.h"
#include "engine/screen.h"
#include "support/fails_with.h"
#include "support/searching_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::Random;

using Floats = std::vector<float>;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Floats some_logits(int64_t n, Random& random) {
  Floats x(static_cast<size_t>(n));
  const float scale = random.pick(0.1f, 3.0f, 10.0f);
  for (float& v : x) v = scale * random.normal();
  const auto any = [&]() -> float& { return x[random.below(n)]; };
  switch (random.below(10)) {
    case 0:  // ties
      for (float& v : x) v = std::round(v);
      break;
    case 1:  // of the best
      for (int i = 0; i < 6; ++i) any() = 6 * scale;
      break;
    case 2:
      std::fill(x.begin(), x.end(), random.pick(0.0f, -0.0f, -kInf, 1.0f));
      break;
    case 3:  // few
      for (float& v : x) v = random.one_in(50) ? v : -kInf;
      break;
    case 4:
      for (int i = 0; i < 3; ++i) any() = random.pick(kNan, kInf, -kInf, -0.0f, 0.0f, 3e38f, 1e-42f);
      break;
    case 5:
      for (float& v : x) v -= 40 * scale;  // all below 0
      break;
    default:
      break;
  }
  return x;
}

Sampler some_sampler(int64_t n, Random& random) {
  SamplingOptions o;
  o.repetition_penalty = random.pick(1.0, 1.0, 1.3, 0.8);
  if (!random.one_in(3)) {
    o.temperature = random.pick(0.2, 1.0, 3.0);
    o.top_k = random.pick(0, 1, 5, 40, 1000);
    o.top_p = random.pick(0.3, 0.9, 1.0);
    o.min_p = random.pick(0.0, 0.05, 0.5);
    if (o.top_k == 0 && o.top_p == 1) o.min_p = 0.1;
  }
  Sampler sampler(o);
  std::vector<int32_t> seen;
  for (int64_t i = random.below(60); i > 0; --i) seen.push_back(static_cast<int32_t>(random.below(n + 2)));
  sampler.observe(seen);
  return sampler;
}

std::vector<uint64_t> some_mask(int64_t n, Random& random) {
  std::vector<uint64_t> mask;
  if (!random.one_in(3)) return mask;
  mask.resize(static_cast<size_t>((n + 63) / 64), random.one_in(2) ? ~uint64_t{0} : 0);  // bits beyond the last, too
  const int64_t rarity = random.pick(2, 20, 300);
  for (int64_t id = 0; id < n; ++id) {
    if (random.one_in(rarity)) mask[static_cast<size_t>(id / 64)] ^= uint64_t{1} << (id % 64);
  }
  return mask;
}

// A batch of rows with what is asked of each.
struct Batch {
  std::vector<Floats> logits;
  std::vector<Sampler> samplers;
  std::vector<std::vector<uint64_t>> masks;
  std::vector<ScoreSearch> searches;

  Batch(int64_t rows, int64_t n, Random& random) {
    for (int64_t i = 0; i < rows; ++i) {
      logits.push_back(some_logits(n, random));
      samplers.push_back(some_sampler(n, random));
      masks.push_back(some_mask(n, random));
    }
    for (size_t i = 0; i < samplers.size(); ++i) searches.push_back(search_for(samplers[i], masks[i]));
  }
};

// Whether `found` decides. If so, they are the candidates of these logits.
bool expect_candidates(const Sampler& sampler, const FoundScores& found, bool by_bounds, const Floats& logits,
                       const std::vector<uint64_t>& mask) {
  const std::optional<std::vector<Candidate>> got = found_candidates(sampler, found, by_bounds);
  if (!got) return false;
  std::vector<Candidate> expected;
  EXPECT_NO_THROW(expected = sampler.candidates(logits, mask));
  EXPECT_TRUE(std::equal(got->begin(), got->end(), expected.begin(), expected.end(),
                         [](const Candidate& a, const Candidate& b) {
                           return a.id == b.id &&
                                  std::bit_cast<uint64_t>(a.probability) == std::bit_cast<uint64_t>(b.probability);
                         }))
      << got->size() << " candidates, expected " << expected.size();
  return true;
}

Floats joined(const std::vector<Floats>& rows) {
  Floats all;
  for (const Floats& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

class Search : public ::testing::TestWithParam<int64_t> {};

TEST_P(Search, FindsTheCandidatesAmongLogits) {
  const int64_t n = GetParam();
  const Device device = testing::searching_device(2);
  Random random(static_cast<uint32_t>(n));
  int64_t tried = 0, decided = 0;
  for (int round = 0; round < (n > 10000 ? 6 : 60); ++round) {
    const int64_t rows = random.pick(1, 2, 7, 33);
    const Batch batch(rows, n, random);
    const Tensor logits = Tensor::from(joined(batch.logits), {rows, n}, device);
    const std::vector<FoundScores> found = search_scores(logits, batch.searches, most_found(n));
    ASSERT_EQ(std::ssize(found), rows);
    for (size_t i = 0; i < found.size(); ++i) {
      ++tried;
      decided += expect_candidates(batch.samplers[i], found[i], false, batch.logits[i], batch.masks[i]);
      if (::testing::Test::HasFailure()) {
        const SamplingOptions& o = batch.samplers[i].options();
        FAIL() << "row " << i << " of round " << round << ": temperature " << o.temperature << ", top_k " << o.top_k
               << ", top_p " << o.top_p << ", min_p " << o.min_p << ", penalty " << o.repetition_penalty;
      }
    }
  }
  EXPECT_GT(decided, tried / 2);
}

TEST_P(Search, FindsThemByBounds) {
  const int64_t n = GetParam();
  const Device device = testing::searching_device(2);
  Random random(static_cast<uint32_t>(n) + 1);
  int64_t tried = 0, decided = 0, computed = 0;
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const int64_t k : {1, 40, 300}) {
      if (n > 10000 && k != 40) continue;
      const int64_t rows = random.pick(1, 3, 8);
      Batch batch(rows, n, random);
      Floats w(static_cast<size_t>(n * k)), x(static_cast<size_t>(rows * k));
      for (float& v : w) v = random.normal();
      for (float& v : x) v = random.normal();
      const ExactValues exact = {Tensor::from(x, {rows, k}, device), cast(Tensor::from(w, {n, k}, device), dtype)};
      const Floats logits = linear(exact.x, exact.w).to_vector<float>();
      Floats low = logits, high = logits;
      for (size_t i = 0; i < logits.size(); ++i) {
        low[i] -= 0.5f * std::abs(random.normal());
        high[i] += 0.5f * std::abs(random.normal());
        if (random.one_in(1000)) low[i] = kNan;
        if (random.one_in(1000)) high[i] = random.pick(kNan, kInf);
      }
      const std::vector<FoundScores> found =
          search_scores({Tensor::from(low, {rows, n}, device), Tensor::from(high, {rows, n}, device)}, exact,
                        batch.searches, most_found(n), computed);
      for (size_t i = 0; i < found.size(); ++i) {
        const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i) * n;
        ++tried;
        decided += expect_candidates(batch.samplers[i], found[i], true, Floats(row, row + n), batch.masks[i]);
      }
      ASSERT_FALSE(::testing::Test::HasFailure()) << "k " << k << ", " << name_of(dtype);
    }
  }
  EXPECT_GT(decided, tried / 3);
  EXPECT_GE(computed, tried);
}

// The best tokens alone: there is one for each row, on the device first.
TEST_P(Search, FindsTheBestByBounds) {
  const int64_t n = GetParam();
  const Device device = testing::searching_device(2);
  Random random(static_cast<uint32_t>(n) + 3);
  int64_t tried = 0, decided = 0, computed = 0;
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const int64_t k : {1, 24, 300, 5000}) {
      if (n > (k == 5000 ? 1000 : k == 24 ? 1 << 20 : 10000)) continue;
      const int64_t rows = random.pick(1, 3, 8);
      Floats w(static_cast<size_t>(n * k)), x(static_cast<size_t>(rows * k));
      for (float& v : w) v = random.normal();
      for (float& v : x) v = random.normal();
      for (int64_t row = 1; row < n; ++row) {  // equal rows of weights: ties
        if (random.one_in(20)) std::copy_n(w.begin() + (row - 1) * k, k, w.begin() + row * k);
      }
      if (random.one_in(3)) w[random.below(n) * static_cast<size_t>(k)] = random.pick(kNan, kInf, -kInf);
      const ExactValues exact = {Tensor::from(x, {rows, k}, device), cast(Tensor::from(w, {n, k}, device), dtype)};
      const Floats logits = linear(exact.x, exact.w).to_vector<float>();
      Floats low = logits, high = logits;
      const float width = random.pick(0.0f, 0.5f, 100.0f);
      for (size_t i = 0; i < logits.size(); ++i) {
        low[i] -= width * std::abs(random.normal());
        high[i] += width * std::abs(random.normal());
        if (random.one_in(1000)) low[i] = random.pick(kNan, -kInf);
        if (random.one_in(1000)) high[i] = random.pick(kNan, kInf);
      }
      std::vector<Sampler> samplers;
      std::vector<std::vector<uint64_t>> masks;
      std::vector<ScoreSearch> searches;
      for (int64_t row = 0; row < rows; ++row) {
        samplers.emplace_back(SamplingOptions{.repetition_penalty = random.pick(1.0, 1.3, 0.8)});
        std::vector<int32_t> seen;
        for (int64_t i = random.below(60); i > 0; --i) seen.push_back(static_cast<int32_t>(random.below(n)));
        samplers.back().observe(seen);
        masks.push_back(some_mask(n, random));
      }
      for (size_t i = 0; i < samplers.size(); ++i) searches.push_back(search_for(samplers[i], masks[i]));
      std::vector<int64_t> ids;
      const std::vector<FoundScores> found =
          search_scores({Tensor::from(low, {rows, n}, device), Tensor::from(high, {rows, n}, device)}, exact, searches,
                        most_found(n), computed, [&](const Tensor& best) { ids = best.to_vector<int64_t>(); });
      ASSERT_EQ(std::ssize(ids), rows);
      for (size_t i = 0; i < found.size(); ++i) {
        const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i) * n;
        ++tried;
        if (expect_candidates(samplers[i], found[i], true, Floats(row, row + n), masks[i])) {
          ++decided;
          EXPECT_EQ(ids[i], found_candidates(samplers[i], found[i], true)->at(0).id);
        } else {
          EXPECT_EQ(ids[i], 0);
        }
      }
      ASSERT_FALSE(::testing::Test::HasFailure()) << "k " << k << ", " << name_of(dtype);
    }
  }
  EXPECT_GT(decided, tried / 3);
  EXPECT_GE(computed, decided);
}

// Without a filter: the token that the host draws from all weights, for every number that does not fall on an edge.
TEST_P(Search, DrawsTheTokenThatTheHostDraws) {
  const int64_t n = GetParam();
  const Device device = testing::searching_device(2);
  Random random(static_cast<uint32_t>(n) + 2);
  int64_t tried = 0, decided = 0;
  for (int round = 0; round < (n > 10000 ? 8 : 80); ++round) {
    const int64_t rows = random.pick(1, 2, 7, 33);
    Batch batch(rows, n, random);
    std::vector<ScoreSearch> draws;
    for (size_t i = 0; i < batch.samplers.size(); ++i) {
      SamplingOptions o;
      o.temperature = random.pick(0.01, 0.3, 1.0, 5.0, 1e6);
      o.repetition_penalty = batch.samplers[i].options().repetition_penalty;
      o.seed = random.below(1000);
      o.top_k = random.one_in(4) ? n : 0;  // no filter
      Sampler sampler(o);
      sampler.observe(batch.samplers[i].penalized(n));
      batch.samplers[i] = sampler;
      ASSERT_TRUE(can_draw(sampler, n));
      draws.push_back(draw_for(batch.samplers[i], batch.masks[i], i));
    }
    const std::vector<DrawnScore> drawn = draw_scores(Tensor::from(joined(batch.logits), {rows, n}, device), draws);
    ASSERT_EQ(std::ssize(drawn), rows);
    for (size_t i = 0; i < drawn.size(); ++i) {
      ++tried;
      const std::optional<int32_t> token = drawn_token(drawn[i], draws[i].number, n);
      if (!token) continue;
      ++decided;
      int32_t expected = -1;
      EXPECT_NO_THROW(expected = batch.samplers[i].sample(batch.logits[i], i, batch.masks[i]));
      ASSERT_EQ(*token, expected) << "row " << i << " of round " << round << ": temperature "
                                  << batch.samplers[i].options().temperature << ", number " << draws[i].number;
    }
  }
  EXPECT_GT(decided, tried / 2);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Search, ::testing::Values(1, 63, 64, 65, 1000, 4097, 128256));

TEST(Search, RowsDoNotDependOnOthersAndNoRowsAreFine) {
  constexpr int64_t kRows = 40, kTokens = 3001;
  const Device device = testing::searching_device(2);
  Random random(9);
  const Batch batch(kRows, kTokens, random);
  const Tensor logits = Tensor::from(joined(batch.logits), {kRows, kTokens}, device);
  const std::vector<FoundScores> all = search_scores(logits, batch.searches, 500);
  for (int64_t row = 0; row < kRows; ++row) {
    const auto i = static_cast<size_t>(row);
    const FoundScores alone = search_scores(slice(logits, 0, row, row + 1), {{batch.searches[i]}}, 500)[0];
    EXPECT_EQ(alone.decided, all[i].decided);
    if (!alone.decided) continue;
    EXPECT_EQ(alone.least, all[i].least);
    ASSERT_EQ(alone.tokens.size(), all[i].tokens.size());
    for (size_t j = 0; j < alone.tokens.size(); ++j) EXPECT_EQ(alone.tokens[j].id, all[i].tokens[j].id);
    if (batch.searches[i].temperature > 0) {
      EXPECT_EQ(alone.rest, all[i].rest);
    }
  }
  EXPECT_TRUE(search_scores(slice(logits, 0, 0, 0), {}, 500).empty());
}

TEST(Search, DrawsByNumbersAnywhere) {
  constexpr int64_t kTokens = 20000;
  const Device device = testing::searching_device(2);
  const Tensor logits = Tensor::zeros({1, kTokens}, DType::f32, device);
  const auto draw = [&](double number) { return draw_scores(logits, {{{.temperature = 1, .number = number}}})[0]; };
  for (const int64_t token : {0, 1, 4095, 4096, 12345, 19999}) {
    const DrawnScore drawn = draw((static_cast<double>(token) + 0.5) / kTokens);
    EXPECT_EQ(drawn.id, token);
    EXPECT_EQ(drawn.before, static_cast<double>(token));  // sums of ones are exact
    EXPECT_EQ(drawn.through, static_cast<double>(token + 1));
    EXPECT_EQ(drawn.total, static_cast<double>(kTokens));
  }
  EXPECT_EQ(draw(0).id, 0);
  EXPECT_EQ(draw(0x1.fffffffffffffp-1).id, kTokens - 1);
  // On an edge, and just beside one, the host is to decide.
  EXPECT_FALSE(drawn_token(draw(0.5), 0.5, kTokens));
  EXPECT_FALSE(drawn_token(draw(0.5 - 1e-14), 0.5 - 1e-14, kTokens));
  EXPECT_FALSE(drawn_token(draw(0), 0, kTokens));
  EXPECT_EQ(drawn_token(draw(0.500001), 0.500001, kTokens), 10000);
}

TEST(Search, RefusesWhatIsNotASearch) {
  const Device device = testing::searching_device(2);
  const Tensor logits = Tensor::zeros({1, 100}, DType::f32, device);
  const std::vector<uint64_t> word(1);
  using testing::fails_with;
  EXPECT_TRUE(fails_with("for each of 1 rows", [&] { search_scores(logits, {}, 10); }));
  EXPECT_TRUE(fails_with("leaders", [&] { search_scores(logits, std::vector<ScoreSearch>{{.leaders = 2000}}, 10); }));
  EXPECT_TRUE(fails_with("words", [&] { search_scores(logits, std::vector<ScoreSearch>{{.allowed = word}}, 10); }));
  EXPECT_TRUE(fails_with("for each of 1 rows", [&] { draw_scores(logits, {}); }));
  EXPECT_TRUE(fails_with("one leader", [&] { draw_scores(logits, {{{.leaders = 2, .temperature = 1}}}); }));
  EXPECT_TRUE(fails_with("temperature", [&] { draw_scores(logits, {{ScoreSearch{}}}); }));
  EXPECT_TRUE(fails_with("number", [&] { draw_scores(logits, {{{.temperature = 1, .number = 1}}}); }));
}

}  // namespace
}  // namespace tern
