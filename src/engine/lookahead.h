// SPDX-License-Identifier: Apache-2.0
// The draws of one step: of the next token, and of those behind tokens that were guessed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/pick.h"
#include "engine/sampler.h"
#include "grammar/matcher.h"
#include "tern/engine.h"

namespace tern {

// Knows what decides a request's draws: sampler, grammar, and how many tokens there are. A step opens with begin();
// guess() appends a token and the draw behind it; push() takes a token that was really drawn and ends the step.
class Lookahead {
 public:
  // trie may be null without a grammar. prompt: what the repetition penalty has seen. Throws Error for options out of
  // range.
  Lookahead(const TextOptions& options, std::vector<int64_t> eos, int64_t vocab_size, std::span<const int32_t> prompt,
            std::shared_ptr<const TokenTrie> trie);

  // Forgets guesses. False when the grammar allows no token.
  bool begin();
  // False, and nothing appended, if generation could not go on behind this token.
  bool guess(int32_t id);

  size_t size() const { return rows_; }
  // The draw behind the first `row` guesses; valid until the next call of begin, guess or push.
  PickRequest request(size_t row) const;

  void push(int32_t id);

  bool is_eos(int32_t id) const;

 private:
  struct Row {
    std::optional<Sampler> sampler;  // sampler_ if it has seen the same tokens
    TokenMask mask;
    std::vector<uint64_t> allowed;  // empty without a grammar
  };

  bool add_row();
  bool refresh_mask(Row& row);
  void forget_guesses();

  std::vector<int64_t> eos_;
  int64_t vocab_size_;
  bool ignore_eos_, penalizes_;
  int top_logprobs_;
  Sampler sampler_;
  std::optional<GrammarMatcher> matcher_;
  int32_t mask_size_ = 0;
  uint64_t drawn_ = 0;
  std::vector<Row> row_storage_;  // kept, so that masks keep their memory
  size_t rows_ = 0;
};

}  // namespace tern
