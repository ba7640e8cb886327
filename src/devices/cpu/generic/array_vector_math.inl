// SPDX-License-Identifier: Apache-2.0
// Functions of f32 in double, and exp and log of f64, as straight lines of code that compilers turn into vectors: the
// same bits on every instruction set and machine. Twice the precision leaves f32 results within 0.501 ulps; exp and log
// of f64 are within 1.

struct VectorMath {
  static constexpr double kMagic = 0x1.8p52;  // added to an integer, it puts the integer into the last bits

  static uint64_t low_bits(double integer) { return __builtin_bit_cast(uint64_t, integer + kMagic); }
  // 2 to an integer in [-1022, 1023].
  static double power_of_two(double integer) { return __builtin_bit_cast(double, (low_bits(integer) + 1023) << 52); }

  // x = k·ln 2 + r with |r| <= ln 2 / 2; grown = exp(r) - 1. The products by the first part of ln 2 are exact.
  struct Reduced {
    double k, grown;
  };
  static Reduced reduce(double x) {
    const double k = __builtin_rint(x * 0x1.71547652b82fep0);
    const double r = (x - k * 0x1.62e42fee00000p-1) - k * 0x1.a39ef35793c76p-33;
    double p = 1.0 / 6227020800;  // Taylor's series: the next term is 2^-58
    for (const double c : {1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
                           1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2}) {
      p = p * r + c;
    }
    return {k, r + r * r * p};
  }

  static double with_sign(double size, double x) {
    const uint64_t sign = __builtin_bit_cast(uint64_t, x) & (uint64_t{1} << 63);
    return __builtin_bit_cast(double, __builtin_bit_cast(uint64_t, size) | sign);
  }
  static double size_of(double x) {
    return __builtin_bit_cast(double, __builtin_bit_cast(uint64_t, x) & ~(uint64_t{1} << 63));
  }

  static double clamped(double x, double least, double most) { return x > most ? most : x < least ? least : x; }

  // In two steps, so that results may be subnormal and overflow where they do.
  static double exp(double x) {
    const Reduced e = reduce(clamped(x, -746, 710));
    const double half = __builtin_rint(e.k * 0.5);
    return (1 + e.grown) * power_of_two(half) * power_of_two(e.k - half);
  }

  // |x| <= 128 is all that f32 needs.
  static double expm1(double x) {
    const Reduced e = reduce(clamped(x, -128, 128));
    const double scale = power_of_two(e.k);
    return x == 0 ? x : scale * e.grown + (scale - 1);
  }

  // x = 2^k·m with m from sqrt(1/2) to sqrt(2), of a normal number x > 0; rest = log(m).
  struct Split {
    double k, rest;
  };
  static Split split(double x) {
    const uint64_t bits = __builtin_bit_cast(uint64_t, x);
    const uint64_t shifted = bits - __builtin_bit_cast(uint64_t, 0x1.6a09e667f3bcdp-1);
    // The exponent as a double: its bits below those of 2^52, biased so that they are not negative.
    const uint64_t exponent = (shifted >> 52) + ((shifted >> 63) != 0 ? 0 : 4096);
    const double k = __builtin_bit_cast(double, (exponent & 0x1fff) | 0x4330000000000000u) - (0x1p52 + 4096);
    const uint64_t mantissa = bits - ((exponent - 4096) << 52);
    const double f = __builtin_bit_cast(double, mantissa) - 1;
    // log(1 + f) = f - f²/2 + s·(f²/2 + R), s = f / (2 + f), R = 2·(s²/3 + s⁴/5 + …)
    const double s = f / (2 + f), z = s * s, half_square = 0.5 * f * f;
    double series = 2.0 / 23;
    for (const double c :
         {2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13, 2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3}) {
      series = series * z + c;
    }
    return {k, f - (half_square - s * (half_square + z * series))};
  }

  // What log has where x is no positive finite number: of a result for the others.
  static double with_ends(double x, double result) {
    const double nan = __builtin_nan(""), infinity = __builtin_inf();
    return x > 0 ? (x == infinity ? x : result) : x == 0 ? -infinity : nan;
  }

  static double log(double x) {
    const bool is_small = x < 0x1p-1022;
    const Split m = split(is_small ? x * 0x1p54 : x);
    const double k = is_small ? m.k - 54 : m.k;
    return with_ends(x, k * 0x1.62e42fee00000p-1 + (m.rest + k * 0x1.a39ef35793c76p-33));
  }

