// SPDX-License-Identifier: Apache-2.0
// Functions of f32 in double, and some of f64, as straight lines of code that compilers turn into vectors: the same bits
// on every instruction set and machine. Twice the precision leaves f32 results within 0.501 ulps.
//
// A function takes the path of most numbers only, and says by `outside` which others came its way: it ORs bits into it of
// which those of its kOutside must stay 0. A block with such numbers is gone through again, one by one (Runs below).
// The polynomials are minimax fits by Remez's algorithm; the comments give their relative errors.

struct VectorMath {
  static uint64_t bits(double x) { return __builtin_bit_cast(uint64_t, x); }
  static double number(uint64_t bits) { return __builtin_bit_cast(double, bits); }

  // c0 + c1·x + c2·x² + …, with z = x². Pairs of terms do not wait for each other.
  static double polynomial(double, double, double c0) { return c0; }
  static double polynomial(double x, double, double c0, double c1) { return fused(c1, x, c0); }
  template <class... Rest>
  static double polynomial(double x, double z, double c0, double c1, Rest... rest) {
    return fused(z, polynomial(x, z, rest...), fused(c1, x, c0));
  }

  static double with_sign(double size, double x) { return number(bits(size) | (bits(x) & (uint64_t{1} << 63))); }
  static double size_of(double x) { return number(bits(x) & ~(uint64_t{1} << 63)); }
  static double clamped(double x, double least, double most) { return x > most ? most : x < least ? least : x; }

  // Added to a number, it leaves the nearest integer, in the last bits of the sum.
  static constexpr double kMagic = 0x1.8p52;
  // Below 2·half where the integer of such a sum is within [-half, half).
  static uint64_t place(double sum, double half) { return bits(sum) - bits(kMagic - half); }

  static constexpr double kLn2 = 0x1.62e42fefa39efp-1, kLn2Low = 0x1.abc9e3b39803fp-56;
  static constexpr double kLog2OfE = 0x1.71547652b82fep+0, kLog10Of2 = 0x1.34413509f79ffp-2;
  static constexpr double kPi = 0x1.921fb54442d18p+1, kPiLow = 0x1.1a62633145c07p-53, kPiLowest = -0x1.f1976b7ed8fbcp-109;
  static constexpr double kOneOverPi = 0x1.45f306dc9c883p-2;

  // ---- exponentials

  // x·2^k, k in the last bits of kMagic + k, where neither x nor the result is subnormal or infinite.
  static double scaled(double x, double sum) { return number(bits(x) + (bits(sum) << 52)); }
  static double power_of_two(double sum) { return number((bits(sum) + 1023) << 52); }

  // x = k·ln 2 + r with |r| <= ln 2 / 2, to 2^-105·k; sum is kMagic + k.
  struct Reduced {
    double sum, r;
  };
  static Reduced reduced(double x) {
    const double sum = fused(x, kLog2OfE, kMagic), k = sum - kMagic;
    return {sum, fused(k, -kLn2Low, fused(k, -kLn2, x))};
  }

  // exp of an f64 of about |x| <= 354; 2^-55.
  static constexpr uint64_t kOutsideExp = ~uint64_t{1023};
  static double exp(double x, uint64_t& outside) {
    const Reduced e = reduced(x);
    outside |= place(e.sum, 512);
    return scaled(1 + grown_of_f64(e.r), e.sum);
  }
  // exp(r) - 1.
  static double grown_of_f64(double r) {
    const double z = r * r;
    const double q = polynomial(r, z, 0.5, 0x1.5555555554eb5p-3, 0x1.5555555553b0bp-5, 0x1.11111112d2b8ap-7,
                                0x1.6c16c179ff6e0p-10, 0x1.a019f7c5d176dp-13, 0x1.a019b39b44f3dp-16,
                                0x1.71f4b19220dc2p-19, 0x1.28976699db7d0p-22, 0x1.8abb2fc85692ep-26);
    return fused(z, q, r);
  }

