// SPDX-License-Identifier: Apache-2.0
// a ** b of f32 on the lanes of a policy: a fixed sequence of IEEE operations, the same bits everywhere. Numbers are
// pairs of floats where one is not enough. Greatest errors found, over 2^24 pairs: 0.61 ulp, for a near 1.025 and
// results near the ends; 0.52 for results from e^-6 to e^6. Where the result is a float, it is that one.
// 100,000 take 65 us; exp2(b·log2 a) in double, within 0.501 ulp, took 112.

template <class V>
struct Power {
  using F = typename V::F;

  // The bits of `ordinary` say for which lanes y is right: a positive and normal, |b·ln a| < 87.
  struct Result {
    F y;
    uint64_t ordinary;
  };
  [[gnu::always_inline]] static Result of(F a, F b) {
    const Pair log = log_of(a);
    const F high = V::mul(b, log.high);
    const F lost = V::fma(b, log.lost, V::fnma(b, log.high, high));
    const uint64_t normal = V::bits(V::le(V::set1(0x1p-126f), a)) & V::bits(V::lt(a, V::set1(__builtin_inff())));
    return {exp_of({high, lost}), normal & V::bits(V::lt(V::abs(high), V::set1(87.0f)))};
  }

 private:
  struct Pair {  // high - lost
    F high, lost;
  };

  // a = 2^e·m, m from 0.7 to 1.4, in one of 16 ranges, for which 1/c is a multiple of 1/32: r = m/c - 1 is exact and at
  // most 0.0437 large. ln a = e·ln 2 + ln c + r - r²/2 + r³·q(r); ln 2 and ln c are multiples of 2^-17 and a rest. The
  // sums of high parts are exact with what they leave; q is good for 2^-35 of ln a.
  [[gnu::always_inline]] static Pair log_of(F a) {
    alignas(64) static constexpr float kInverse[16] = {
        0x1.68p+0f, 0x1.58p+0f, 0x1.48p+0f, 0x1.40p+0f, 0x1.30p+0f, 0x1.28p+0f, 0x1.18p+0f, 0x1.10p+0f,
        0x1.08p+0f, 0x1.00p+0f, 0x1.e0p-1f, 0x1.d0p-1f, 0x1.b0p-1f, 0x1.a0p-1f, 0x1.90p-1f, 0x1.70p-1f};
    alignas(64) static constexpr float kHigh[16] = {-0x1.5d1cp-2f, -0x1.2e8ep-2f, -0x1.fb90p-3f, -0x1.c900p-3f,
                                                    -0x1.5ff4p-3f, -0x1.2954p-3f, -0x1.6f10p-4f, -0x1.f0a0p-5f,
                                                    -0x1.f820p-6f, 0.0f,          0x1.0858p-4f,  0x1.9338p-4f,
                                                    0x1.5bf4p-3f,  0x1.a940p-3f,  0x1.f990p-3f,  0x1.522ap-2f};
    alignas(64) static constexpr float kLow[16] = {
        0x1.2053fcp-21f,  -0x1.5d708ep-21f, -0x1.86d5e4p-19f, 0x1.070cacp-20f,  0x1.f1eb0ep-20f,
        -0x1.2f8200p-19f, 0x1.6ba8d4p-19f,  -0x1.86008cp-20f, -0x1.361cf0p-19f, 0.0f,
        0x1.8b59e4p-20f,  -0x1.0d1536p-19f, 0x1.ad50f6p-25f,  -0x1.2c3752p-19f, 0x1.c6cb3cp-19f,
        0x1.c0e714p-19f};
    const auto place = V::sub_i(V::as_int(a), V::set1_i(0x3f330000));
    const auto exponent = V::template sar<23>(place), range = V::template sar<19>(place);
    const F e = V::to_float(exponent);
    const F m = V::as_float(V::sub_i(V::as_int(a), V::template shl<23>(exponent)));
    const F r = V::fma(m, V::look_up(kInverse, range), V::set1(-1.0f));
    const F z = V::mul(r, r), z_more = V::fnma(r, r, z);  // r² = z - z_more
    F q = V::set1(0x1.251d92p-3f);
    q = V::fma(q, r, V::set1(-0x1.55f206p-3f));
    q = V::fma(q, r, V::set1(0x1.999988p-3f));
    q = V::fma(q, r, V::set1(-0x1.ffffecp-3f));
    q = V::fma(q, r, V::set1(0x1.555556p-2f));
    const F half = V::set1(0.5f);
    const F whole = V::fma(e, V::set1(0x1.62e4p-1f), V::look_up(kHigh, range));
    const F first = V::add(whole, r), first_lost = V::sub(r, V::sub(first, whole));
    const F second = V::fnma(half, z, first), second_lost = V::fnma(half, z, V::sub(first, second));
    const F rest = V::add(first_lost, V::fma(e, V::set1(0x1.7f7d1cp-20f), V::look_up(kLow, range)));
    const F low = V::fma(V::mul(r, z), q, V::add(rest, V::fma(half, z_more, second_lost)));
    const F high = V::add(second, low);
    return {high, V::sub(V::sub(high, second), low)};
  }

