// SPDX-License-Identifier: Apache-2.0
#include "tern/text.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/check.h"
#include "base/file.h"
#include "text/bpe_train.h"
#include "text/byte_level.h"
#include "text/tokenizer_state.h"
#include "text/utf8.h"

namespace tern {
namespace {

// The bytes of a token as Hugging Face's ByteLevel decodes it: what its characters stand for if they are all of the
// byte-level alphabet, else the token itself.
std::string token_bytes(const std::string& token) { return from_byte_level(token).value_or(token); }

std::array<int32_t, 256> byte_ids(const TokenizerSpec& spec, const std::string& name) {
  std::array<int32_t, 256> ids;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto found = spec.ids.find(to_byte_level(std::string(1, static_cast<char>(byte))));
    ids[byte] = found == spec.ids.end() ? Bpe::kNoToken : found->second;
  }
  const bool complete = std::find(ids.begin(), ids.end(), Bpe::kNoToken) == ids.end();
  check(complete || !spec.has_unknown_token, "tokenizer",
        "expected a token for each of the 256 bytes beside model.unk_token, got fewer in {}", name);
  return ids;
}

// All tokens of the model that text may become; special tokens must not come about by merging.
StringMap<int32_t> words(const TokenizerSpec& spec) {
  StringMap<int32_t> bytes;
  for (const auto& [token, id] : spec.ids) {
    if (std::optional<std::string> word = from_byte_level(token)) bytes.emplace(std::move(*word), id);
  }
  for (const AddedToken& token : spec.added) {
    if (token.special) bytes.erase(token_bytes(token.content));
  }
  return bytes;
}

}  // namespace

Tokenizer::State::State(std::string text, TokenizerSpec spec, const std::string& name)
    : document(std::move(text)),
      tokens(spec.vocab.size()),
      pre_tokenizer(std::move(spec.steps)),
      bpe(byte_ids(spec, name), std::move(spec.merges), words(spec), spec.ignore_merges),
      added(std::move(spec.added)) {
  for (size_t id = 0; id < tokens.size(); ++id) tokens[id].bytes = token_bytes(spec.vocab[id]);
  ids = std::move(spec.ids);
  for (const AddedToken& token : added.tokens()) {
    const auto id = static_cast<size_t>(token.id);
    if (id >= tokens.size()) tokens.resize(id + 1);
    tokens[id] = {token_bytes(token.content), token.special};
    ids.emplace(token.content, token.id);
  }
}

Tokenizer Tokenizer::load(const std::string& path) {
  const std::filesystem::path given(path);
  std::error_code ignored;
  const std::string file = std::filesystem::is_directory(given, ignored) ? (given / "tokenizer.json").string() : path;
  return parse(read_file(file), file);
}

Tokenizer Tokenizer::parse(std::string_view json, const std::string& name) {
  return Tokenizer(std::make_shared<const State>(std::string(json), parse_tokenizer_json(json, name), name));
}

Tokenizer Tokenizer::train(std::span<const std::string_view> texts, const BpeTrainOptions& options) {
  return parse(train_bpe(texts, options), "a trained tokenizer");
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool parse_special) const {
  std::vector<int32_t> ids;
  const PreTokenizer::Emit encode_piece = [&](std::string_view piece) { state_->bpe.encode(piece, ids); };
  state_->added.split(
      text, parse_special, [&](std::string_view part) { state_->pre_tokenizer.split(part, encode_piece); },
      [&](int32_t id) { ids.push_back(id); });
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string text;
  append_utf8(decode_bytes(ids, skip_special), /*last=*/true, text);
  return text;
}

std::string Tokenizer::decode_bytes(std::span<const int32_t> ids, bool skip_special) const {
  std::string bytes;
  for (const int32_t id : ids) {
    const State::Token* token = state_->find(id);
    if (token && !(skip_special && token->special)) bytes += token->bytes;
  }
  return bytes;
}

int32_t Tokenizer::vocab_size() const { return static_cast<int32_t>(state_->tokens.size()); }

std::optional<int32_t> Tokenizer::token_to_id(std::string_view token) const {
  const auto found = state_->ids.find(token);
  return found == state_->ids.end() ? std::nullopt : std::optional(found->second);
}

std::string Tokenizer::id_to_bytes(int32_t id) const {
  const State::Token* token = state_->find(id);
  return token ? token->bytes : std::string();
}

bool Tokenizer::is_special(int32_t id) const {
  const State::Token* token = state_->find(id);
  return token && token->special;
}

void Tokenizer::save(const std::string& path) const { write_file_atomically(path, state_->document); }

std::string StreamDecoder::push(int32_t id) {
  if (!(skip_special_ && tokenizer_.is_special(id))) pending_ += tokenizer_.id_to_bytes(id);
  std::string text;
  pending_.erase(0, append_utf8(pending_, /*last=*/false, text));
  return text;
}

std::string StreamDecoder::finish() {
  std::string text;
  append_utf8(pending_, /*last=*/true, text);
  pending_.clear();
  return text;
}

}  // namespace tern
