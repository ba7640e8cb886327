// SPDX-License-Identifier: Apache-2.0
// Functions of complex numbers, which follow Annex G of C where they are special. In double alone: those of c64 are the
// same, rounded. What a comment does not tell is the textbook's formula.
#pragma once

#include <cmath>
#include <cstdlib>
#include <limits>

#include "devices/cuda/array_elements.cuh"
#include "devices/cuda/folds.cuh"

namespace tern::cuda {

using Complex128 = Complex<double>;

inline constexpr double kHalfPi = 0x1.921fb54442d18p+0, kPi = 0x1.921fb54442d18p+1;
inline constexpr double kLn2 = 0x1.62e42fefa39efp-1, kLog2OfE = 0x1.71547652b82fep+0, kLog10OfE = 0x1.bcb7b1526e50ep-2;
inline constexpr double kNoDouble = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

__device__ inline bool is_finite(Complex128 x) { return isfinite(x.re) && isfinite(x.im); }
__device__ inline bool is_infinite(Complex128 x) { return isinf(x.re) || isinf(x.im); }
__device__ inline bool is_zero(Complex128 x) { return x.re == 0 && x.im == 0; }
__device__ inline Complex128 scaled(Complex128 x, int exponent) {
  return {scalbn(x.re, exponent), scalbn(x.im, exponent)};
}
__device__ inline Complex128 times_i(Complex128 x) { return {-x.im, x.re}; }
__device__ inline Complex128 over_i(Complex128 x) { return {x.im, -x.re}; }

// ±1 of what is infinite, else ±0: the directions of infinities.
__device__ inline Complex128 infinite_parts(Complex128 x) {
  return {copysign(isinf(x.re) ? 1.0 : 0.0, x.re), copysign(isinf(x.im) ? 1.0 : 0.0, x.im)};
}
// ±0 of NaN.
__device__ inline Complex128 without_nan(Complex128 x) {
  return {isnan(x.re) ? copysign(0.0, x.re) : x.re, isnan(x.im) ? copysign(0.0, x.im) : x.im};
}

// ---------------------------------------------------------------- products, quotients, powers

// An infinity times what is not 0 is one.
__device__ inline Complex128 product(Complex128 a, Complex128 b) {
  const Complex128 plain = Times::of(a, b);
  if (!isnan(plain.re) || !isnan(plain.im) || !(is_infinite(a) || is_infinite(b))) return plain;
  if (is_infinite(a)) a = infinite_parts(a), b = without_nan(b);
  if (is_infinite(b)) b = infinite_parts(b), a = without_nan(a);
  const Complex128 direction = Times::of(a, b);
  return {kInfinity * direction.re, kInfinity * direction.im};
}

// a / b by Smith's formula, where |b.re| >= |b.im|, after a scaling of both that keeps what is large from overflowing
// and what is small from losing bits (Baudin and Smith, A robust complex division in Scilab, 2012). With the bounds of
// libgcc: its quotients have the same bits.
__device__ inline Complex128 plain_quotient(Complex128 a, Complex128 b) {
  constexpr double kLeast = std::numeric_limits<double>::min(), kEpsilon = std::numeric_limits<double>::epsilon();
  constexpr double kLarge = std::numeric_limits<double>::max() / 2, kMost = kLarge * kEpsilon;
  double factor = 1;
  if (fabs(b.re) >= kLarge) {
    factor = 0.5;
  } else if (fabs(b.re) < kEpsilon) {
    factor = 1 / kEpsilon;
  } else if (fabs(b.re) < kMost) {
    const double re = fabs(a.re), im = fabs(a.im);
    if ((re < kLeast && im < kMost) || (im < kLeast && re < kMost)) factor = 1 / kEpsilon;
  }
  a = {a.re * factor, a.im * factor};
  b = {b.re * factor, b.im * factor};
  const double ratio = b.im / b.re, under = b.im * ratio + b.re;
  if (fabs(ratio) > kLeast) return {(a.im * ratio + a.re) / under, (a.im - a.re * ratio) / under};
  return {(a.re + b.im * (a.im / b.re)) / under, (a.im - b.im * (a.re / b.re)) / under};
}

// What a quotient y is where it came out as NaN, but is 0 or infinite.
template <class R>
__device__ Complex<R> with_special_quotients(Complex<R> y, Complex128 a, Complex128 b) {
  if (!isnan(y.re) || !isnan(y.im)) return y;
  const auto times = [](double factor, Complex128 x) {
    return Complex<R>{static_cast<R>(factor * x.re), static_cast<R>(factor * x.im)};
  };
  const auto turned = [](Complex128 p, Complex128 q) {
    return Complex128{p.re * q.re + p.im * q.im, p.im * q.re - p.re * q.im};
  };
  if (is_zero(b) && (!isnan(a.re) || !isnan(a.im))) return times(copysign(kInfinity, b.re), a);
  if (is_infinite(a) && is_finite(b)) return times(kInfinity, turned(infinite_parts(a), b));
  if (is_infinite(b) && is_finite(a)) return times(0, turned(a, infinite_parts(b)));
  return y;
}

__device__ inline Complex128 quotient(Complex128 a, Complex128 b) {
  const bool turns = fabs(b.re) < fabs(b.im);
  return with_special_quotients(turns ? plain_quotient(over_i(a), over_i(b)) : plain_quotient(a, b), a, b);
}

// Of floats, whose squares in double can neither overflow nor vanish; rounded once, as there.
__device__ inline Complex<float> quotient(Complex<float> x, Complex<float> y) {
  const Complex128 a = converted<Complex128>(x), b = converted<Complex128>(y);
  const double under = b.re * b.re + b.im * b.im;
  const Complex128 plain = {(a.re * b.re + a.im * b.im) / under, (a.im * b.re - a.re * b.im) / under};
  return with_special_quotients(converted<Complex<float>>(plain), a, b);
}

// x / |x|, 0 for 0.
__device__ inline Complex128 direction(Complex128 x) {
  if (isnan(x.re) || isnan(x.im)) return {kNoDouble, kNoDouble};
  if (is_zero(x)) return {0, 0};
  if (is_finite(x)) x = scaled(x, -ilogb(fmax(fabs(x.re), fabs(x.im))));
  const double size = hypot(x.re, x.im);
  return {x.re / size, x.im / size};
}

// Of t = sqrt((|x| + |z|) / 2), scaled by powers of 4, one part is t and the other half of y / t.
__device__ inline Complex128 square_root(Complex128 x) {
  if (isinf(x.im)) return {kInfinity, x.im};
  if (isinf(x.re)) {
    const double rest = isnan(x.im) ? x.im : copysign(0.0, x.im);
    if (x.re > 0) return {x.re, rest};
    return {fabs(rest), copysign(kInfinity, x.im)};
  }
  if (is_zero(x)) return {0, x.im};
  const double size = fmax(fabs(x.re), fabs(x.im));
  const int half = size > 0x1p1000 ? 2 : size < 0x1p-900 ? -60 : 0;
  const Complex128 z = scaled(x, -2 * half);
  const double t = sqrt((fabs(z.re) + hypot(z.re, z.im)) / 2), other = fabs(z.im) / (2 * t);
  return scaled(z.re < 0 ? Complex128{other, copysign(t, z.im)} : Complex128{t, copysign(other, z.im)}, half);
}

// ---------------------------------------------------------------- exponentials

// exp(re)·{a, b}, where exp(re) may overflow and the products not.
__device__ inline Complex128 grown(double re, double a, double b) {
  constexpr double kMost = 709;
  for (int step = 0; step < 2 && re > kMost; ++step) {
    const double part = exp(kMost);
    re -= kMost;
    a *= part;
    b *= part;
  }
  const double size = exp(re);
  return {size * a, size * b};
}

__device__ inline Complex128 exponential(Complex128 x) {
  if (x.im == 0) return {exp(x.re), x.im};
  if (!isfinite(x.im)) {
    if (!isinf(x.re)) return {kNoDouble, kNoDouble};
    return x.re > 0 ? Complex128{kInfinity, kNoDouble} : Complex128{0, copysign(0.0, x.im)};
  }
  return grown(x.re, cos(x.im), sin(x.im));
}

// Without cancellation near 0: the real part is (exp(x) - 1)·cos(y) - 2·sin²(y/2), and +0 of -0, too, by the array API
// standard, which is why 2·sin²(y/2) is taken from 0 first.
__device__ inline Complex128 exp_minus_one(Complex128 x) {
  if (!is_finite(x)) {
    const Complex128 y = exponential(x);
    return {y.re - 1, y.im};
  }
  if (x.im == 0) return {0 + expm1(x.re), x.im};
  const double half_sine = sin(x.im / 2);
  return {(0 - 2 * half_sine * half_sine) + expm1(x.re) * cos(x.im), exp(x.re) * sin(x.im)};
}

__device__ inline Complex128 hyperbolic_sine(Complex128 x) {
  if (x.im == 0) return {sinh(x.re), x.im};
  if (!isfinite(x.im)) return {x.re == 0 || isinf(x.re) ? x.re : kNoDouble, kNoDouble};
  const double cosine = cos(x.im), sine = sin(x.im);
  if (fabs(x.re) < 40) return {sinh(x.re) * cosine, cosh(x.re) * sine};
  return grown(fabs(x.re), copysign(cosine / 2, (x.re < 0) != (cosine < 0) ? -1.0 : 1.0), sine / 2);
}

__device__ inline Complex128 hyperbolic_cosine(Complex128 x) {
  if (x.im == 0) return {cosh(x.re), (isnan(x.re) ? 1 : copysign(1.0, x.re)) * x.im};
  if (!isfinite(x.im)) {
    if (x.re == 0) return {kNoDouble, copysign(0.0, x.re)};
    return {isinf(x.re) ? kInfinity : kNoDouble, kNoDouble};
  }
  const double cosine = cos(x.im), sine = sin(x.im);
  if (fabs(x.re) < 40) return {cosh(x.re) * cosine, sinh(x.re) * sine};
  return grown(fabs(x.re), cosine / 2, copysign(sine / 2, (x.re < 0) != (sine < 0) ? -1.0 : 1.0));
}

// (sinh x·cosh x + i·sin y·cos y) / (sinh² x + cos² y). Of an infinite real part the imaginary one is 0 of the sign of
// sin(2y).
__device__ inline Complex128 hyperbolic_tangent(Complex128 x) {
  if (x.im == 0) return {tanh(x.re), x.im};
  if (!isfinite(x.im)) {
    if (isinf(x.re)) return {copysign(1.0, x.re), copysign(0.0, x.im)};
    return {x.re == 0 ? x.re : kNoDouble, kNoDouble};
  }
  const double cosine = cos(x.im), sine = sin(x.im), both = sine * cosine;
  if (fabs(x.re) > 40) return {copysign(1.0, x.re), 4 * both * exp(-2 * fabs(x.re))};
  const double sinh_re = sinh(x.re), under = sinh_re * sinh_re + cosine * cosine;
  return {sinh_re * cosh(x.re) / under, both / under};
}

// ---------------------------------------------------------------- logarithms

// log |x|: about 1 by log1p(|x|² - 1) / 2 with the exact difference, far away by the exponent of the larger part.
__device__ inline double log_of_size(Complex128 x) {
  const double u = fabs(x.re), v = fabs(x.im), large = fmax(u, v), small = fmin(u, v);
  if (isinf(u) || isinf(v)) return kInfinity;
  if (!is_finite(x) || large == 0) return log(u + v);
  const int exponent = large > 0x1p500 || large < 0x1p-400 ? ilogb(large) : 0;
  const double p = scalbn(large, -exponent), q = scalbn(small, -exponent), a = p * p, b = q * q, sum = a + b;
  if (exponent != 0 || sum < 0.5 || sum > 3) return 0.5 * log(sum) + exponent * kLn2;
  const double a_low = fma(p, p, -a), b_low = fma(q, q, -b);
  const double over = a - 1, near = over + b,
               of_b = near - over;  // a is from 1/4 to 3: the difference is exact, or good
  const double low = (over - (near - of_b)) + (b - of_b) + ((a - (over + 1)) + (a_low + b_low));
  return 0.5 * (log1p(near) + low / (1 + near));
}

__device__ inline Complex128 logarithm(Complex128 x) { return {log_of_size(x), atan2(x.im, x.re)}; }

// Without cancellation near 0: |1 + z|² - 1 = x·(2 + x) + y².
__device__ inline Complex128 log_one_plus(Complex128 x) {
  const Complex128 moved = {x.re + 1, x.im};
  if (!is_finite(x) || fabs(x.re) > 0.5 || fabs(x.im) > 0.5) return logarithm(moved);
  return {log1p(x.re * (2 + x.re) + x.im * x.im) / 2, atan2(moved.im, moved.re)};
}

// a ** b = exp(b·log(a)); small integer powers by multiplication, which is exact where the result is, and powers of 0.
__device__ inline Complex128 power(Complex128 a, Complex128 b) {
  constexpr double kLargest = 64;
  if (is_zero(b)) return {1, 0};
  if (is_zero(a)) return b.re > 0 && b.im == 0 ? Complex128{0, 0} : Complex128{kNoDouble, kNoDouble};
  const bool is_small = b.im == 0 && fabs(b.re) <= kLargest && b.re == trunc(b.re);
  if (!is_small || !is_finite(a)) return exponential(product(b, logarithm(a)));
  Complex128 base = a, result = {1, 0};
  for (int left = abs(static_cast<int>(b.re)); left > 0; left /= 2) {
    if (left % 2 == 1) result = product(result, base);
    base = product(base, base);
  }
  return b.re < 0 ? quotient(Complex128{1, 0}, result) : result;
}

// ---------------------------------------------------------------- inverse functions

// asin and acos of x + iy, x, y >= 0: asin = {asin, size}, acos = {acos, -size}.
struct Arc {
  double asin, acos, size;
};

// Where x or y is so large or so small that squares overflow or vanish, or y next to nothing beside x - 1.
__device__ inline Arc arc_at_the_ends(double x, double y) {
  constexpr double kEpsilon = 0x1p-52;
  const double less = x - 1, more = x + 1;
  if (y <= kEpsilon * fabs(less)) {
    if (x > 0x1p500) return {kHalfPi, y / x, kLn2 + log(x)};
    const double root = sqrt(fabs(less) * more);
    if (x <= 1) return {asin(x), acos(x), y == 0 ? 0 : y / root};
    return {kHalfPi, y / root, log1p(less + root)};
  }
  if (y < 0x1p-500) return {kHalfPi - sqrt(y), sqrt(y), sqrt(y)};  // x is 1
  if (kEpsilon * y - 1 >= x) return {x / y, kHalfPi, kLn2 + log(y)};
  if (x > 1) {
    const double ratio = x / y;
    return {atan(ratio), atan(y / x), kLn2 + log(y) + 0.5 * log1p(ratio * ratio)};
  }
  const double root = sqrt(1 + y * y);
  return {x / root, kHalfPi, 0.5 * log1p(2 * y * (y + root))};
}

// The algorithms of Hull, Fairgrieve and Tang, Implementing the complex arcsine and arccosine functions using exception
// handling, 1997: r and s are the distances from -1 and 1.
__device__ inline Arc arc_of(double x, double y) {
  constexpr double kLeast = 0x1p-509, kMost = 0x1p508;
  if (!(x > kLeast && x < kMost && y > kLeast && y < kMost)) return arc_at_the_ends(x, y);
  const double more = x + 1, less = x - 1;
  const double r = hypot(more, y), s = hypot(less, y), a = 0.5 * (r + s), b = x / a;
  Arc arc;
  if (b <= 0.6417) {
    arc.asin = asin(b);
    arc.acos = acos(b);
  } else {
    const double sum = a + x;
    const double other = x <= 1 ? sqrt(0.5 * sum * (y * y / (r + more) + (s - less)))
                                : y * sqrt(0.5 * (sum / (r + more) + sum / (s + less)));
    arc.asin = atan(x / other);
    arc.acos = atan(other / x);
  }
  if (a <= 1.5) {
    const double over =
        x < 1 ? 0.5 * (y * y / (r + more) + y * y / (s - less)) : 0.5 * (y * y / (r + more) + (s + less));
    arc.size = log1p(over + sqrt(over * (a + 1)));
  } else {
    arc.size = log(a + sqrt(a * a - 1));
  }
  return arc;
}

__device__ inline Complex128 inverse_hyperbolic_sine(Complex128 x) {
  const double re = fabs(x.re), im = fabs(x.im);
  if (is_finite(x)) {
    const Arc arc = arc_of(im, re);  // asin(i·x) / i
    return {copysign(arc.size, x.re), copysign(arc.asin, x.im)};
  }
  if (isinf(re) || isinf(im)) {
    const Complex128 to = infinite_parts({re, im});
    const double angle = isnan(re) || isnan(im) ? kNoDouble : atan2(to.im, to.re);
    return {copysign(kInfinity, x.re), isnan(angle) ? kNoDouble : copysign(angle, x.im)};
  }
  return {kNoDouble, x.im == 0 ? x.im : kNoDouble};
}

__device__ inline Complex128 inverse_cosine(Complex128 x) {
  if (is_finite(x)) {
    const Arc arc = arc_of(fabs(x.re), fabs(x.im));
    return {signbit(x.re) ? kPi - arc.acos : arc.acos, signbit(x.im) ? arc.size : -arc.size};
  }
  if (is_infinite(x)) {
    const Complex128 to = infinite_parts({x.re, fabs(x.im)});
    const double angle = isnan(x.re) || isnan(x.im) ? kNoDouble : atan2(to.im, to.re);
    return {angle, signbit(x.im) ? kInfinity : -kInfinity};
  }
  return {x.re == 0 ? kHalfPi : kNoDouble, kNoDouble};
}

// acos(x) turned by a quarter, to the right half.
__device__ inline Complex128 inverse_hyperbolic_cosine(Complex128 x) {
  const Complex128 y = inverse_cosine(x);
  return {fabs(y.im), isnan(y.re) ? y.re : copysign(y.re, x.im)};
}

// log1p(4x / ((1 - x)² + y²)) / 4 and atan2(2y, (1 - x)(1 + x) - y²) / 2.
__device__ inline Complex128 inverse_hyperbolic_tangent(Complex128 x) {
  constexpr double kFar = 0x1p56, kNear = 0x1p-500;
  const double re = fabs(x.re), im = fabs(x.im);
  if (!is_finite(x)) {
    if (isinf(im) || (isinf(re) && !isnan(im))) return {copysign(0.0, x.re), copysign(kHalfPi, x.im)};
    if (isinf(re) || re == 0) return {copysign(0.0, x.re), kNoDouble};
    return {kNoDouble, kNoDouble};
  }
  if (re > kFar || im > kFar)
    return {copysign(fabs(quotient(Complex128{1, 0}, {re, im}).re), x.re), copysign(kHalfPi, x.im)};
  const double angle = 0.5 * atan2(2 * im, (1 - re) * (1 + re) - im * im);
  const double size =
      re == 1 && im < kNear && im > 0 ? 0.5 * (kLn2 - log(im)) : 0.25 * log1p(4 * re / ((1 - re) * (1 - re) + im * im));
  return {copysign(size, x.re), copysign(angle, x.im)};
}

}  // namespace tern::cuda
