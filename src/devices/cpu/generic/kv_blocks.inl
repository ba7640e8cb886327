// SPDX-License-Identifier: Apache-2.0
// The bytes of a block of keys or values: the tokens of one page, one key head. d16 and d32 are dim rounded up to 16 and
// 32; what is beyond dim is not read.
//
//   f32   f32[dim]      per token
//   f16   f16[d16]      per token
//   int8  i8[d16]       per token, then f32 scale per token
//   int4  u8[d32 / 2]   per token, then { f16 scale, f16 minimum }[d32 / 32] per token;
//         byte i of 16 holds the elements i (low half) and i + 16 (high half) of 32
//
// A block is contiguous and its codes come first: a decode step reads each byte once, in order.
//
// Why a minimum, at 5 bits an element: tried without one at 4.5, on the demo's model (f32 perplexity 145.25 over 6000
// tokens). Minimum and scale 145.30, codes -8 … 7 with the greatest at -8 145.48, codes -7 … 7 145.38; root mean square
// errors of keys 7.5 %, 8.0 % and 9.0 %. The best of 18 scales for codes -8 … 7 comes near (145.32, 7.6 %) for 18 times
// the work of storing. int8 gives 145.24.

constexpr int64_t kKvGroup = 32;  // elements that share an int4 scale

struct KvBlock {
  KvType type;
  int64_t tokens, dim;

  constexpr int64_t groups() const { return ceil_div(dim, kKvGroup); }
  // Bytes of a token.
  constexpr int64_t codes() const {
    switch (type) {
      case KvType::f32:
        return dim * int64_t{sizeof(float)};
      case KvType::f16:
        return round_up(dim, 16) * int64_t{sizeof(uint16_t)};
      case KvType::int8:
        return round_up(dim, 16);
      default:
        return groups() * kKvGroup / 2;
    }
  }
  constexpr int64_t scales() const {
    return type == KvType::int8   ? int64_t{sizeof(float)}
           : type == KvType::int4 ? groups() * 2 * int64_t{sizeof(uint16_t)}
                                  : 0;
  }
  constexpr int64_t bytes() const { return round_up(tokens * (codes() + scales()), 64); }
  constexpr int64_t scales_at(int64_t token) const { return tokens * codes() + token * scales(); }
};

size_t kv_block_bytes(KvType type, int64_t tokens, int64_t dim) noexcept {
  return static_cast<size_t>(KvBlock{type, tokens, dim}.bytes());
}

// 0 if all of x are finite, else NaN.
template <class V>
float finite_probe(const float* x, int64_t count) {
  auto acc = V::zero();
  for_lanes(0, count, [&](int64_t i, auto n) { acc = V::fma(load<V>(x + i, n), V::zero(), acc); });
  return V::reduce_add(acc);
}

template <class V>
uint16_t f16_of(float x) {
  uint16_t halves[V::kLanes];
  V::store_f16(halves, V::set1(x));
  return halves[0];
}
template <class V>
float f32_of(uint16_t x) {
  float floats[V::kLanes];
  V::store(floats, V::load_f16(Padded16(&x, 1).lanes));
  return floats[0];
}

template <class V>
void write_int8(const float* x, int64_t dim, int8_t* codes, float* scale) {
  const float s = row_abs_max<V>(x, dim) / 127.0f;
  const auto inverse = V::set1(1.0f / s);
  for_lanes(0, dim, [&](int64_t i, auto n) {
    V::store_i8(codes + i, round_clamped<V>(V::mul(load<V>(x + i, n), inverse), -127.0f, 127.0f));
  });
  *scale = s + finite_probe<V>(x, dim);
}

// One group of up to 32 elements.
template <class V>
void write_int4(const float* x, int64_t count, uint8_t* codes, uint16_t* scale) {
  // What a tail lacks repeats its first element.
  const auto low = load<V>(x, smaller(count, 16), x[0]), high = load<V>(x + 16, count > 16 ? count - 16 : 0, x[0]);
  const float least = -V::reduce_max(V::max(V::neg(low), V::neg(high)));
  scale[1] = f16_of<V>(least + finite_probe<V>(x, count));
  const float minimum = f32_of<V>(scale[1]);
  scale[0] = f16_of<V>((V::reduce_max(V::max(low, high)) - minimum) / 15.0f);
  const auto inverse = V::set1(1.0f / f32_of<V>(scale[0]));
  const auto code = [&](typename V::F v) {
    return round_clamped<V>(V::mul(V::sub(v, V::set1(minimum)), inverse), 0.0f, 15.0f);
  };
  // Bytes as signed numbers, which do not saturate.
  const auto bytes = V::or_i(code(low), V::template shl<4>(code(high)));
  V::store_i8(reinterpret_cast<int8_t*>(codes), V::template sar<24>(V::template shl<24>(bytes)));
}

