// SPDX-License-Identifier: Apache-2.0
#include "text/byte_level.h"

#include "base/code_point.h"
#include "text/utf8.h"

namespace tern {
namespace {

constexpr char32_t kFirstMoved = 0x100;
constexpr size_t kMoved = 68;

constexpr bool visible(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<char32_t, 256> character{};
  std::array<uint8_t, kMoved> moved{};
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  size_t moved = 0;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (visible(byte)) {
      alphabet.character[byte] = byte;
    } else {
      alphabet.character[byte] = kFirstMoved + static_cast<char32_t>(moved);
      alphabet.moved[moved++] = static_cast<uint8_t>(byte);
    }
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

std::optional<uint8_t> byte_of(char32_t code) {
  if (code < 256 && visible(code)) return static_cast<uint8_t>(code);
  if (code >= kFirstMoved && code < kFirstMoved + kMoved) return kAlphabet.moved[code - kFirstMoved];
  return std::nullopt;
}

}  // namespace

std::string to_byte_level(std::string_view bytes) {
  std::string token;
  for (const char byte : bytes) append_code_point(kAlphabet.character[static_cast<uint8_t>(byte)], token);
  return token;
}

std::optional<std::string> from_byte_level(std::string_view token) {
  std::string bytes;
  while (!token.empty()) {
    const Utf8Step step = utf8_step(token);
    if (step.kind != Utf8Step::kCharacter) return std::nullopt;
    const std::optional<uint8_t> byte = byte_of(code_point(token.substr(0, step.length)));
    if (!byte) return std::nullopt;
    bytes.push_back(static_cast<char>(*byte));
    token.remove_prefix(step.length);
  }
  return bytes;
}

std::array<uint8_t, 256> byte_level_order() {
  std::array<uint8_t, 256> order{};
  size_t at = 0;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (visible(byte)) order[at++] = static_cast<uint8_t>(byte);
  }
  for (const uint8_t byte : kAlphabet.moved) order[at++] = byte;
  return order;
}

}  // namespace tern
