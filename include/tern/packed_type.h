// SPDX-License-Identifier: Apache-2.0
// What packed tensors are made of: small integers, many to a byte.
//
// A row, the values along the last axis, begins at a byte and ends with one; other axes only say where rows lie. So any
// leading axes can be sliced without moving a bit. A tensor without axes is one row of one value.
//
//   ternary    base 3, 1.6 bits: five values in a byte, as the digits value + 1, the first one least:
//
//                byte = d0 + 3·d1 + 9·d2 + 27·d3 + 81·d4      0 … 242
//
//   the others are fields of k bits in a stream, the first value and its lowest bit first. Eight values fill k bytes:
//
//     bit       7   6   5   4   3   2   1   0     here k = 2: ternary2, i2, u2
//             +-------+-------+-------+-------+
//     value   |   3   |   2   |   1   |   0   |
//             +-------+-------+-------+-------+
//     bit       7   6   5   4   3   2   1   0  |  7   6   5   4   3   2   1   0     k = 3: a value may go over a border
//             +-------+-----------+-----------++---+-----------+-----------+---
//     value   | 2, low|     1     |     0     ||  5|     4     |     3     | 2
//             +-------+-----------+-----------++---+-----------+-----------+---
//
//   ternary2   value + 1 in two bits: 0, 1 or 2; 3 is invalid
//   sign1      one bit: 1 for +1, 0 for -1
//   i2 … i7    two's complement
//   u1 … u7    as they are
//
// What a row's last byte has beyond its values is 0: bits, and the digits of base 3. So equal values are equal bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace tern {

// There is no i1, -1 and 0, for which nobody has asked; i8 and u8 are dtypes of tensors.
enum class PackedType : uint8_t { ternary, ternary2, sign1, i2, i3, i4, i5, i6, i7, u1, u2, u3, u4, u5, u6, u7 };

inline constexpr int kPackedTypeCount = 16;

// "ternary", "ternary2", "sign1", "i2", …
std::string_view name_of(PackedType type);
// The inverse of name_of. Throws Error for an unknown name.
PackedType packed_type_from_name(std::string_view name);

// Whether the values are -1, 0 and +1.
constexpr bool is_ternary(PackedType type) { return type == PackedType::ternary || type == PackedType::ternary2; }

// Bits of a field; 2 is an upper bound for base 3.
constexpr int field_bits(PackedType type) {
  if (is_ternary(type)) return 2;
  if (type == PackedType::sign1) return 1;
  const int number = static_cast<int>(type);
  return type < PackedType::u1 ? number - static_cast<int>(PackedType::i2) + 2
                               : number - static_cast<int>(PackedType::u1) + 1;
}

// Of long rows.
constexpr double bits_per_value(PackedType type) { return type == PackedType::ternary ? 1.6 : field_bits(type); }

// The ends of the values.
constexpr int least_of(PackedType type) {
  if (is_ternary(type) || type == PackedType::sign1) return -1;
  return type < PackedType::u1 ? -(1 << (field_bits(type) - 1)) : 0;
}
constexpr int greatest_of(PackedType type) {
  if (is_ternary(type) || type == PackedType::sign1) return 1;
  return type < PackedType::u1 ? (1 << (field_bits(type) - 1)) - 1 : (1 << field_bits(type)) - 1;
}

// Bytes of a row of `count` values.
constexpr int64_t packed_row_bytes(PackedType type, int64_t count) {
  if (type == PackedType::ternary) return count / 5 + (count % 5 != 0 ? 1 : 0);
  return count / 8 * field_bits(type) + (count % 8 * field_bits(type) + 7) / 8;
}

}  // namespace tern
