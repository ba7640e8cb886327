// SPDX-License-Identifier: Apache-2.0
#include "engine/lookahead.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tern {

Lookahead::Lookahead(const TextOptions& options, std::vector<int64_t> eos, int64_t vocab_size,
                     std::span<const int32_t> prompt, std::shared_ptr<const TokenTrie> trie)
    : eos_(std::move(eos)),
      vocab_size_(vocab_size),
      ignore_eos_(options.ignore_eos),
      penalizes_(options.sampling.repetition_penalty != 1.0),
      top_logprobs_(options.top_logprobs),
      sampler_(options.sampling) {
  check(top_logprobs_ >= -1 && top_logprobs_ <= vocab_size, "generate",
        "expected top_logprobs between -1 and the vocabulary's {}, got {}", vocab_size, top_logprobs_);
  sampler_.observe(prompt);
  if (!options.grammar) return;
  mask_size_ = trie->vocab_size();
  matcher_.emplace(*options.grammar, std::move(trie));
}

bool Lookahead::is_eos(int32_t id) const { return std::find(eos_.begin(), eos_.end(), id) != eos_.end(); }

void Lookahead::forget_guesses() {
  if (matcher_ && rows_ > 1) matcher_->rollback(rows_ - 1);
  rows_ = 0;
}

bool Lookahead::begin() {
  forget_guesses();
  return add_row();
}

bool Lookahead::guess(int32_t id) {
  if (is_eos(id) && !ignore_eos_) return false;
  if (matcher_) {
    const std::vector<uint64_t>& allowed = row_storage_[rows_ - 1].allowed;
    const bool may = (allowed[static_cast<size_t>(id) / 64] >> (id % 64) & 1) != 0;
    if (!may || !matcher_->accept(id)) return false;
  }
  if (!add_row()) {
    if (matcher_) matcher_->rollback(1);
    return false;
  }
  if (penalizes_) {
    const Row& before = row_storage_[rows_ - 2];
    Sampler sampler = before.sampler ? *before.sampler : sampler_;
    sampler.observe({&id, 1});
    row_storage_[rows_ - 1].sampler = std::move(sampler);
  }
  return true;
}

bool Lookahead::add_row() {
  if (row_storage_.size() == rows_) row_storage_.emplace_back();
  Row& row = row_storage_[rows_];
  row.sampler.reset();
  if (matcher_ && !refresh_mask(row)) return false;
  ++rows_;
  return true;
}

// The matcher's mask in the model's vocabulary, which may be padded.
bool Lookahead::refresh_mask(Row& row) {
  if (row.mask.size() == 0) row.mask = TokenMask(mask_size_);
  matcher_->allowed(row.mask);
  const std::span<const uint64_t> words = row.mask.words();
  row.allowed.assign(static_cast<size_t>((vocab_size_ + 63) / 64), 0);
  std::copy_n(words.begin(), std::min(words.size(), row.allowed.size()), row.allowed.begin());
  const auto forbid = [&](int64_t id) { row.allowed[static_cast<size_t>(id) / 64] &= ~(uint64_t{1} << (id % 64)); };
  for (int64_t id = vocab_size_; id < std::ssize(row.allowed) * 64; ++id) forbid(id);
  if (ignore_eos_) {
    for (const int64_t id : eos_) {
      if (id < vocab_size_) forbid(id);
    }
  }
  return std::any_of(row.allowed.begin(), row.allowed.end(), [](uint64_t word) { return word != 0; });
}

PickRequest Lookahead::request(size_t row) const {
  const Row& found = row_storage_[row];
  return {found.sampler ? &*found.sampler : &sampler_, drawn_ + row,
          matcher_ ? std::span<const uint64_t>(found.allowed) : std::span<const uint64_t>(), top_logprobs_};
}

void Lookahead::push(int32_t id) {
  forget_guesses();
  sampler_.observe({&id, 1});
  if (matcher_) matcher_->accept(id);
  ++drawn_;
}

}  // namespace tern
