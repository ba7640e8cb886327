// SPDX-License-Identifier: Apache-2.0
// Hugging Face's tokenizer.json: reading it as hostile input, writing it for a trained vocabulary.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/pre_tokenizer.h"

namespace tern {

// No vocabulary comes near; a larger id is taken for damage before memory is spent on it.
inline constexpr int32_t kMaxTokens = 1 << 21;

// What a tokenizer.json says, in our terms and consistent: no two tokens share an id, merges name tokens that exist.
struct TokenizerSpec {
  std::vector<std::string> vocab;  // by id, as written; empty where the model has no token
  StringMap<int32_t> ids;          // of the same
  std::vector<BpeMerge> merges;
  bool ignore_merges = false;
  bool has_unknown_token = false;
  std::vector<SplitStep> steps;
  std::vector<AddedToken> added;  // distinct, not empty, agreeing with vocab where they are in it, too
};

// Throws Error naming the document and the field for all that is malformed, inconsistent or not supported.
TokenizerSpec parse_tokenizer_json(std::string_view json, const std::string& name);

// A document for a byte-level BPE with one split pattern. vocab: by id, as written; the first special_count of them are
// special tokens. merges: pairs of ids.
std::string write_tokenizer_json(const std::string& split, std::span<const std::string> vocab, size_t special_count,
                                 std::span<const std::pair<int32_t, int32_t>> merges);

}  // namespace tern
