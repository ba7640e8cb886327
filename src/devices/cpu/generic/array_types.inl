// SPDX-License-Identifier: Apache-2.0
// The element types of arrays. Plain structs: an inline function of the standard library could become the copy that
// everybody calls (docs/architecture.md).

struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};
struct Bool {
  uint8_t byte;
};
template <class R>
struct Complex {
  R re, im;
};

// Calls fn(T{}) with the element type T of a dtype.
template <class Fn>
void with_type(DType dtype, const Fn& fn) {
  switch (dtype) {
    case DType::f32:
      return fn(float{});
    case DType::bf16:
      return fn(Bf16{});
    case DType::f16:
      return fn(F16{});
    case DType::i8:
      return fn(int8_t{});
    case DType::u8:
      return fn(uint8_t{});
    case DType::i32:
      return fn(int32_t{});
    case DType::i64:
      return fn(int64_t{});
    case DType::boolean:
      return fn(Bool{});
    case DType::i16:
      return fn(int16_t{});
    case DType::u16:
      return fn(uint16_t{});
    case DType::u32:
      return fn(uint32_t{});
    case DType::u64:
      return fn(uint64_t{});
    case DType::f64:
      return fn(double{});
    case DType::c64:
      return fn(Complex<float>{});
    case DType::c128:
      return fn(Complex<double>{});
  }
}

template <class A, class B>
constexpr bool kSame = false;
template <class A>
constexpr bool kSame<A, A> = true;

template <class T>
constexpr bool kHalf = kSame<T, Bf16> || kSame<T, F16>;
template <class T>
constexpr bool kReal = kSame<T, float> || kSame<T, double>;
template <class T>
constexpr bool kComplex = kSame<T, Complex<float>> || kSame<T, Complex<double>>;
template <class T>
constexpr bool kInteger = !kHalf<T> && !kReal<T> && !kComplex<T> && !kSame<T, Bool>;
template <class T>
constexpr bool kSigned = kSame<T, int8_t> || kSame<T, int16_t> || kSame<T, int32_t> || kSame<T, int64_t>;

// The integers of a type's size: the unsigned one, in which sums and products wrap and bits are seen, and the signed
// one.
template <size_t kBytes>
struct BitsOf;
template <>
struct BitsOf<1> {
  using U = uint8_t;
  using S = int8_t;
};
template <>
struct BitsOf<2> {
  using U = uint16_t;
  using S = int16_t;
};
template <>
struct BitsOf<4> {
  using U = uint32_t;
  using S = int32_t;
};
template <>
struct BitsOf<8> {
  using U = uint64_t;
  using S = int64_t;
};
template <class T>
using Unsigned = typename BitsOf<sizeof(T)>::U;
template <class T>
using Signed = typename BitsOf<sizeof(T)>::S;

template <class R>
constexpr Unsigned<R> bits_of(R x) {
  return __builtin_bit_cast(Unsigned<R>, x);
}
template <class R>
constexpr Unsigned<R> kSignBit = static_cast<Unsigned<R>>(Unsigned<R>{1} << (8 * sizeof(R) - 1));

inline float negated(float x) {
  return __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, x) ^ (uint32_t{1} << 31));
}
inline double negated(double x) {
  return __builtin_bit_cast(double, __builtin_bit_cast(uint64_t, x) ^ (uint64_t{1} << 63));
}

// (ac - bd) + (ad + bc)i, each product rounded. Not with a minus: g++ 12 makes one fused vfmaddsub of - and + side by
// side, whatever -ffp-contract says, so that the sets with FMA gave other bits.
template <class R>
inline Complex<R> complex_product(Complex<R> a, Complex<R> b) {
  return {a.re * b.re + negated(a.im * b.im), a.re * b.im + a.im * b.re};
}
