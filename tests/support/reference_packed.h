// SPDX-License-Identifier: Apache-2.0
// Packed rows by the letter of tern/packed_type.h, a bit or a digit at a time: the oracle of packed tensors.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tern/packed_type.h"

namespace tern::testing {

// How a type's values become fields: value + offset in `bits` bits, or digits where bits is 0.
struct PackedFacts {
  PackedType type;
  std::string_view name;
  int bits, least, greatest;
  bool has_zero;
};

inline constexpr std::array<PackedFacts, 16> kPackedFacts = {{
    {PackedType::ternary, "ternary", 0, -1, 1, true},
    {PackedType::ternary2, "ternary2", 2, -1, 1, true},
    {PackedType::sign1, "sign1", 1, -1, 1, false},
    {PackedType::i2, "i2", 2, -2, 1, true},
    {PackedType::i3, "i3", 3, -4, 3, true},
    {PackedType::i4, "i4", 4, -8, 7, true},
    {PackedType::i5, "i5", 5, -16, 15, true},
    {PackedType::i6, "i6", 6, -32, 31, true},
    {PackedType::i7, "i7", 7, -64, 63, true},
    {PackedType::u1, "u1", 1, 0, 1, true},
    {PackedType::u2, "u2", 2, 0, 3, true},
    {PackedType::u3, "u3", 3, 0, 7, true},
    {PackedType::u4, "u4", 4, 0, 15, true},
    {PackedType::u5, "u5", 5, 0, 31, true},
    {PackedType::u6, "u6", 6, 0, 63, true},
    {PackedType::u7, "u7", 7, 0, 127, true},
}};

inline bool holds(const PackedFacts& facts, long double value) {
  return value >= facts.least && value <= facts.greatest && (facts.has_zero || value != 0);
}

// The field of a value.
inline unsigned field_of(const PackedFacts& facts, int value) {
  if (!facts.has_zero) return value > 0 ? 1 : 0;
  if (facts.least == -1) return static_cast<unsigned>(value + 1);
  return static_cast<unsigned>(value < 0 ? value + (1 << facts.bits) : value);
}

inline size_t reference_row_bytes(const PackedFacts& facts, size_t cols) {
  size_t bytes = 0;
  if (facts.bits == 0) {
    while (5 * bytes < cols) ++bytes;
  } else {
    while (8 * bytes < cols * static_cast<size_t>(facts.bits)) ++bytes;
  }
  return bytes;
}

inline std::vector<uint8_t> reference_pack(const PackedFacts& facts, const std::vector<int>& values, size_t cols) {
  const size_t row_bytes = reference_row_bytes(facts, cols), rows = cols == 0 ? 0 : values.size() / cols;
  std::vector<uint8_t> bytes(rows * row_bytes);
  for (size_t row = 0; row < rows; ++row) {
    uint8_t* const out = bytes.data() + row * row_bytes;
    for (size_t col = 0; col < cols; ++col) {
      const unsigned field = field_of(facts, values[row * cols + col]);
      if (facts.bits == 0) {
        unsigned weight = 1;
        for (size_t j = 0; j < col % 5; ++j) weight *= 3;
        out[col / 5] = static_cast<uint8_t>(out[col / 5] + field * weight);
        continue;
      }
      for (int b = 0; b < facts.bits; ++b) {
        const size_t bit = col * static_cast<size_t>(facts.bits) + static_cast<size_t>(b);
        if (field >> b & 1u) out[bit / 8] = static_cast<uint8_t>(out[bit / 8] | 1u << bit % 8);
      }
    }
  }
  return bytes;
}

// Whether a row's bytes are those of values.
inline bool is_packed_row(const PackedFacts& facts, const std::vector<uint8_t>& row, size_t cols) {
  size_t bit = 0;
  for (size_t col = 0; col < cols && facts.bits != 0; ++col) {
    unsigned field = 0;
    for (int b = 0; b < facts.bits; ++b, ++bit) field |= (row[bit / 8] >> bit % 8 & 1u) << b;
    if (facts.has_zero && facts.least == -1 && field == 3) return false;
  }
  for (; facts.bits != 0 && bit < 8 * row.size(); ++bit) {
    if (row[bit / 8] >> bit % 8 & 1u) return false;
  }
  for (size_t at = 0; at < row.size() && facts.bits == 0; ++at) {
    unsigned rest = row[at];
    for (size_t j = 0; j < 5 && 5 * at + j < cols; ++j) rest /= 3;
    if (rest != 0) return false;
  }
  return true;
}

// The value that saturation makes of a number; not of NaN.
inline int reference_saturated(const PackedFacts& facts, long double number) {
  if (!facts.has_zero) return number < 0 ? -1 : 1;
  const long double whole = std::nearbyint(number);
  return static_cast<int>(whole < facts.least ? facts.least : whole > facts.greatest ? facts.greatest : whole);
}

// All values of a type, over and over.
inline std::vector<int> cycling_values(const PackedFacts& facts, size_t count, unsigned seed) {
  std::vector<int> values;
  for (unsigned state = seed; values.size() < count;) {
    state = state * 1664525u + 1013904223u;
    const int value =
        facts.least + static_cast<int>((state >> 16) % static_cast<unsigned>(facts.greatest - facts.least + 1));
    if (holds(facts, value)) values.push_back(value);
  }
  return values;
}

}  // namespace tern::testing
