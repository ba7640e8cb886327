// SPDX-License-Identifier: Apache-2.0
// Numbers made of the words of philox.h: the random numbers of arrays on every device (device/array_random.h). Of + - *
// / alone, so that all give the same bits.
//
// Functions have internal linkage: kernels that are compiled for one instruction set include this.
#pragma once

#include <stdint.h>

namespace tern {

// An integer below 2^32 / a double from 2^52 on as the number in its last bits: exact, and vectors have it everywhere.
static constexpr double double_of(uint32_t x) {
  const uint64_t bits = 0x4330000000000000u | x;
  return __builtin_bit_cast(double, bits) - 0x1p52;
}

// In [0, 1): of the first 24 bits of a word, of all 32, of the first 53 of two words.
static constexpr double fraction24(uint32_t word) { return double_of(word >> 8) * 0x1p-24; }
static constexpr double fraction32(uint32_t word) { return double_of(word) * 0x1p-32; }
static constexpr double fraction53(uint32_t upper, uint32_t lower) {
  return double_of(upper) * 0x1p-32 + double_of(lower >> 11) * 0x1p-53;
}

// log x for normal x > 0: 2·atanh(s), s = (m - 1) / (m + 1), of x = 2^e·m with m in [√½, √2], so |s| < 0.1716: the
// terms of the series from s^23 on are below 2^-60 of the first.
static constexpr double log_of(double x) {
  const uint64_t bits = __builtin_bit_cast(uint64_t, x);
  const double fraction = __builtin_bit_cast(double, (bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);
  const bool large = fraction > 0x1.6a09e667f3bcdp0;
  const double m = large ? 0.5 * fraction : fraction;
  const double e = double_of(static_cast<uint32_t>(bits >> 52)) - (large ? 1022.0 : 1023.0);
  const double s = (m - 1) / (m + 1), z = s * s;
  double sum = 1.0 / 21;
  sum = sum * z + 1.0 / 19;
  sum = sum * z + 1.0 / 17;
  sum = sum * z + 1.0 / 15;
  sum = sum * z + 1.0 / 13;
  sum = sum * z + 1.0 / 11;
  sum = sum * z + 1.0 / 9;
  sum = sum * z + 1.0 / 7;
  sum = sum * z + 1.0 / 5;
  sum = sum * z + 1.0 / 3;
  // log 2 in two parts, of which the first times e is exact.
  constexpr double kLog2 = 0x1.62e42fefap-1, kRest = 0x1.cf79abc9e3b3ap-40;
  return e * kLog2 + (2 * s + (2 * s * (z * sum) + e * kRest));
}

// sin and cos of 2π·turn for turn in [0, 1): the series at the nearest quarter's distance, at most π/4, whose first
// terms left out are below 2^-58.
static constexpr void sine_cosine(double turn, double& sine, double& cosine) {
  constexpr double kHalfPi = 0x1.921fb54442d18p0, kRound = 0x1.8p52;
  const double shifted = turn * 4 + kRound;
  const uint64_t quarter = __builtin_bit_cast(uint64_t, shifted) & 3;
  const double x = (turn * 4 - (shifted - kRound)) * kHalfPi, z = x * x;
  double s = 1.0 / 355687428096000;  // 17!
  s = s * z - 1.0 / 1307674368000;
  s = s * z + 1.0 / 6227020800;
  s = s * z - 1.0 / 39916800;
  s = s * z + 1.0 / 362880;
  s = s * z - 1.0 / 5040;
  s = s * z + 1.0 / 120;
  s = s * z - 1.0 / 6;
  s = x + x * (z * s);
  double c = 1.0 / 20922789888000;  // 16!
  c = c * z - 1.0 / 87178291200;
  c = c * z + 1.0 / 479001600;
  c = c * z - 1.0 / 3628800;
  c = c * z + 1.0 / 40320;
  c = c * z - 1.0 / 720;
  c = c * z + 1.0 / 24;
  c = 1 - 0.5 * z + z * (z * c);
  const bool swaps = (quarter & 1) != 0;
  const double first = swaps ? c : s, second = swaps ? s : c;
  sine = (quarter & 2) != 0 ? -first : first;
  cosine = quarter == 1 || quarter == 2 ? -second : second;
}

// The upper half of word · range, and whether the lower one is below `threshold`, which is 2^bits mod range: then the
// number is to be drawn again. A range of 0 is 2^64.
static constexpr uint32_t scaled(uint32_t word, uint64_t range, uint64_t threshold, bool& again) {
  const uint64_t product = word * range;
  again = static_cast<uint32_t>(product) < threshold;
  return static_cast<uint32_t>(product >> 32);
}

static constexpr uint64_t scaled(uint64_t word, uint64_t range, uint64_t threshold, bool& again) {
  if (range == 0) return word;
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(word) * range;
  again = static_cast<uint64_t>(product) < threshold;
  return static_cast<uint64_t>(product >> 64);
}

// That threshold for words of 32 or 64 bits: in the latter's arithmetic, -range mod range.
template <class Word>
static constexpr uint64_t range_threshold(uint64_t range) {
  if (range == 0) return 0;
  return sizeof(Word) == 4 ? (uint64_t{1} << 32) % range : (0 - range) % range;
}

}  // namespace tern
