// SPDX-License-Identifier: Apache-2.0
// The text that a model is trained and validated on.
#pragma once

#include <string>
#include <vector>

#include "tern/train.h"

namespace tern::cli {

// Documents, one per file.
struct Corpus {
  std::vector<std::string> train, validation;
};

// Reads the files. Without validation files, the last `validation_share` of the training text moves over, from the
// beginning of a line if there is one near. Throws Error naming a file that cannot be read.
Corpus read_corpus(const std::vector<std::string>& train_files, const std::vector<std::string>& validation_files,
                   double validation_share);

// Bytes of all texts together.
int64_t total_bytes(const std::vector<std::string>& texts);

// The ids of all documents. Each of the training documents stands between the model's bos and eos, where these are
// special tokens of the tokenizer; validation text is taken as it is, as `tern eval` takes it.
TrainData tokenize(const Corpus& corpus, const Tokenizer& tokenizer, const ModelConfig& model);

}  // namespace tern::cli
