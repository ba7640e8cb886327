// SPDX-License-Identifier: Apache-2.0
// K vectors of a policy as one of K times the lanes: what is done with it is done with each in turn, so that a processor
// finds work in the next ones while a result of the first is on its way. Only what Power (power.inl) needs.

template <class V, int K>
struct Several {
  static constexpr int kLanes = K * V::kLanes;

  struct F {
    typename V::F v[K];
  };
  struct I {
    typename V::I v[K];
  };
  struct M {
    typename V::M v[K];
  };

  static F set1(float x) {
    return each<F>([&](int) { return V::set1(x); });
  }
  static I set1_i(int32_t x) {
    return each<I>([&](int) { return V::set1_i(x); });
  }
  static F load(const float* p) {
    return each<F>([&](int k) { return V::load(p + k * V::kLanes); });
  }
  static void store(float* p, F x) {
    for (int k = 0; k < K; ++k) V::store(p + k * V::kLanes, x.v[k]);
  }

  static F abs(F x) {
    return each<F>([&](int k) { return V::abs(x.v[k]); });
  }
  static I as_int(F x) {
    return each<I>([&](int k) { return V::as_int(x.v[k]); });
  }
  static F as_float(I x) {
    return each<F>([&](int k) { return V::as_float(x.v[k]); });
  }
  static F to_float(I x) {
    return each<F>([&](int k) { return V::to_float(x.v[k]); });
  }
  static F mul(F x, F y) {
    return each<F>([&](int k) { return V::mul(x.v[k], y.v[k]); });
  }
  static F add(F x, F y) {
    return each<F>([&](int k) { return V::add(x.v[k], y.v[k]); });
  }
  static F sub(F x, F y) {
    return each<F>([&](int k) { return V::sub(x.v[k], y.v[k]); });
  }
  static I sub_i(I x, I y) {
    return each<I>([&](int k) { return V::sub_i(x.v[k], y.v[k]); });
  }
  static I add_i(I x, I y) {
    return each<I>([&](int k) { return V::add_i(x.v[k], y.v[k]); });
  }
  static M le(F x, F y) {
    return each<M>([&](int k) { return V::le(x.v[k], y.v[k]); });
  }
  static M lt(F x, F y) {
    return each<M>([&](int k) { return V::lt(x.v[k], y.v[k]); });
  }
  static F fma(F x, F y, F z) {
    return each<F>([&](int k) { return V::fma(x.v[k], y.v[k], z.v[k]); });
  }
  static F fnma(F x, F y, F z) {
    return each<F>([&](int k) { return V::fnma(x.v[k], y.v[k], z.v[k]); });
  }
  template <int kBits>
  static I sar(I x) {
    return each<I>([&](int k) { return V::template sar<kBits>(x.v[k]); });
  }
  template <int kBits>
  static I shl(I x) {
    return each<I>([&](int k) { return V::template shl<kBits>(x.v[k]); });
  }
  static F look_up(const float* table, I x) {
    return each<F>([&](int k) { return V::look_up(table, x.v[k]); });
  }
  // Of the lanes of the first vector first.
  static uint64_t bits(M m) {
    uint64_t all = 0;
    for (int k = 0; k < K; ++k) all |= uint64_t{V::bits(m.v[k])} << k * V::kLanes;
    return all;
  }

 private:
  template <class R, class Fn>
  [[gnu::always_inline]] static R each(const Fn& fn) {
    R out;
    for (int k = 0; k < K; ++k) out.v[k] = fn(k);
    return out;
  }
};
