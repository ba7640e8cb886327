// SPDX-License-Identifier: Apache-2.0
// One element of an array in another element type.

inline float float_of(Bf16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  return __builtin_bit_cast(float, bits);
}

// Subnormal numbers by a multiplication, the others by moving the exponent; what is infinite or NaN stays so.
inline float float_of(F16 x) {
  const uint32_t sign = (x.bits & 0x8000u) << 16, rest = x.bits & 0x7fffu;
  const uint32_t normal = (rest << 13) + 0x38000000u, special = normal + 0x38000000u;
  const float small = static_cast<float>(static_cast<int32_t>(rest)) * 0x1p-24f;
  const uint32_t bits = rest < 0x400u ? __builtin_bit_cast(uint32_t, small) : rest >= 0x7c00u ? special : normal;
  return __builtin_bit_cast(float, sign | bits);
}

// To nearest, ties to even; NaN stays NaN, with its quiet bit.
inline Bf16 bf16_of(float x) {
  const uint32_t from = __builtin_bit_cast(uint32_t, x);
  const uint32_t rounded = (from + 0x7fffu + ((from >> 16) & 1u)) >> 16, nan = (from >> 16) | 0x40u;
  return {static_cast<uint16_t>((from & 0x7fffffffu) > 0x7f800000u ? nan : rounded)};
}

inline F16 f16_of(float x) {
  const uint32_t from = __builtin_bit_cast(uint32_t, x), sign = (from >> 16) & 0x8000u, size = from & 0x7fffffffu;
  const float shifted = __builtin_bit_cast(float, size) + 0.5f;  // the last bit of a sum below 1 is 2^-24
  const uint32_t subnormal = __builtin_bit_cast(uint32_t, shifted) - 0x3f000000u;
  const uint32_t normal = (size - 0x38000000u + 0xfffu + ((size >> 13) & 1u)) >> 13;
  const uint32_t nan = 0x7e00u | ((size >> 13) & 0x3ffu);
  const uint32_t half = size > 0x7f800000u    ? nan
                        : size >= 0x47800000u ? 0x7c00u
                        : size < 0x38800000u  ? subnormal
                                              : normal;
  return {static_cast<uint16_t>(sign | half)};
}

// A double with 24 bits at most, for a rounding to 12 bits or fewer: the last one stands for all that are cut off.
inline double cut_for_rounding(double x) {
  constexpr uint64_t kCut = (uint64_t{1} << 29) - 1;
  const uint64_t bits = __builtin_bit_cast(uint64_t, x);
  return __builtin_bit_cast(double, (bits & ~kCut) | ((bits & kCut) != 0 ? kCut + 1 : 0));
}

// The same of the size of an integer.
inline uint32_t cut_for_rounding(uint32_t size) {
  constexpr uint32_t kCut = 0xff;
  const uint32_t cut = (size & ~kCut) | ((size & kCut) != 0 ? kCut + 1 : 0);
  return size >> 24 ? cut : size;
}

// Through a float, which is exact where it is normal. Smaller numbers are 0 as f16.
inline F16 f16_of(double x) { return f16_of(static_cast<float>(cut_for_rounding(x))); }

// Below the normal numbers, the last bit of a sum with 2^-81 is that of a bf16, 2^-133.
inline Bf16 bf16_of(double x) {
  const uint64_t bits = __builtin_bit_cast(uint64_t, x), sign = bits >> 63;
  const double size = __builtin_bit_cast(double, bits & ~(uint64_t{1} << 63)), shifted = size + 0x1p-81;
  const uint64_t subnormal = __builtin_bit_cast(uint64_t, shifted) - __builtin_bit_cast(uint64_t, 0x1p-81);
  const Bf16 normal = bf16_of(static_cast<float>(cut_for_rounding(x)));
  return {static_cast<uint16_t>(size < 0x1p-126 ? sign << 15 | subnormal : normal.bits)};
}

// The i32 that x is truncated to, held between the ends of T; anything for NaN. Ends are seen in the bits, where
// holding takes a minimum of integers each and no branch: as unsigned numbers those of negative x lie above all others
// and grow with their size, as signed ones those of positive x do. x at least T's end that F lacks is held just below
// it.
template <class T, class F>
inline int32_t held(F x) {
  constexpr bool kLacks = sizeof(T) >= sizeof(F);
  constexpr F kEnd = static_cast<F>(kGreatest<T>);
  constexpr Unsigned<F> kLow = bits_of(static_cast<F>(kLeast<T>)) | kSignBit<F>;
  constexpr Signed<F> kHigh = static_cast<Signed<F>>(bits_of(kEnd)) - (kLacks ? 1 : 0);
  const Unsigned<F> bits = bits_of(x), above = bits < kLow ? bits : kLow;
  const auto within = static_cast<Signed<F>>(above) < kHigh ? static_cast<Signed<F>>(above) : kHigh;
  const auto number = static_cast<int32_t>(__builtin_bit_cast(F, within));
  return kLacks && x >= kEnd ? static_cast<int32_t>(kGreatest<T>) : number;
}

