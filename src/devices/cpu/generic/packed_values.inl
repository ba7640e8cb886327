// SPDX-License-Identifier: Apache-2.0
// Elements of arrays to the int8 values that packed types hold, and back, in loops that compilers turn into vectors.

// What becomes of a number: the nearest value, and 1 where that will not do.
struct Taken {
  int8_t value;
  uint8_t bad;
};

// In the place of NaN.
constexpr int kNoNumber = 1 << 20;

// To nearest even, of what is near the values; what is not becomes the integer beside the end that it is beyond.
template <class T>
inline int nearest_int(T x, int least, int greatest) {
  const T low = static_cast<T>(least - 1), high = static_cast<T>(greatest + 1);
  const T near = x < low ? low : x > high ? high : x;
  const T number = near == near ? near : static_cast<T>(kNoNumber);
  constexpr T kRounder = kSame<T, double> ? static_cast<T>(0x1.8p52) : static_cast<T>(0x1.8p23);
  return static_cast<int>((number + kRounder) - kRounder);
}

// A type whose values are all integers from one end to the other. `strict` is 1 where other numbers are bad, or 0: what
// would be a branch keeps compilers from making vectors.
struct RangeRule {
  int least, greatest;
  uint8_t strict;

  template <class T>
  Taken of_int(T x) const {
    const T low = static_cast<T>(kSigned<T> || least > 0 ? least : 0), high = static_cast<T>(greatest);
    const T value = x < low ? low : x > high ? high : x;
    return {static_cast<int8_t>(value), static_cast<uint8_t>((x != value ? 1 : 0) & strict)};
  }
  template <class T>
  Taken of_float(T x) const {
    const int near = nearest_int(x, least, greatest);
    const Taken one = of_int(near);
    return {one.value, static_cast<uint8_t>(one.bad | (near == kNoNumber ? 1 : 0))};
  }
};

// sign1. A number is -1 or +1 where it is nearer to that than to 0; if it need not be, its sign.
struct SignRule {
  uint8_t strict;

  template <class T>
  Taken of_int(T x) const {
    const T value = static_cast<T>(kSigned<T> && x < T{0} ? -1 : 1);
    return {static_cast<int8_t>(value), static_cast<uint8_t>((x != value ? 1 : 0) & strict)};
  }
  template <class T>
  Taken of_float(T x) const {
    const int near = nearest_int(x, -1, 1), value = x < T{0} ? -1 : 1;
    const int bad = ((near != value ? 1 : 0) & strict) | (near == kNoNumber ? 1 : 0);
    return {static_cast<int8_t>(value), static_cast<uint8_t>(bad)};
  }
};

template <class From, class Rule>
inline Taken taken(From x, const Rule& rule) {
  if constexpr (kHalf<From>) {
    return rule.of_float(float_of(x));
  } else if constexpr (kReal<From>) {
    return rule.of_float(x);
  } else if constexpr (kSame<From, Bool>) {
    return rule.of_int(static_cast<uint8_t>(x.byte != 0 ? 1 : 0));
  } else {
    return rule.of_int(x);
  }
}

// Elements kStride apart, or `stride` where that is 0. `rule` is a copy: for all that compilers know, y may be
// anything.
template <int64_t kStride, class From, class Rule>
bool take_steps(const From* __restrict x, int64_t stride, int64_t n, const Rule rule, int8_t* __restrict y) {
  const int64_t step = kStride == 0 ? stride : kStride;
  uint8_t bad = 0;
  for (int64_t i = 0; i < n; ++i) {
    const Taken one = taken(x[i * step], rule);
    y[i] = one.value;
    bad |= one.bad;
  }
  return bad == 0;
}

// n values at x, `stride` elements apart, to y. Whether all are good.
template <class From, class Rule>
bool take_run(const From* x, int64_t stride, int64_t n, const Rule& rule, int8_t* y) {
  return stride == 1 ? take_steps<1>(x, stride, n, rule, y) : take_steps<0>(x, stride, n, rule, y);
}

// Calls fn(rule) with the rule of a packed type.
template <class Fn>
void with_rule(PackedType type, bool saturate, const Fn& fn) {
  const uint8_t strict = saturate ? 0 : 1;
  if (type == PackedType::sign1) {
    fn(SignRule{strict});
  } else {
    fn(RangeRule{least_of(type), greatest_of(type), strict});
  }
}

using GiveRun = void (*)(const int8_t* x, int64_t n, void* y);

template <class To>
void give_run(const int8_t* x, int64_t n, void* to) {
  To* y = static_cast<To*>(to);
  for (int64_t i = 0; i < n; ++i) y[i] = element_of<To>(x[i]);
}

GiveRun give_run_of(DType dtype) {
  GiveRun found = nullptr;
  with_type(dtype, [&](auto element) {
    if constexpr (!kComplex<decltype(element)>) found = give_run<decltype(element)>;
  });
  return found;
}
