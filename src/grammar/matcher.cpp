// SPDX-License-Identifier: Apache-2.0
#include "grammar/matcher.h"

#include <utility>

#include "base/check.h"
#include "grammar/grammar_state.h"
#include "grammar/state_table.h"
#include "grammar/token_masks.h"

namespace tern {

GrammarMatcher::GrammarMatcher(Grammar grammar, std::shared_ptr<const TokenTrie> trie)
    : grammar_(std::move(grammar)),
      trie_(std::move(trie)),
      states_(std::make_shared<StateTable>(grammar_.state_->automaton)),
      masks_(std::make_shared<TokenMasks>(trie_)),
      state_(states_->start()) {}

void GrammarMatcher::allowed(TokenMask& mask) {
  refresh_tables();
  masks_->allowed(*states_, state_, mask);
}

bool GrammarMatcher::accept(int32_t id) {
  refresh_tables();
  if (trie_->is_eos(id)) {
    if (!can_end()) return false;
    advance(StateTable::kDead);
    return true;
  }
  const std::string_view bytes = trie_->bytes(id);
  const uint32_t next = bytes.empty() ? StateTable::kDead : states_->step(state_, bytes);
  if (next == StateTable::kDead) return false;
  advance(next);
  return true;
}

void GrammarMatcher::advance(uint32_t state) {
  if (history_.size() >= 2 * kRollback) history_.erase(history_.begin(), history_.end() - kRollback);
  history_.push_back(std::exchange(state_, state));
}

bool GrammarMatcher::can_end() const { return states_->can_end(state_); }

// Only eos leads to the dead state.
bool GrammarMatcher::ended() const { return state_ == StateTable::kDead; }

void GrammarMatcher::rollback(size_t tokens) {
  check(tokens <= history_.size(), "grammar", "expected to take back at most {} tokens, got {}", history_.size(),
        tokens);
  if (tokens == 0) return;
  state_ = history_[history_.size() - tokens];
  history_.resize(history_.size() - tokens);
}

// Tables that have grown large are left to the copies that still use them.
void GrammarMatcher::refresh_tables() {
  if (!states_->is_large()) return;
  auto fresh = std::make_shared<StateTable>(grammar_.state_->automaton);
  const uint32_t state = fresh->import(*states_, state_);
  std::vector<uint32_t> history;
  for (const uint32_t old : history_) history.push_back(fresh->import(*states_, old));
  state_ = state;
  history_ = std::move(history);
  states_ = std::move(fresh);
  masks_ = std::make_shared<TokenMasks>(*masks_);
  masks_->forget_states();
}

}  // namespace tern
