// SPDX-License-Identifier: Apache-2.0
// Text to token ids and back: byte-level BPE as Hugging Face's tokenizer.json describes it, streaming decode, training.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tern/error.h"

namespace tern {

// The patterns by which Llama-3 and GPT-2 split text into the pieces that merges stay within.
inline constexpr std::string_view kLlama3Split =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
inline constexpr std::string_view kGpt2Split =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

// What Tokenizer::train learns.
struct BpeTrainOptions {
  // Special tokens, 256 bytes and merged tokens together; fewer are learned when the text runs out of frequent pairs.
  int32_t vocab_size = 4096;
  std::string split = std::string(kLlama3Split);
  // Take the ids 0, 1, …; recognised in text, never produced by merging.
  std::vector<std::string> special_tokens = {"<|begin_of_text|>", "<|end_of_text|>"};
  // A pair that occurs less often is not merged.
  int64_t min_frequency = 2;
};

// A byte-level BPE tokenizer. An immutable value: copies share their tables, and threads may use one at the same time.
//
// Reads the part of Hugging Face's tokenizer.json that byte-level BPE needs: model BPE (merges as pairs or as strings,
// ignore_merges), pre_tokenizer Split (Isolated, Removed), ByteLevel and Sequence, decoder ByteLevel, no normalizer,
// added tokens with all their flags. Anything else that would change ids is an Error naming the field and its value.
// post_processor, truncation and padding are policies of the caller and are ignored: encode adds no token by itself.
class Tokenizer {
 public:
  // Reads a tokenizer.json, or the one in a directory. Throws Error naming the path and the field at fault.
  static Tokenizer load(const std::string& path);
  // The same from memory; `name` stands for the path in errors.
  static Tokenizer parse(std::string_view json, const std::string& name);
  // Learns merges from the texts: the most frequent pair of neighbours first, of equals the one with the smaller left
  // id, then the smaller right id. Ids: special tokens, the 256 bytes in byte-level order, merged tokens as learned.
  // The same texts and options give the same tokenizer. Throws Error for options that cannot be met.
  static Tokenizer train(std::span<const std::string_view> texts, const BpeTrainOptions& options = {});

  // The ids of a text, which may hold any bytes. Added tokens in it become their ids; the special ones of them only if
  // parse_special, so that without it no text makes a special token unless the file's own merges lead to one. A run of
  // bytes that are not UTF-8 is a piece of its own where a pattern splits, and the text on either side of it is split
  // as if it stood alone. decode_bytes gives the text back, unless the file adds a prefix space, strips or removes
  // some. Throws Error for a byte without a token, and for a text on which the split pattern runs wild.
  std::vector<int32_t> encode(std::string_view text, bool parse_special = true) const;
  // The text of ids, each part of it that is not UTF-8 replaced by U+FFFD as Hugging Face does it. Ids without a token
  // stand for nothing; skip_special leaves out special tokens.
  std::string decode(std::span<const int32_t> ids, bool skip_special = false) const;
  // The same, byte for byte: the concatenation of id_to_bytes.
  std::string decode_bytes(std::span<const int32_t> ids, bool skip_special = false) const;

  // The largest id plus one, added tokens counted.
  int32_t vocab_size() const;
  // The id of a token as tokenizer.json writes it ("Ġthe"; special tokens as they are).
  std::optional<int32_t> token_to_id(std::string_view token) const;
  // The bytes an id stands for; empty for an id without a token.
  std::string id_to_bytes(int32_t id) const;
  bool is_special(int32_t id) const;

  // Writes tokenizer.json in one step: the loaded document unchanged, or what train learned. Hugging Face's tokenizers
  // loads it to the same ids. Throws Error naming the path; an older file stays as it was then.
  void save(const std::string& path) const;

 private:
  struct State;
  explicit Tokenizer(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

// Decodes ids one at a time, never splitting a character: what push and finish return concatenates to decode(all ids).
class StreamDecoder {
 public:
  explicit StreamDecoder(Tokenizer tokenizer, bool skip_special = false)
      : tokenizer_(std::move(tokenizer)), skip_special_(skip_special) {}

  // The text that is complete with this id; a character whose last bytes may follow is held back.
  std::string push(int32_t id);
  // What was held back, as U+FFFD, if anything; the decoder is as new afterwards.
  std::string finish();

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
  std::string pending_;  // at most 3 bytes: the beginning of a character
};

}  // namespace tern
