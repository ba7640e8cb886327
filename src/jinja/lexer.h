// SPDX-License-Identifier: Apache-2.0
// A template's text cut into tokens, with whitespace control as Jinja's trim_blocks and lstrip_blocks define it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tern::jinja {

struct Token {
  enum class Type : uint8_t {
    data,
    variable_begin,
    variable_end,
    block_begin,
    block_end,
    name,
    string,
    integer,
    real,
    op,
    end
  };
  Type type;
  int line;
  std::string text;  // strings without quotes and escapes, numbers without _
};

// The last token is `end`. Expects UTF-8 with \n for line ends; throws SyntaxFault.
std::vector<Token> tokenize(std::string_view source);

// A mistake in the template's text.
struct SyntaxFault {
  int line;
  std::string message;
};

}  // namespace tern::jinja