  // The four below of what an f32 holds, so that no number is subnormal.
  static double log2(double x) {
    const Split m = split(x);
    return with_ends(x, m.k + m.rest * 0x1.71547652b82fep0);
  }
  static double log10(double x) {
    const Split m = split(x);
    return with_ends(x, m.k * 0x1.34413509f79ffp-2 + m.rest * 0x1.bcb7b1526e50ep-2);
  }
  // What 1 + x rounds away is added to first order. The sign is x's, also where x is -0.
  static double log1p(double x) {
    const double sum = 1 + x, lost = x - (sum - 1);
    const Split m = split(sum);
    return with_ends(sum, with_sign(m.k * 0x1.62e42fefa39efp-1 + m.rest + lost / sum, x));
  }

  // x = k·π/2 + r with |r| <= π/4, to 2^-39 of r for an f32 of at most kLargestAngle.
  static constexpr double kLargestAngle = 0x1p18;
  struct Angle {
    uint64_t quadrant;
    double sin, cos;  // of r
  };
  static Angle angle(double x) {
    const double k = __builtin_rint(x * 0x1.45f306dc9c883p-1);
    const double r = (x - k * 0x1.921fb54400000p0) - k * 0x1.0b4611a626331p-34;
    const double z = r * r;
    double sine = -1.0 / 39916800, cosine = 1.0 / 479001600;
    for (const double c : {1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6}) sine = sine * z + c;
    for (const double c : {-1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -0.5}) cosine = cosine * z + c;
    return {low_bits(k), r + r * z * sine, 1 + z * cosine};
  }
  static double sin_of(const Angle& a) {
    const double size = (a.quadrant & 1) != 0 ? a.cos : a.sin;
    return (a.quadrant & 2) != 0 ? -size : size;
  }
  static double sin(double x) { return x == 0 ? x : sin_of(angle(x)); }
  static double cos(double x) {
    Angle a = angle(x);
    a.quadrant += 1;
    return sin_of(a);
  }
  static double tan(double x) {
    const Angle a = angle(x);
    const bool odd = (a.quadrant & 1) != 0;
    return x == 0 ? x : (odd ? -a.cos : a.sin) / (odd ? a.sin : a.cos);
  }

  static double sinh(double x) {
    const double e = expm1(size_of(x));
    return with_sign(0.5 * (e + e / (e + 1)), x);
  }
  static double cosh(double x) {
    const double e = exp(clamped(size_of(x), 0, 128));
    return 0.5 * (e + 1 / e);
  }
  static double asinh(double x) {
    const double size = size_of(x), finite = clamped(size, 0, 0x1p200), square = finite * finite;
    return with_sign(log1p(size + square / (1 + __builtin_sqrt(square + 1))), x);
  }
  static double acosh(double x) {
    const double t = x - 1;
    return log1p(t + __builtin_sqrt(t) * __builtin_sqrt(t + 2));
  }
  static double atanh(double x) {
    const double size = size_of(x);
    return with_sign(0.5 * log1p(2 * size / (1 - size)), x);
  }

  // a ** b of positive finite a and finite b.
  static double pow(double a, double b) { return exp(b * log(a)); }
  static double hypot(double a, double b) {
    const double infinity = __builtin_inf();
    return size_of(a) == infinity || size_of(b) == infinity ? infinity : __builtin_sqrt(a * a + b * b);
  }
};

// Loops over f32 by a function of doubles. Numbers that it is not for (Covers) take the C library's, one at a time.
struct CoversAll {
  bool operator()(float) const { return true; }
  bool operator()(float, float) const { return true; }
};
struct CoversAngles {
  bool operator()(float x) const { return VectorMath::size_of(static_cast<double>(x)) <= VectorMath::kLargestAngle; }
};
// Of positive finite numbers to finite powers.
struct CoversPowers {
  bool operator()(float a, float b) const {
    return (a > 0) & (a < __builtin_inff()) & (__builtin_bit_cast(uint32_t, b) << 1 < 0xff000000u);
  }
};

constexpr int64_t kCoveredBlock = 512;

