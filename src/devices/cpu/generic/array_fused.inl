// SPDX-License-Identifier: Apache-2.0
// a·b + c, rounded once, also where no instruction does it: the same bits then, for numbers far from under- and overflow.
inline double fused(double a, double b, double c) {
  if constexpr (Fusion::kByInstruction) {
    return __builtin_fma(a, b, c);
  } else {
    // a·b = product + lost by halves (Veltkamp, Dekker), product + c = sum + rest (Knuth), both exactly. What is below
    // sum is rounded to odd, so that the last rounding sees on which side of a tie it lies (Boldo, Melquiond).
    constexpr double kSplit = 0x1p27 + 1;
    const double p = a * kSplit, q = b * kSplit;
    const double a_high = p - (p - a), b_high = q - (q - b), a_low = a - a_high, b_low = b - b_high;
    const double product = a * b;
    const double lost = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low);
    const double sum = product + c, of_c = sum - product;
    const double rest = (product - (sum - of_c)) + (c - of_c);
    const double low = rest + lost, of_lost = low - rest;
    const double below = (rest - (low - of_lost)) + (lost - of_lost);
    const uint64_t bits = __builtin_bit_cast(uint64_t, low);
    const uint64_t step = (below > 0) == (low > 0) ? 1 : ~uint64_t{0};
    const double odd = __builtin_bit_cast(double, bits + ((below == 0) | ((bits & 1) != 0) ? 0 : step));
    return low == 0 ? sum : sum + odd;  // the sign of a sum of 0, too
  }
}
