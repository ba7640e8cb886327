// SPDX-License-Identifier: Apache-2.0
// What copies of a Tokenizer share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tern/text.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer_json.h"

namespace tern {

struct Tokenizer::State {
  struct Token {
    std::string bytes;
    bool special = false;
  };

  // document: the tokenizer.json that spec was read from; save() gives it back.
  State(std::string document, TokenizerSpec spec, const std::string& name);

  const Token* find(int32_t id) const {
    return id >= 0 && static_cast<size_t>(id) < tokens.size() ? &tokens[static_cast<size_t>(id)] : nullptr;
  }

  std::string document;
  std::vector<Token> tokens;  // by id
  StringMap<int32_t> ids;     // by token, as written
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  AddedTokens added;
};

}  // namespace tern
