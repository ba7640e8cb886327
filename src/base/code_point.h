// SPDX-License-Identifier: Apache-2.0
// One character in UTF-8 and its number.
#pragma once

#include <string>
#include <string_view>

namespace tern {

// The code point of one well-formed character.
char32_t code_point(std::string_view character);

// Appends a code point, at most U+10FFFF.
void append_code_point(char32_t code, std::string& text);

}  // namespace tern
