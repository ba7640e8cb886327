// SPDX-License-Identifier: Apache-2.0
// Which tokens may come next: a grammar followed token by token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "grammar/token_mask.h"
#include "grammar/token_trie.h"
#include "tern/grammar.h"

namespace tern {

class StateTable;
class TokenMasks;

// Follows one text. Copies go their own ways, but share tables that they fill as they go: a matcher and its copies
// belong to one thread at a time, and a copy of a matcher that has worked before starts with warm tables.
class GrammarMatcher {
 public:
  // How many tokens at least can be taken back.
  static constexpr size_t kRollback = 256;

  GrammarMatcher(Grammar grammar, std::shared_ptr<const TokenTrie> trie);

  // Sets mask to the tokens that accept would take. End-of-text ids are among them exactly when the text may end here.
  // Empty once ended(), and where a vocabulary lacks the tokens to go on. Throws Error when the grammar reads the text
  // in more ways than memory is granted for.
  void allowed(TokenMask& mask);

  // Goes on with a token; false and unchanged if it is not allowed. Tokens without bytes never are. Throws as allowed.
  bool accept(int32_t id);

  // The text so far is one of the grammar's.
  bool can_end() const;
  // An end-of-text id has been accepted.
  bool ended() const;

  // Takes back the last tokens. Throws Error for more than were accepted or are kept (kRollback).
  void rollback(size_t tokens);

 private:
  void refresh_tables();
  void advance(uint32_t state);

  Grammar grammar_;
  std::shared_ptr<const TokenTrie> trie_;
  std::shared_ptr<StateTable> states_;
  std::shared_ptr<TokenMasks> masks_;
  uint32_t state_;
  std::vector<uint32_t> history_;  // the states before state_, the last ones of them
};

}  // namespace tern