  // x = n·ln 2 / 16 + g, |g| < 0.0217; n = 16·k + j, and e^x = 2^k·2^(j/16)·e^g, where kRoot has the bits of 2^(j/16)
  // less j·2^19, so that n·2^19 adds k to their exponent, and kRootLost what they lack of it, as a part of it.
  [[gnu::always_inline]] static F exp_of(Pair x) {
    alignas(64) static constexpr float kRoot[16] = {
        __builtin_bit_cast(float, 0x3f800000), __builtin_bit_cast(float, 0x3f7daac3),
        __builtin_bit_cast(float, 0x3f7b95c2), __builtin_bit_cast(float, 0x3f79c3d3),
        __builtin_bit_cast(float, 0x3f7837f0), __builtin_bit_cast(float, 0x3f76f532),
        __builtin_bit_cast(float, 0x3f75fed7), __builtin_bit_cast(float, 0x3f75583f),
        __builtin_bit_cast(float, 0x3f7504f3), __builtin_bit_cast(float, 0x3f7508a4),
        __builtin_bit_cast(float, 0x3f75672a), __builtin_bit_cast(float, 0x3f76248c),
        __builtin_bit_cast(float, 0x3f7744fd), __builtin_bit_cast(float, 0x3f78ccdf),
        __builtin_bit_cast(float, 0x3f7ac0c7), __builtin_bit_cast(float, 0x3f7d257d)};
    alignas(64) static constexpr float kRootLost[16] = {0.0f,
                                                        0x1.8d96d4p-25f,
                                                        -0x1.9c0c22p-27f,
                                                        0x1.964904p-25f,
                                                        0x1.125002p-25f,
                                                        0x1.370be4p-25f,
                                                        -0x1.0a3550p-25f,
                                                        -0x1.00d8acp-27f,
                                                        0x1.26055cp-26f,
                                                        -0x1.05cb44p-25f,
                                                        0x1.67a1cap-28f,
                                                        0x1.a3b5e4p-28f,
                                                        -0x1.f9c304p-27f,
                                                        -0x1.6961b4p-28f,
                                                        -0x1.a5217cp-28f,
                                                        0x1.61428ep-28f};
    const F magic = V::set1(0x1.8p23f);
    const F sum = V::fma(x.high, V::set1(0x1.715476p+4f), magic), n = V::sub(sum, magic);
    const auto place = V::as_int(sum);
    const F high = V::fnma(n, V::set1(0x1.62e430p-5f), x.high);
    const F low = V::sub(V::look_up(kRootLost, place), V::fma(n, V::set1(-0x1.05c610p-33f), x.lost));
    const F g = V::add(high, low);
    F q = V::fma(V::set1(0x1.55565cp-5f), g, V::set1(0x1.5556dep-3f));
    q = V::fma(q, g, V::set1(0.5f));
    const F grown = V::add(high, V::fma(V::mul(g, g), q, low));
    const F root = V::as_float(V::add_i(V::as_int(V::look_up(kRoot, place)), V::template shl<19>(place)));
    return V::fma(root, grown, root);
  }
};