template <ArrayUnaryOp op, class Fn, class Covers>
void double_unary_run(const void* from, void* to, int64_t count) {
  const Fn fn;
  const Covers covers;
  const float* x = static_cast<const float*>(from);
  float* y = static_cast<float*>(to);
  for (int64_t begin = 0; begin < count; begin += kCoveredBlock) {
    const int64_t end = smaller(begin + kCoveredBlock, count);
    bool all = true;
    for (int64_t i = begin; i < end; ++i) all = all & covers(x[i]);
    if (all) {
#pragma GCC ivdep
      for (int64_t i = begin; i < end; ++i) y[i] = static_cast<float>(fn(static_cast<double>(x[i])));
    } else {
      const UnaryRun library = math_unary(op, DType::f32);
      for (int64_t i = begin; i < end; ++i) {
        if (covers(x[i])) {
          y[i] = static_cast<float>(fn(static_cast<double>(x[i])));
        } else {
          library(x + i, y + i, 1);
        }
      }
    }
  }
}
template <ArrayUnaryOp op, class Covers = CoversAll, class Fn>
UnaryRun double_unary_run_of(Fn) {
  return double_unary_run<op, Fn, Covers>;
}

template <ArrayBinaryOp op, class Fn, class Covers>
void double_binary_run(const void* left, const void* right, void* to, int64_t count) {
  const Fn fn;
  const Covers covers;
  const float* a = static_cast<const float*>(left);
  const float* b = static_cast<const float*>(right);
  float* y = static_cast<float*>(to);
  for (int64_t begin = 0; begin < count; begin += kCoveredBlock) {
    const int64_t end = smaller(begin + kCoveredBlock, count);
    bool all = true;
    for (int64_t i = begin; i < end; ++i) all = all & covers(a[i], b[i]);
    if (all) {
#pragma GCC ivdep
      for (int64_t i = begin; i < end; ++i)
        y[i] = static_cast<float>(fn(static_cast<double>(a[i]), static_cast<double>(b[i])));
    } else {
      const BinaryRun library = math_binary(op, DType::f32);
      for (int64_t i = begin; i < end; ++i) {
        if (covers(a[i], b[i])) {
          y[i] = static_cast<float>(fn(static_cast<double>(a[i]), static_cast<double>(b[i])));
        } else {
          library(a + i, b + i, y + i, 1);
        }
      }
    }
  }
}
template <ArrayBinaryOp op, class Covers = CoversAll, class Fn>
BinaryRun double_binary_run_of(Fn) {
  return double_binary_run<op, Fn, Covers>;
}

// The functions of f32 above; null for the others.
UnaryRun vector_unary(ArrayUnaryOp op) {
  using O = ArrayUnaryOp;
  using M = VectorMath;
  switch (op) {
    case O::expm1:
      return double_unary_run_of<O::expm1>([](double x) { return M::expm1(x); });
    case O::log1p:
      return double_unary_run_of<O::log1p>([](double x) { return M::log1p(x); });
    case O::log2:
      return double_unary_run_of<O::log2>([](double x) { return M::log2(x); });
    case O::log10:
      return double_unary_run_of<O::log10>([](double x) { return M::log10(x); });
    case O::sin:
      return double_unary_run_of<O::sin, CoversAngles>([](double x) { return M::sin(x); });
    case O::cos:
      return double_unary_run_of<O::cos, CoversAngles>([](double x) { return M::cos(x); });
    case O::tan:
      return double_unary_run_of<O::tan, CoversAngles>([](double x) { return M::tan(x); });
    case O::sinh:
      return double_unary_run_of<O::sinh>([](double x) { return M::sinh(x); });
    case O::cosh:
      return double_unary_run_of<O::cosh>([](double x) { return M::cosh(x); });
    case O::asinh:
      return double_unary_run_of<O::asinh>([](double x) { return M::asinh(x); });
    case O::acosh:
      return double_unary_run_of<O::acosh>([](double x) { return M::acosh(x); });
    case O::atanh:
      return double_unary_run_of<O::atanh>([](double x) { return M::atanh(x); });
    default:
      return nullptr;
  }
}

BinaryRun vector_binary(ArrayBinaryOp op) {
  using O = ArrayBinaryOp;
  using M = VectorMath;
  switch (op) {
    case O::pow:
      return double_binary_run_of<O::pow, CoversPowers>([](double a, double b) { return M::pow(a, b); });
    case O::hypot:
      return double_binary_run_of<O::hypot>([](double a, double b) { return M::hypot(a, b); });
    default:
      return nullptr;
  }
}
