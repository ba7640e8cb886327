// SPDX-License-Identifier: Apache-2.0
// Ranges of characters as ranges of UTF-8 bytes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "grammar/tree.h"

namespace tern {

struct ByteRange {
  uint8_t first, last;
};

// The texts of `length` bytes of which byte i is in bytes[i].
struct Utf8Sequence {
  std::array<ByteRange, 4> bytes;
  uint32_t length;
};

// Sequences that describe exactly the UTF-8 of the range's characters, each of them once (R. Cox, "Regular Expression
// Matching in the Wild", 2010). Expects no surrogates.
void append_utf8_sequences(CharRange range, std::vector<Utf8Sequence>& sequences);

}  // namespace tern