template <class V>
void write_kv(const KvBlock& b, std::byte* block, int64_t token, const float* x) {
  std::byte* const codes = block + token * b.codes();
  std::byte* const scales = block + b.scales_at(token);
  switch (b.type) {
    case KvType::f32:
      memcpy(codes, x, static_cast<size_t>(b.dim) * sizeof *x);
      return;
    case KvType::f16:
      for_lanes(0, b.dim, [&](int64_t i, auto n) {
        V::store_f16(reinterpret_cast<uint16_t*>(codes) + i, load<V>(x + i, n));
      });
      return;
    case KvType::int8:
      return write_int8<V>(x, b.dim, reinterpret_cast<int8_t*>(codes), reinterpret_cast<float*>(scales));
    case KvType::int4:
      for (int64_t g = 0; g < b.groups(); ++g) {
        write_int4<V>(x + g * kKvGroup, smaller(kKvGroup, b.dim - g * kKvGroup),
                      reinterpret_cast<uint8_t*>(codes) + g * 16, reinterpret_cast<uint16_t*>(scales) + g * 2);
      }
      return;
  }
}

template <class V>
void read_int4(const uint8_t* codes, const uint16_t* scales, int64_t groups, float* to) {
  constexpr int64_t kPairs = V::kLanes / 2;
  float pairs[V::kLanes] = {};
  for (int64_t g = 0; g < groups; ++g) {
    if (g % kPairs == 0) {
      V::store(pairs, F16Weights<V>::load_lanes(scales + g * 2, smaller(V::kLanes, (groups - g) * 2)));
    }
    const auto step = V::set1(pairs[g % kPairs * 2]), minimum = V::set1(pairs[g % kPairs * 2 + 1]);
    const auto bytes = V::load_u8(codes + g * 16);
    const auto low = V::and_i(bytes, V::set1_i(15)), high = V::template sar<4>(bytes);
    V::store(to + g * kKvGroup, V::fma(V::to_float(low), step, minimum));
    V::store(to + g * kKvGroup + 16, V::fma(V::to_float(high), step, minimum));
  }
}

// Columns [column, column + columns) of `count` tokens, to rows of `stride` >= round_up(columns, 32) floats. Both column
// and, but for the last, columns are multiples of 32.
template <class V>
void read_kv(const KvBlock& b, const std::byte* block, int64_t token, int64_t count, int64_t column, int64_t columns,
             float* to, int64_t stride) {
  for (int64_t t = token; t < token + count; ++t, to += stride) {
    const std::byte* const codes = block + t * b.codes();
    const std::byte* const scales = block + b.scales_at(t);
    switch (b.type) {
      case KvType::f32:
        memcpy(to, reinterpret_cast<const float*>(codes) + column, static_cast<size_t>(columns) * sizeof *to);
        break;
      case KvType::f16:
        for (int64_t i = 0; i < columns; i += V::kLanes) {
          V::store(to + i, V::load_f16(reinterpret_cast<const uint16_t*>(codes) + column + i));
        }
        break;
      case KvType::int8: {
        const auto scale = V::set1(*reinterpret_cast<const float*>(scales));
        for (int64_t i = 0; i < columns; i += V::kLanes) {
          V::store(to + i, V::mul(V::load_i8(reinterpret_cast<const int8_t*>(codes) + column + i), scale));
        }
        break;
      }
      case KvType::int4:
        read_int4<V>(reinterpret_cast<const uint8_t*>(codes) + column / 2,
                     reinterpret_cast<const uint16_t*>(scales) + column / kKvGroup * 2, ceil_div(columns, kKvGroup), to);
        break;
    }
  }
}
