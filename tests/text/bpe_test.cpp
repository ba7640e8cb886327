// SPDX-License-Identifier: Apache-2.0
#include "text/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>

#include "tern/error.h"

namespace tern {
namespace {

// Random merges over the letters a…d, and the definition of BPE by them: the pair of least rank, the leftmost of
// equals, is merged until none is left.
class BpeTest : public testing::Test {
 protected:
  static constexpr int32_t kLetters = 4;

  BpeTest() {
    for (int32_t i = 0; i < kLetters; ++i) tokens_.push_back(std::string(1, static_cast<char>('a' + i)));
    while (merges_.size() < 60) {
      const auto left = static_cast<int32_t>(random_() % tokens_.size());
      const auto right = static_cast<int32_t>(random_() % tokens_.size());
      const std::string merged = tokens_[static_cast<size_t>(left)] + tokens_[static_cast<size_t>(right)];
      if (std::find(tokens_.begin(), tokens_.end(), merged) != tokens_.end()) continue;
      merges_.push_back({left, right, static_cast<int32_t>(tokens_.size())});
      tokens_.push_back(merged);
    }
    std::shuffle(merges_.begin(), merges_.end(), random_);
  }

  Bpe make(bool ignore_merges) const {
    std::array<int32_t, 256> byte_ids;
    byte_ids.fill(Bpe::kNoToken);
    for (int32_t i = 0; i < kLetters; ++i) byte_ids[static_cast<size_t>('a' + i)] = i;
    StringMap<int32_t> words;
    for (size_t id = 0; id < tokens_.size(); ++id) words.emplace(tokens_[id], static_cast<int32_t>(id));
    return Bpe(byte_ids, merges_, words, ignore_merges);
  }

  std::vector<int32_t> expected(const std::string& piece) const {
    std::vector<int32_t> ids;
    for (const char letter : piece) ids.push_back(letter - 'a');
    for (;;) {
      size_t best = merges_.size(), at = 0;
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        for (size_t rank = 0; rank < best; ++rank) {
          if (merges_[rank].left == ids[i] && merges_[rank].right == ids[i + 1]) best = rank, at = i;
        }
      }
      if (best == merges_.size()) return ids;
      ids[at] = merges_[best].merged;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
  }

  std::string random_piece(size_t length) {
    std::string piece;
    while (piece.size() < length) piece.push_back(static_cast<char>('a' + random_() % kLetters));
    return piece;
  }

  std::mt19937 random_{3};
  std::vector<std::string> tokens_;
  std::vector<BpeMerge> merges_;
};

TEST_F(BpeTest, MergesByTheDefinition) {
  const Bpe bpe = make(/*ignore_merges=*/false);
  for (size_t length = 0; length < 160; ++length) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      const std::string piece = random_piece(length);
      std::vector<int32_t> ids;
      bpe.encode(piece, ids);
      ASSERT_EQ(ids, expected(piece)) << piece;
    }
  }
}

TEST_F(BpeTest, WordsCountOnlyWithIgnoreMerges) {
  const Bpe merging = make(/*ignore_merges=*/false), looking_up = make(/*ignore_merges=*/true);
  for (size_t id = 0; id < tokens_.size(); ++id) {
    std::vector<int32_t> merged, looked_up;
    merging.encode(tokens_[id], merged);
    looking_up.encode(tokens_[id], looked_up);
    EXPECT_EQ(merged, expected(tokens_[id]));
    EXPECT_EQ(looked_up, std::vector{static_cast<int32_t>(id)});
  }
}

TEST_F(BpeTest, NamesAByteWithoutAToken) {
  std::vector<int32_t> ids;
  try {
    make(/*ignore_merges=*/false).encode("abz", ids);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[encode] expected only bytes that have a token, got 0x7a");
  }
}

TEST_F(BpeTest, TakesTimeNearlyLinearInALongPiece) {
  const Bpe bpe = make(/*ignore_merges=*/false);
  std::vector<int32_t> ids;
  const auto begin = std::chrono::steady_clock::now();
  bpe.encode(std::string(1 << 20, 'a'), ids);
  bpe.encode(random_piece(1 << 20), ids);
  // A quadratic loop would take hours.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));
  EXPECT_LT(ids.size(), size_t{2} << 20);
}

TEST(PairMap, FindsWhatWasInserted) {
  std::mt19937 random(5);
  std::map<std::pair<int32_t, int32_t>, uint32_t> reference;
  PairMap map(5000);
  for (uint32_t i = 0; i < 5000; ++i) {
    const auto left = static_cast<int32_t>(random() % 100), right = static_cast<int32_t>(random() % 100);
    map.insert(left, right, i);
    reference[{left, right}] = i;
  }
  for (int32_t left = 0; left < 100; ++left) {
    for (int32_t right = 0; right < 100; ++right) {
      const auto found = reference.find({left, right});
      EXPECT_EQ(map.find(left, right), found == reference.end() ? PairMap::kAbsent : found->second);
    }
  }
  EXPECT_EQ(PairMap(0).find(0, 0), PairMap::kAbsent);
}

}  // namespace
}  // namespace tern
