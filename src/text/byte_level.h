// SPDX-License-Identifier: Apache-2.0
// The byte-level alphabet of GPT-2: a printable character for every byte, so that vocabularies can be written as text.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tern {

// Bytes that Latin-1 shows as a visible character ('!'…'~', '¡'…'¬', '®'…'ÿ') are written as that character; the other
// 68, in order, as U+0100, U+0101, … So a space is 'Ġ' (U+0120) and a newline 'Ċ'.
std::string to_byte_level(std::string_view bytes);
// The bytes that a token's characters stand for; nothing if one of them is not of the alphabet.
std::optional<std::string> from_byte_level(std::string_view token);
// All bytes, in the order of their characters: the order in which Hugging Face numbers an initial alphabet.
std::array<uint8_t, 256> byte_level_order();

}  // namespace tern
