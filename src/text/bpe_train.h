// SPDX-License-Identifier: Apache-2.0
// Learning a byte-level BPE vocabulary from text.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tern/text.h"

namespace tern {

// The tokenizer.json that Tokenizer::train's contract describes.
std::string train_bpe(std::span<const std::string_view> texts, const BpeTrainOptions& options);

}  // namespace tern