  // The six below are for what an f32 holds, and two to about 354.
  // exp(r) - 1 where |r| <= ln 2 / 2; 2^-38.
  static double grown(double r) {
    return r * fused(r,
                     polynomial(r, r * r, 0x1.000000005ddd3p-1, 0x1.5555557dcd879p-3, 0x1.5555541e7b5cfp-5,
                                0x1.1110a269b0c00p-7, 0x1.6c18d30159c0bp-10, 0x1.a1854f1a9e38ep-13,
                                0x1.9e8946337c7aep-16),
                     1);
  }
  static double expm1(double x, uint64_t& outside) {
    const Reduced e = reduced(x);
    outside |= place(e.sum, 512);
    const double scale = power_of_two(e.sum);
    return x == 0 ? x : fused(scale, grown(e.r), scale - 1);
  }
  static double sinh(double x, uint64_t& outside) {
    const double e = expm1(size_of(x), outside);
    return with_sign(0.5 * (e + e / (e + 1)), x);
  }
  static double cosh(double x, uint64_t& outside) {
    const Reduced e = reduced(size_of(x));
    outside |= place(e.sum, 512);
    const double y = scaled(1 + grown(e.r), e.sum);
    return 0.5 * (y + 1 / y);
  }

  // E / (E + 2), E = exp(2|x|) - 1, of an f64.
  static double tanh(double x, uint64_t& outside) {
    const double size = size_of(x);
    const Reduced e = reduced(size + size);
    outside |= place(e.sum, 512);
    const double scale = power_of_two(e.sum), y = fused(scale, grown_of_f64(e.r), scale - 1);
    return with_sign(y / (y + 2), x);
  }

  // ---- logarithms

  // x = 2^k·m with m from sqrt(1/2) to sqrt(2), of a positive number from 2^-half to 2^(half - 1).
  struct Split {
    double k, m;
  };
  template <uint64_t half>
  static Split split(double x, uint64_t& outside) {
    constexpr uint64_t kLeast = 0x3fe6a09e667f3bcdu;  // bits of sqrt(1/2)
    const uint64_t shifted = bits(x) - (kLeast - (half << 52));
    const uint64_t exponent = shifted >> 52;
    outside |= exponent;
    constexpr double kInteger = 0x1p52;  // an integer in its last bits is added
    return {number(exponent | 0x4330000000000000u) - (kInteger + half),
            number((shifted & 0x000fffffffffffffu) + kLeast)};
  }

  // Of an f32; log2(m) = s·p(s²) with s = (m - 1) / (m + 1); 2^-45.
  static constexpr uint64_t kOutsideLogs = ~uint64_t{511};
  static double log2(double x, uint64_t& outside) {
    const Split y = split<256>(x, outside);
    const double s = (y.m - 1) / (y.m + 1), z = s * s;
    return fused(s,
                 polynomial(z, z * z, 0x1.71547652b8251p+1, 0x1.ec709dc53c7c0p-1, 0x1.2776c29324c95p-1,
                            0x1.a61a2edf959c7p-2, 0x1.4795527ef5f2bp-2, 0x1.21b12270f092fp-2),
                 y.k);
  }
  static double log10(double x, uint64_t& outside) { return log2(x, outside) * kLog10Of2; }
  // What 1 + x rounds away is added to first order. The sign is x's, also where x is -0.
  static double log1p(double x, uint64_t& outside) {
    const double sum = 1 + x, lost = size_of(x) < 0.5 ? x - (sum - 1) : 0;
    return with_sign(fused(log2(sum, outside), kLn2, lost), x);
  }
  static double asinh(double x, uint64_t& outside) {
    const double size = size_of(x), square = size * size;
    return with_sign(log1p(size + square / (1 + __builtin_sqrt(square + 1)), outside), x);
  }
  static double acosh(double x, uint64_t& outside) {
    const double t = x - 1;
    return log1p(t + __builtin_sqrt(t) * __builtin_sqrt(t + 2), outside);
  }
  static double atanh(double x, uint64_t& outside) {
    const double size = size_of(x);
    return with_sign(0.5 * log1p(2 * size / (1 - size), outside), x);
  }

