// SPDX-License-Identifier: Apache-2.0
#include "text/bpe_train.h"

#include <algorithm>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/check.h"
#include "text/byte_level.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer_json.h"
#include "text/utf8.h"

namespace tern {
namespace {

constexpr const char* kOp = "train_tokenizer";
using Pair = std::pair<int32_t, int32_t>;

struct PairHash {
  size_t operator()(const Pair& pair) const {
    return std::hash<uint64_t>()(
        (uint64_t{static_cast<uint32_t>(pair.first)} << 32 | static_cast<uint32_t>(pair.second)) * 0x9E3779B97F4A7C15u);
  }
};

// A distinct piece of the text, as merged so far.
struct Word {
  std::vector<int32_t> symbols;
  int64_t count;
};

// How often two tokens are neighbours, and the words where they are or once were.
struct PairUse {
  int64_t count = 0;
  std::vector<uint32_t> words;
};

// A count that held when it was queued. The greatest is merged first: the most frequent pair, of equals the smallest.
struct Candidate {
  int64_t count;
  Pair pair;
  bool operator<(const Candidate& other) const { return std::tie(count, other.pair) < std::tie(other.count, pair); }
};

StringMap<int64_t> count_pieces(std::span<const std::string_view> texts, const std::string& split) {
  std::vector<SplitStep> steps(1);
  steps[0].pattern = Regex(split, Regex::Syntax::kPattern, "BpeTrainOptions::split");
  const PreTokenizer pre_tokenizer(std::move(steps));
  StringMap<int64_t> counts;
  const PreTokenizer::Emit count = [&](std::string_view piece) {
    const auto found = counts.find(piece);
    if (found != counts.end()) {
      ++found->second;
    } else {
      counts.emplace(piece, 1);
    }
  };
  for (const std::string_view text : texts) pre_tokenizer.split(text, count);
  return counts;
}

class Trainer {
 public:
  Trainer(std::span<const std::string_view> texts, const BpeTrainOptions& options) : options_(options) {
    add_special_tokens();
    add_bytes();
    check(options.vocab_size >= static_cast<int32_t>(vocab_.size()) && options.vocab_size <= kMaxTokens, kOp,
          "expected a vocab_size from {} (special tokens and bytes) to {}, got {}", vocab_.size(), kMaxTokens,
          options.vocab_size);
    check(options.min_frequency >= 1, kOp, "expected a min_frequency of at least 1, got {}", options.min_frequency);
    add_words(count_pieces(texts, options.split));
  }

  std::string run() {
    for (const auto& [pair, use] : pairs_) push(pair, use.count);
    while (vocab_.size() < static_cast<size_t>(options_.vocab_size) && !queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const int64_t now = pairs_.at(best.pair).count;
      if (now == best.count) {
        merge(best.pair);
      } else if (now < best.count) {
        push(best.pair, now);
      }
    }
    return write_tokenizer_json(options_.split, vocab_, options_.special_tokens.size(), merges_);
  }

 private:
  void add_special_tokens() {
    for (const std::string& token : options_.special_tokens) {
      check(!token.empty() && utf8_prefix(token) == token.size(), kOp,
            "expected special tokens of UTF-8 that are not empty, got one that is");
      check(special_.insert(token).second, kOp, "expected distinct special tokens, got \"{}\" twice", token);
      vocab_.push_back(token);
    }
  }

  void add_bytes() {
    for (const uint8_t byte : byte_level_order()) {
      std::string token = to_byte_level(std::string(1, static_cast<char>(byte)));
      check(!special_.contains(token), kOp, "expected special tokens other than the bytes' own, got \"{}\"", token);
      byte_ids_[byte] = add_token(std::move(token));
    }
  }

  void add_words(const StringMap<int64_t>& counts) {
    for (const auto& [piece, count] : counts) {
      if (piece.size() < 2) continue;
      Word word{{}, count};
      for (const char byte : piece) word.symbols.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
      words_.push_back(std::move(word));
      const auto index = static_cast<uint32_t>(words_.size() - 1);
      const std::vector<int32_t>& symbols = words_.back().symbols;
      for (size_t i = 0; i + 1 < symbols.size(); ++i) change({symbols[i], symbols[i + 1]}, count, index);
    }
    risen_.clear();
  }

  int32_t add_token(std::string token) {
    const auto id = static_cast<int32_t>(vocab_.size());
    ids_.emplace(token, id);
    vocab_.push_back(std::move(token));
    return id;
  }

  void push(const Pair& pair, int64_t count) {
    if (count >= options_.min_frequency) queue_.push({count, pair});
  }

  void change(const Pair& pair, int64_t by, uint32_t word) {
    PairUse& use = pairs_[pair];
    use.count += by;
    if (by < 0) return;
    if (use.words.empty() || use.words.back() != word) use.words.push_back(word);
    risen_.push_back(pair);
  }

  // Two ways to the same token share its id; a special token's text is never merged.
  void merge(const Pair& pair) {
    std::string token = vocab_[static_cast<size_t>(pair.first)] + vocab_[static_cast<size_t>(pair.second)];
    if (special_.contains(token)) return;
    const auto known = ids_.find(token);
    const int32_t merged = known != ids_.end() ? known->second : add_token(std::move(token));
    merges_.push_back(pair);
    const std::vector<uint32_t> words = std::move(pairs_.at(pair).words);
    pairs_.at(pair).words.clear();
    for (const uint32_t word : words) merge_in(word, pair, merged);
    std::sort(risen_.begin(), risen_.end());
    risen_.erase(std::unique(risen_.begin(), risen_.end()), risen_.end());
    for (const Pair& risen : risen_) push(risen, pairs_.at(risen).count);
    risen_.clear();
  }

  void merge_in(uint32_t index, const Pair& pair, int32_t merged) {
    Word& word = words_[index];
    const int64_t count = word.count;
    std::vector<int32_t>& symbols = word.symbols;
    size_t kept = 0;
    for (size_t i = 0; i < symbols.size(); ++i) {
      if (i + 1 == symbols.size() || symbols[i] != pair.first || symbols[i + 1] != pair.second) {
        symbols[kept++] = symbols[i];
        continue;
      }
      change(pair, -count, index);
      if (kept > 0) {
        change({symbols[kept - 1], pair.first}, -count, index);
        change({symbols[kept - 1], merged}, count, index);
      }
      if (i + 2 < symbols.size()) {
        change({pair.second, symbols[i + 2]}, -count, index);
        change({merged, symbols[i + 2]}, count, index);
      }
      symbols[kept++] = merged;
      ++i;
    }
    symbols.resize(kept);
  }

  const BpeTrainOptions& options_;
  std::unordered_set<std::string> special_;
  std::vector<std::string> vocab_;  // by id, as tokenizer.json writes it
  StringMap<int32_t> ids_;          // of the tokens that are not special
  std::array<int32_t, 256> byte_ids_{};
  std::vector<Word> words_;
  std::unordered_map<Pair, PairUse, PairHash> pairs_;
  std::vector<Pair> risen_;  // pairs whose count has gone up since they were queued
  std::priority_queue<Candidate> queue_;
  std::vector<Pair> merges_;
};

}  // namespace

std::string train_bpe(std::span<const std::string_view> texts, const BpeTrainOptions& options) {
  return Trainer(texts, options).run();
}

}  // namespace tern
