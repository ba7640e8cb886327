// SPDX-License-Identifier: Apache-2.0
#include "text/utf8.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace tern {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// A row of Unicode's table 3-7: how many bytes follow a lead byte, and the range of the first of them.
struct Lead {
  size_t following;
  uint8_t low, high;
};

Lead lead(uint8_t byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {1, 0x80, 0xBF};
  if (byte == 0xE0) return {2, 0xA0, 0xBF};
  if (byte == 0xED) return {2, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {2, 0x80, 0xBF};
  if (byte == 0xF0) return {3, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {3, 0x80, 0xBF};
  if (byte == 0xF4) return {3, 0x80, 0x8F};
  return {0, 0, 0};
}

size_t ascii_prefix(std::string_view bytes) {
  size_t at = 0;
  for (uint64_t word = 0; at + sizeof word <= bytes.size(); at += sizeof word) {
    std::memcpy(&word, bytes.data() + at, sizeof word);
    if (word & 0x8080808080808080u) break;
  }
  while (at < bytes.size() && static_cast<uint8_t>(bytes[at]) < 0x80) ++at;
  return at;
}

}  // namespace

Utf8Step utf8_step(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  if (byte(0) < 0x80) return {Utf8Step::kCharacter, 1};
  const Lead row = lead(byte(0));
  if (row.following == 0) return {Utf8Step::kInvalid, 1};
  uint8_t low = row.low, high = row.high;
  for (size_t i = 1; i <= row.following; ++i, low = 0x80, high = 0xBF) {
    if (i == bytes.size()) return {Utf8Step::kIncomplete, i};
    if (byte(i) < low || byte(i) > high) return {Utf8Step::kInvalid, i};
  }
  return {Utf8Step::kCharacter, row.following + 1};
}

size_t utf8_prefix(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    at += ascii_prefix(bytes.substr(at));
    if (at == bytes.size()) break;
    const Utf8Step step = utf8_step(bytes.substr(at));
    if (step.kind != Utf8Step::kCharacter) break;
    at += step.length;
  }
  return at;
}

size_t non_utf8_prefix(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const Utf8Step step = utf8_step(bytes.substr(at));
    if (step.kind == Utf8Step::kCharacter) break;
    at += step.length;
  }
  return at;
}

size_t append_utf8(std::string_view bytes, bool last, std::string& text) {
  size_t at = 0;
  while (at < bytes.size()) {
    const size_t valid = utf8_prefix(bytes.substr(at));
    text.append(bytes.substr(at, valid));
    at += valid;
    if (at == bytes.size()) break;
    const Utf8Step step = utf8_step(bytes.substr(at));
    if (step.kind == Utf8Step::kIncomplete && !last) break;
    text.append(kReplacement);
    at += step.length;
  }
  return at;
}

bool is_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || code == 0x20 || code == 0x85 || code == 0xA0 || code == 0x1680 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F ||
         code == 0x3000;
}

}  // namespace tern