  // Of an f64; log(1 + f) = f - (f²/2 - s·(f²/2 + z·p(z))), s = f / (2 + f), z = s²; 2^-58.9 of s.
  static constexpr uint64_t kOutsideLog = ~uint64_t{1023};
  static double log(double x, uint64_t& outside) {
    const Split y = split<512>(x, outside);
    const double f = y.m - 1, s = f / (2 + f), z = s * s, half_square = 0.5 * f * f;
    const double p = polynomial(z, z * z, 0x1.5555555555592p-1, 0x1.999999997fd37p-2, 0x1.24924941f8d1ep-2,
                                0x1.c71c5202b2bbep-3, 0x1.7466405be7994p-3, 0x1.39a1933605e37p-3,
                                0x1.2f07059192effp-3);
    const double rest = fused(s, fused(z, p, half_square), y.k * kLn2Low);
    return fused(y.k, kLn2, f - (half_square - rest));
  }

  // ---- angles

  // Of |x| < π·2^39. What is left of x next to a multiple of π is rounded relative to itself, and π is known to 2^-108 or,
  // for f64, 2^-161: so even where next to nothing is left, its error is 2^-52 of it.
  static constexpr uint64_t kOutsideTurns = ~((uint64_t{1} << 40) - 1);

  // sin of r in f32, |r| <= π/2; 2^-35.3. Keeps the sign of 0.
  static double sin_of_rest(double r) {
    const double z = r * r;
    return r * fused(z,
                     polynomial(z, z * z, -0x1.5555554769669p-3, 0x1.11110c4a00e86p-7, -0x1.a017d9a0399cfp-13,
                                0x1.71708022b9074p-19, -0x1.9a68879214e99p-26),
                     1);
  }
  // The same of f64; 2^-57.4.
  static double sin_of_rest_of_f64(double r) {
    const double z = r * r;
    const double p = polynomial(z, z * z, -0x1.5555555555555p-3, 0x1.11111111110c1p-7, -0x1.a01a01a0148bcp-13,
                                0x1.71de3a5287c6ep-19, -0x1.ae6454cb57156p-26, 0x1.6123cb28f5d31p-33,
                                -0x1.ae431d9511bf8p-41, 0x1.8829a299a434ap-49);
    const double y = fused(r * z, p, r);
    const uint64_t size = bits(size_of(y)), one = bits(1);  // roundings may add up to more than 1
    return with_sign(number(size < one ? size : one), y);
  }

  // x = k·π + rest; sum is kMagic + k.
  static double sin(double x, uint64_t& outside) {
    const double sum = fused(x, kOneOverPi, kMagic), k = sum - kMagic;
    outside |= place(sum, 0x1p39);
    return negated_if_odd(sin_of_rest(fused(k, -kPiLow, fused(k, -kPi, x))), sum);
  }
  static double sin_of_f64(double x, uint64_t& outside) {
    const double sum = fused(x, kOneOverPi, kMagic), k = sum - kMagic;
    outside |= place(sum, 0x1p39);
    const double rest = fused(k, -kPiLowest, fused(k, -kPiLow, fused(k, -kPi, x)));
    return x == 0 ? x : negated_if_odd(sin_of_rest_of_f64(rest), sum);
  }

  // x = (k + 1/2)·π + rest, so that cos x = -sin rest for even k.
  static double cos(double x, uint64_t& outside) {
    const double sum = fused(x, kOneOverPi, -0.5) + kMagic, k = sum - kMagic + 0.5;
    outside |= place(sum, 0x1p39);
    return negated_if_odd(sin_of_rest(fused(k, kPiLow, fused(k, kPi, -x))), sum);
  }
  static double cos_of_f64(double x, uint64_t& outside) {
    const double sum = fused(x, kOneOverPi, -0.5) + kMagic, k = sum - kMagic + 0.5;
    outside |= place(sum, 0x1p39);
    const double rest = fused(k, kPiLowest, fused(k, kPiLow, fused(k, kPi, -x)));
    return x == 0 ? 1 : negated_if_odd(sin_of_rest_of_f64(rest), sum);  // exactly, where sin(π/2) is one bit less
  }

