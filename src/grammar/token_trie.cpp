// SPDX-License-Identifier: Apache-2.0
#include "grammar/token_trie.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tern {
namespace {

std::vector<std::string> bytes_of(const Tokenizer& tokenizer) {
  std::vector<std::string> bytes(static_cast<size_t>(tokenizer.vocab_size()));
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.is_special(id)) bytes[static_cast<size_t>(id)] = tokenizer.id_to_bytes(id);
  }
  return bytes;
}

}  // namespace

TokenTrie::TokenTrie(const Tokenizer& tokenizer, std::span<const int32_t> eos) : TokenTrie(bytes_of(tokenizer), eos) {}

TokenTrie::TokenTrie(std::vector<std::string> tokens, std::span<const int32_t> eos)
    : bytes_(std::move(tokens)), eos_(eos.begin(), eos.end()) {
  for (const int32_t id : eos_) {
    check(id >= 0 && id < vocab_size(), "grammar", "expected an end-of-text id from 0 to {}, got {}", vocab_size() - 1,
          id);
    bytes_[static_cast<size_t>(id)].clear();
  }
  build();
}

void TokenTrie::build() {
  for (int32_t id = 0; id < vocab_size(); ++id) {
    if (!bytes(id).empty()) tokens_.push_back(id);
  }
  std::stable_sort(tokens_.begin(), tokens_.end(), [&](int32_t a, int32_t b) { return bytes(a) < bytes(b); });
  std::vector<uint32_t> path = {0};  // from the root to the last token
  nodes_.push_back({0, 0, 0, 0});
  const auto close_below = [&](size_t depth) {
    for (; path.size() > depth + 1; path.pop_back()) nodes_[path.back()].next = static_cast<uint32_t>(nodes_.size());
  };
  std::string_view last;
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const std::string_view token = bytes(tokens_[i]);
    const size_t shared = static_cast<size_t>(
        std::mismatch(token.begin(), token.begin() + std::min(token.size(), last.size()), last.begin()).first -
        token.begin());
    close_below(shared);
    for (size_t at = shared; at < token.size(); ++at) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({0, static_cast<uint32_t>(i), static_cast<uint32_t>(at + 1), static_cast<uint8_t>(token[at])});
    }
    longest_ = std::max(longest_, static_cast<uint32_t>(token.size()));
    last = token;
  }
  close_below(0);
  nodes_[0].next = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({nodes_[0].next, static_cast<uint32_t>(tokens_.size()), 0, 0});
}

std::string_view TokenTrie::bytes(int32_t id) const {
  return id >= 0 && id < vocab_size() ? std::string_view(bytes_[static_cast<size_t>(id)]) : std::string_view();
}

bool TokenTrie::is_eos(int32_t id) const { return std::find(eos_.begin(), eos_.end(), id) != eos_.end(); }

}  // namespace tern
