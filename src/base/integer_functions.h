// SPDX-License-Identifier: Apache-2.0
// Quotients, remainders and powers of integers, wrapped, for all devices: the same answers everywhere, also where C++
// has none. A divisor of 0, which ops reject, gives 0.
#pragma once

#include <cstdint>
#include <type_traits>

namespace tern {

// a / b toward 0.
template <class T>
constexpr T truncated_quotient(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return static_cast<T>(-static_cast<uint64_t>(a));
  }
  return static_cast<T>(a / b);
}

// a / b toward minus infinity.
template <class T>
constexpr T floor_quotient_of_integers(T a, T b) {
  const T quotient = truncated_quotient(a, b);
  if constexpr (std::is_signed_v<T>) {
    const bool above = b != 0 && b != -1 && a % b != 0 && (a < 0) != (b < 0);
    return static_cast<T>(quotient - (above ? 1 : 0));
  }
  return quotient;
}

// a - b·floor(a / b): of b's sign.
template <class T>
constexpr T remainder_of_integers(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;
    const auto rest = static_cast<T>(a % b);
    return static_cast<T>(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
  }
  return static_cast<T>(a % b);
}

// a ** b. For a negative exponent the quotient 1 / a ** -b truncates: 0 but for the units (and for 0).
template <class T>
constexpr T power(T a, T b) {
  if constexpr (std::is_signed_v<T>) {
    if (b < 0) return a == 1 ? T{1} : a != -1 ? T{0} : b % 2 == 0 ? T{1} : T{-1};
  }
  uint64_t base = static_cast<uint64_t>(a), result = 1;
  for (auto left = static_cast<uint64_t>(b); left > 0; left >>= 1) {
    if (left & 1) result *= base;
    base *= base;
  }
  return static_cast<T>(result);
}

}  // namespace tern