  // x = k·π/2 + r with |r| <= π/4; sin to 2^-37.5, cos to 2^-43.6.
  static double tan(double x, uint64_t& outside) {
    const double sum = fused(x, 2 * kOneOverPi, kMagic), k = sum - kMagic;
    outside |= place(sum, 0x1p39);
    const double r = fused(k, -0.5 * kPiLow, fused(k, -0.5 * kPi, x)), z = r * r;
    const double sine = r * fused(z,
                                  polynomial(z, z * z, -0x1.5555554c71947p-3, 0x1.1111086a37b35p-7,
                                             -0x1.a00f7f0875d22p-13, 0x1.6cd1eb2aa4f23p-19),
                                  1);
    const double cosine = polynomial(z, z * z, 1.0, -0x1.ffffffffe98a6p-2, 0x1.55555545c4c32p-5,
                                     -0x1.6c16b34884709p-10, 0x1.a00eb99196d46p-16, -0x1.23c978fe24760p-22);
    const bool odd = (bits(sum) & 1) != 0;
    return (odd ? -cosine : sine) / (odd ? sine : cosine);
  }

  // ---- angles of lengths, of f32

  // atan(x) = 0, π/4 or π/2, and the atan of a quotient of at most tan(π/8); 2^-40.
  static double atan(double x, uint64_t&) {
    const double size = size_of(x);
    const bool steep = size > 0x1.3504f333f9de6p+1, middle = size > 0x1.a827999fcef32p-2;
    const double over = steep ? -1 : middle ? size - 1 : size, under = steep ? size : middle ? size + 1 : 1;
    const double from = steep ? 0.5 * kPi : middle ? 0.25 * kPi : 0;
    const double q = over / under, z = q * q;
    const double p = polynomial(z, z * z, -0x1.5555554efe956p-2, 0x1.99999217b2e56p-3, -0x1.2490c711e4a3ap-3,
                                0x1.c6d27787e9bebp-4, -0x1.70877e33d31cbp-4, 0x1.1e70d2064da00p-4,
                                -0x1.36f2532cd5117p-5);
    return with_sign(from + fused(q * z, p, q), x);
  }

  // asin of up to 1/2, or half of acos of 1 - 2·square above, where square is the square of what it is the asin of;
  // 2^-39.9.
  struct Arc {
    bool wide;
    double asin;
  };
  static Arc arc(double size) {
    const bool wide = size > 0.5;
    const double half = 0.5 * (1 - size), z = wide ? half : size * size, root = __builtin_sqrt(half);
    const double p = polynomial(z, z * z, 0x1.555555479aa3bp-3, 0x1.333340bd42783p-4, 0x1.6db24e6127a4dp-5,
                                0x1.f28379a79a369p-6, 0x1.6633a1a109d5fp-6, 0x1.527cb41b1935bp-6,
                                0x1.fe606f8da5421p-10, 0x1.0ddf45abaaaf5p-5);
    const double s = wide ? root : size;
    return {wide, fused(s * z, p, s)};
  }
  static double asin(double x, uint64_t&) {
    const Arc a = arc(size_of(x));
    return with_sign(a.wide ? 0.5 * kPi - 2 * a.asin : a.asin, x);
  }
  static double acos(double x, uint64_t&) {
    const Arc a = arc(size_of(x));
    const double right = with_sign(a.asin, x);
    return a.wide ? (x > 0 ? 2 * a.asin : fused(a.asin, -2, kPi)) : 0.5 * kPi - right;
  }

  // Of f32, which cannot overflow.
  static double hypot(double a, double b) {
    const double infinity = __builtin_inf();
    return size_of(a) == infinity || size_of(b) == infinity ? infinity : __builtin_sqrt(a * a + b * b);
  }

 private:
  static double negated_if_odd(double x, double sum) { return number(bits(x) ^ (bits(sum) << 63)); }
};
