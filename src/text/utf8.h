// SPDX-License-Identifier: Apache-2.0
// UTF-8 met in the wild: which bytes are characters, and text with U+FFFD where they are not.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tern {

// The beginning of a byte string: one character, bytes that no character can begin with, or a character cut off by the
// end.
struct Utf8Step {
  enum Kind { kCharacter, kInvalid, kIncomplete };
  Kind kind;
  // kInvalid: the maximal subpart of an ill-formed sequence (Unicode 15, section 3.9), which one U+FFFD replaces.
  size_t length;
};

// Expects bytes to be non-empty.
Utf8Step utf8_step(std::string_view bytes);

// The length of the longest prefix that is UTF-8, and of the longest prefix in which no character begins.
size_t utf8_prefix(std::string_view bytes);
size_t non_utf8_prefix(std::string_view bytes);

// Appends bytes as UTF-8 with U+FFFD for each ill-formed part; returns how many bytes were used up. All of them if
// `last`; else all but a character cut off at the end.
size_t append_utf8(std::string_view bytes, bool last, std::string& text);

// Unicode's White_Space property.
bool is_space(char32_t code);

}  // namespace tern
