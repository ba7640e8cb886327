// SPDX-License-Identifier: Apache-2.0
// Any bytes as a tokenizer.json (up to the first NUL) and as a text (what follows): an Error, or ids that decode and
// stream alike.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tern/text.h"

namespace {

constexpr std::string_view kText = "abc the  <|end_of_text|> 12345\n\xC3\xA9\xFF <s>";

bool streams_alike(const tern::Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  tern::StreamDecoder decoder(tokenizer);
  std::string text;
  for (const int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish() == tokenizer.decode(ids);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(input.find('\0'), size);
  const std::string_view text = end < size ? input.substr(end + 1) : kText;
  try {
    const tern::Tokenizer tokenizer = tern::Tokenizer::parse(input.substr(0, end), "input");
    for (const bool parse_special : {false, true}) {
      if (!streams_alike(tokenizer, tokenizer.encode(text, parse_special))) __builtin_trap();
    }
  } catch (const tern::Error&) {
  }
  return 0;
}
