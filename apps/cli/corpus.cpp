// SPDX-License-Identifier: Apache-2.0
#include "corpus.h"

#include "files.h"

namespace tern::cli {
namespace {

std::vector<std::string> read_all(const std::vector<std::string>& files) {
  std::vector<std::string> texts;
  for (const std::string& file : files) texts.push_back(read_text(file));
  return texts;
}

bool inside_character(const std::string& text, size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80;
}

// Where to cut text at or after `at`: behind a line if that leaves at least half of what follows, else behind a
// character.
size_t cut_after(const std::string& text, size_t at) {
  const size_t line = text.find('\n', at);
  if (line != std::string::npos && line + 1 - at <= (text.size() - at) / 2) return line + 1;
  while (inside_character(text, at)) ++at;
  return at;
}

void split_validation(Corpus& corpus, double share) {
  auto wanted = static_cast<size_t>(share * static_cast<double>(total_bytes(corpus.train)));
  while (wanted > 0 && !corpus.train.empty()) {
    std::string& last = corpus.train.back();
    const size_t cut = wanted < last.size() ? cut_after(last, last.size() - wanted) : 0;
    wanted -= std::min(wanted, last.size());
    corpus.validation.insert(corpus.validation.begin(), last.substr(cut));
    last.resize(cut);
    if (last.empty()) corpus.train.pop_back();
  }
}

void append_special(std::vector<int32_t>& ids, const Tokenizer& tokenizer, int64_t id) {
  if (id >= 0 && id < tokenizer.vocab_size() && tokenizer.is_special(static_cast<int32_t>(id))) {
    ids.push_back(static_cast<int32_t>(id));
  }
}

void append_text(std::vector<int32_t>& ids, const Tokenizer& tokenizer, const std::string& text) {
  const std::vector<int32_t> encoded = tokenizer.encode(text);
  ids.insert(ids.end(), encoded.begin(), encoded.end());
}

}  // namespace

Corpus read_corpus(const std::vector<std::string>& train_files, const std::vector<std::string>& validation_files,
                   double validation_share) {
  Corpus corpus{read_all(train_files), read_all(validation_files)};
  if (validation_files.empty()) split_validation(corpus, validation_share);
  return corpus;
}

int64_t total_bytes(const std::vector<std::string>& texts) {
  int64_t bytes = 0;
  for (const std::string& text : texts) bytes += std::ssize(text);
  return bytes;
}

TrainData tokenize(const Corpus& corpus, const Tokenizer& tokenizer, const ModelConfig& model) {
  TrainData data;
  for (const std::string& text : corpus.train) {
    append_special(data.train, tokenizer, model.bos_token_id);
    append_text(data.train, tokenizer, text);
    if (!model.eos_token_ids.empty()) append_special(data.train, tokenizer, model.eos_token_ids.front());
  }
  for (const std::string& text : corpus.validation) append_text(data.validation, tokenizer, text);
  if (!data.validation.empty()) {
    data.validation_bytes_per_token =
        static_cast<double>(total_bytes(corpus.validation)) / static_cast<double>(data.validation.size());
  }
  return data;
}

}  // namespace tern::cli
