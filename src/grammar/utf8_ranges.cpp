// SPDX-License-Identifier: Apache-2.0
#include "grammar/utf8_ranges.h"

#include <string>

#include "base/code_point.h"

namespace tern {

void append_utf8_sequences(CharRange range, std::vector<Utf8Sequence>& sequences) {
  // Both ends with the same number of bytes.
  for (const char32_t last : {char32_t{0x7F}, char32_t{0x7FF}, char32_t{0xFFFF}}) {
    if (range.first > last || range.last <= last) continue;
    append_utf8_sequences({range.first, last}, sequences);
    return append_utf8_sequences({last + 1, range.last}, sequences);
  }
  // Where the ends differ in a byte, all that follows must run over everything that can follow.
  for (int bits = 6; bits <= 18 && range.last >= 0x80; bits += 6) {
    const char32_t rest = (char32_t{1} << bits) - 1;
    if ((range.first & ~rest) == (range.last & ~rest)) continue;
    if ((range.first & rest) != 0) {
      append_utf8_sequences({range.first, range.first | rest}, sequences);
      return append_utf8_sequences({(range.first | rest) + 1, range.last}, sequences);
    }
    if ((range.last & rest) != rest) {
      append_utf8_sequences({range.first, (range.last & ~rest) - 1}, sequences);
      return append_utf8_sequences({range.last & ~rest, range.last}, sequences);
    }
  }
  std::string first, last;
  append_code_point(range.first, first);
  append_code_point(range.last, last);
  Utf8Sequence sequence{{}, static_cast<uint32_t>(first.size())};
  for (size_t i = 0; i < first.size(); ++i)
    sequence.bytes[i] = {static_cast<uint8_t>(first[i]), static_cast<uint8_t>(last[i])};
  sequences.push_back(sequence);
}

}  // namespace tern
