// SPDX-License-Identifier: Apache-2.0
// What a block makes of one row: its root mean square, and its int8 codes by the greatest magnitude. One home for the
// kernels that quantize, so that they give the same bits.
//
// A row is a function value(i, at) that gives the thread's quads as for_held_quads counts them. What it gives beyond
// the row's end is 0 or NaN.
#pragma once

#include <type_traits>

#include "devices/cuda/numbers.cuh"
#include "devices/cuda/row_sums.cuh"

namespace tern::cuda {

// Of NormQuantizeArgs: what there is besides x.
enum class Second : uint8_t { none, add, gate };

// Where it is; x where there is nothing.
template <Second kSecond>
__device__ const float* second_of(const NormQuantizeArgs& args) {
  return kSecond == Second::add ? args.add : kSecond == Second::gate ? args.gate : args.x;
}

// What is normalized, of x and of what there is besides.
template <Second kSecond>
__device__ float4 combined(const float4& x, const float4& second) {
  if constexpr (kSecond == Second::none) return x;
  return map_quads(
      [](float a, float b) {
        if constexpr (kSecond == Second::add) return a + b;
        const float r = relu(b);
        return r * r * a;
      },
      x, second);
}

// The sum of a row's squares.
template <int kHeld, class Walk, class Value, class Reducer>
__device__ float row_squares(const Walk& row, const Value& value, Reducer& reduce) {
  float4 squares = {};
  for_held_quads<kHeld>(row, [&](int i, int64_t at) {
    const float4 v = value(i, at);
    squares = add_products(squares, v, v);
  });
  return reduce.sum(sum_of(squares));
}

__device__ inline uint32_t pack_low_bytes(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return __byte_perm(__byte_perm(a, b, 0x0040), __byte_perm(c, d, 0x0040), 0x5410);
}

// Of the scaled values of a row, which are below 127.5: rounded half to even. A number beside which neighbouring floats
// are 1 apart rounds what is added to it into its lowest bits, 8 times as fast as a conversion.
__device__ inline uint32_t pack_finite_codes(const float4& x) {
  constexpr float kBase = 12582912.0f;  // 1.5 · 2^23
  const auto code = [](float v) { return __float_as_uint(v + kBase); };
  return pack_low_bytes(code(x.x), code(x.y), code(x.z), code(x.w));
}

// The same, of which some may be NaN: 0 of those.
__device__ inline uint32_t pack_codes(const float4& x) {
  const float sum = (x.x + x.y) + (x.z + x.w);
  if (sum == sum) return pack_finite_codes(x);
  const auto code = [](float v) { return static_cast<uint32_t>(__float2int_rn(v)); };
  return pack_low_bytes(code(x.x), code(x.y), code(x.z), code(x.w));
}

// Of a row with this greatest magnitude, and of one that is below 2^80.
__device__ inline float code_scale(float greatest) { return reciprocal(fmaxf(greatest, 1e-5f)) * 127.0f; }
__device__ inline float plain_code_scale(float greatest) { return plain_reciprocal(fmaxf(greatest, 1e-5f)) * 127.0f; }

// Magnitudes as bits are ordered as the numbers are, and NaNs are beyond all.
constexpr uint32_t kInfinityBits = 0x7f800000u;

struct RowGreatest {
  float magnitude;  // NaNs are passed over
  bool finite;      // as is all of the row
};

struct RowCodes {
  float scale;
  int sum;  // of the thread's
};

// The bits of the greatest magnitude of what the thread has, with NaNs or but for them.
template <int kHeld, bool kWithNans, class Walk, class Value>
__device__ __forceinline__ uint32_t greatest_bits(const Walk& row, const Value& value) {
  const auto greater = [](float a, float b) { return kWithNans ? greatest_or_nan(a, b) : fmaxf(a, fabsf(b)); };
  float greatest = 0.0f;
  for_held_quads<kHeld>(row, [&](int i, int64_t at) {
    const float4 v = value(i, at);
    greatest = greater(greatest, greater(greater(fabsf(v.x), v.y), greater(fabsf(v.z), v.w)));
  });
  return __float_as_uint(greatest);
}

// A row is gone through again only where it has NaNs, which is rare.
template <int kHeld, class Walk, class Value, class Reducer>
__device__ __forceinline__ RowGreatest row_greatest(const Walk& row, const Value& value, Reducer& reduce) {
  uint32_t bits = reduce.max(greatest_bits<kHeld, true>(row, value));
  const bool finite = bits < kInfinityBits;
  if (bits > kInfinityBits) bits = reduce.max(greatest_bits<kHeld, false>(row, value));
  return {__uint_as_float(bits), finite};
}

// Calls put(i, at, codes) for the thread's quads. pack: pack_finite_codes, or pack_codes.
template <int kHeld, class Walk, class Value, class Pack, class Put>
__device__ __forceinline__ RowCodes row_codes(const Walk& row, const Value& value, float scale, const Pack& pack,
                                              const Put& put) {
  RowCodes codes = {scale, 0};
  for_held_quads<kHeld>(row, [&](int i, int64_t at) {
    const uint32_t word = pack(map_quads([&](float v) { return v * scale; }, value(i, at)));
    put(i, at, word);
    codes.sum = __dp4a(static_cast<int>(word), 0x01010101, codes.sum);
  });
  return codes;
}

template <int kHeld, class Walk, class Value, class Reducer, class Put>
__device__ __forceinline__ RowCodes quantize_row(const Walk& row, const Value& value, Reducer& reduce, const Put& put) {
  const RowGreatest greatest = row_greatest<kHeld>(row, value, reduce);
  const float scale = code_scale(greatest.magnitude);
  if (greatest.finite) {
    return row_codes<kHeld>(
        row, value, scale, [](const float4& scaled) { return pack_finite_codes(scaled); }, put);
  }
  return row_codes<kHeld>(
      row, value, scale, [](const float4& scaled) { return pack_codes(scaled); }, put);
}

// Calls launch(held) with held_quads(cols) as a constant.
template <class Launch>
void with_held_quads(int64_t cols, const Launch& launch) {
  switch (held_quads(cols)) {
    case 1:
      return launch(std::integral_constant<int, 1>());
    case 2:
      return launch(std::integral_constant<int, 2>());
    case 4:
      return launch(std::integral_constant<int, 4>());
    case 8:
      return launch(std::integral_constant<int, 8>());
    default:
      return launch(std::integral_constant<int, 0>());
  }
}

// Calls launch(second) with the Second of args as a constant.
template <class Launch>
void with_second(const NormQuantizeArgs& args, const Launch& launch) {
  if (args.add) return launch(std::integral_constant<Second, Second::add>());
  if (args.gate) return launch(std::integral_constant<Second, Second::gate>());
  launch(std::integral_constant<Second, Second::none>());
}

}  // namespace tern::cuda