// Truncates toward zero and saturates; NaN gives 0. A greatest integer that F lacks rounds up to a power of two, which
// itself saturates. 100,000 f32 to i8 take 7.5 us by way of the bits, 12.3 where x is compared with the ends.
template <class T, class F>
inline T saturated(F x) {
  if constexpr (sizeof(T) <= 2 || kSame<T, int32_t>) return static_cast<T>(x == x ? held<T>(x) : 0);
  if (x != x) return 0;
  return x >= static_cast<F>(kGreatest<T>) ? kGreatest<T>
         : x <= static_cast<F>(kLeast<T>)  ? kLeast<T>
                                           : static_cast<T>(x);
}

template <class T>
constexpr T one() {
  if constexpr (kSame<T, Bf16>) {
    return {0x3f80};
  } else if constexpr (kSame<T, F16>) {
    return {0x3c00};
  } else if constexpr (kComplex<T>) {
    return {1, 0};
  } else {
    return {1};
  }
}

// The integer of T nearest to one of F.
template <class T, class F>
inline T nearest_integer(F x) {
  if constexpr (kSigned<F> && kSigned<T>) {
    if (int64_t{x} < int64_t{kLeast<T>}) return kLeast<T>;
  }
  if (kSigned<F> && x < F{0}) return kSigned<T> ? static_cast<T>(x) : T{0};
  return static_cast<uint64_t>(x) > static_cast<uint64_t>(kGreatest<T>) ? kGreatest<T> : static_cast<T>(x);
}

template <class To>
inline To half_of_float(float x) {
  if constexpr (kSame<To, Bf16>) {
    return bf16_of(x);
  } else {
    return f16_of(x);
  }
}

// f16 or bf16 of a real number, rounded once.
template <class To, class From>
inline To half_of(From x) {
  if constexpr (kSame<From, float> || sizeof(From) <= 2) {
    return half_of_float<To>(static_cast<float>(x));
  } else if constexpr (kSame<From, double>) {
    if constexpr (kSame<To, Bf16>) {
      return bf16_of(x);
    } else {
      return f16_of(x);
    }
  } else if constexpr (sizeof(From) == 4) {
    const bool negative = kSigned<From> && x < From{0};
    const auto bits = static_cast<uint32_t>(x);
    const float size = static_cast<float>(cut_for_rounding(negative ? 0u - bits : bits));
    return half_of_float<To>(negative ? -size : size);
  } else {
    // Bits that neither a double nor a half can have become one: whether there are any.
    const bool negative = kSigned<From> && x < From{0};
    const uint64_t size = negative ? uint64_t{0} - static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
    const uint64_t kept = size >> 53 ? (size & ~uint64_t{0xfff}) | ((size & 0xfff) != 0 ? 0x1000 : 0) : size;
    const double of_size = static_cast<double>(kept);
    return half_of<To>(negative ? -of_size : of_size);
  }
}

template <class To, class From>
inline To element_of(From x) {
  if constexpr (kSame<To, From>) {
    return x;
  } else if constexpr (kSame<From, Bool>) {
    constexpr To kZero = {}, kOne = one<To>();
    return x.byte != 0 ? kOne : kZero;
  } else if constexpr (kHalf<From>) {
    return element_of<To>(float_of(x));
  } else if constexpr (kSame<To, Bool>) {
    if constexpr (kComplex<From>) {
      return {static_cast<uint8_t>(x.re != 0 || x.im != 0)};
    } else {
      return {static_cast<uint8_t>(x != From{0})};
    }
  } else if constexpr (kComplex<To>) {
    using R = decltype(To::re);
    if constexpr (kComplex<From>) {
      return {static_cast<R>(x.re), static_cast<R>(x.im)};
    } else {
      return {static_cast<R>(x), R{0}};
    }
  } else if constexpr (kComplex<From>) {
    return element_of<To>(x.re);
  } else if constexpr (kHalf<To>) {
    return half_of<To>(x);
  } else if constexpr (kReal<From> && kInteger<To>) {
    return saturated<To>(x);
  } else {
    return static_cast<To>(x);
  }
}
