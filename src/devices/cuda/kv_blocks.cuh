// SPDX-License-Identifier: Apache-2.0
// The bytes of a block of keys or values: the tokens of one page, one key head. d4 and d32 are dim rounded up to 4 and
// 32; what is beyond dim is 0.
//
//   f32   f32[d4]       per token
//   f16   f16[d4]       per token
//   int8  i8[d4]        per token, then f32 scale per token
//   int4  u8[d32 / 2]   per token, then { f16 scale, f16 minimum }[d32 / 32] per token;
//         byte i of 16 holds the elements 2i (low half) and 2i + 1 (high half) of 32
//
// So four adjacent elements, which a thread reads at once, are adjacent and aligned bytes.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "devices/cuda/launch.h"

namespace tern::cuda {

constexpr int kKvGroup = 32;  // elements that share an int4 scale

struct KvBlock {
  KvType type;
  int64_t tokens, dim;

  constexpr int64_t groups() const { return ceil_div(dim, kKvGroup); }
  // Bytes of a token.
  constexpr int64_t codes() const {
    switch (type) {
      case KvType::f32:
        return round_up(dim, 4) * int64_t{sizeof(float)};
      case KvType::f16:
        return round_up(dim, 4) * int64_t{sizeof(__half)};
      case KvType::int8:
        return round_up(dim, 4);
      default:
        return groups() * kKvGroup / 2;
    }
  }
  constexpr int64_t scales() const {
    return type == KvType::int8   ? int64_t{sizeof(float)}
           : type == KvType::int4 ? groups() * int64_t{sizeof(__half2)}
                                  : 0;
  }
  constexpr int64_t bytes() const { return round_up(tokens * (codes() + scales()), 64); }
  constexpr int64_t codes_at(int64_t token) const { return token * codes(); }
  constexpr int64_t scales_at(int64_t token) const { return tokens * codes() + token * scales(); }
};

// Calls act with the type as a constant.
template <class Act>
void with_kv_type(KvType type, const Act& act) {
  switch (type) {
    case KvType::f32:
      return act(std::integral_constant<KvType, KvType::f32>());
    case KvType::f16:
      return act(std::integral_constant<KvType, KvType::f16>());
    case KvType::int8:
      return act(std::integral_constant<KvType, KvType::int8>());
    case KvType::int4:
      return act(std::integral_constant<KvType, KvType::int4>());
  }
}

// The block of page `page` that holds the keys or values of one head.
__device__ inline std::byte* kv_block(const KvPages& kv, const KvBlock& block, int64_t page, bool values, int64_t head) {
  return kv.data + page * static_cast<int64_t>(kv.page_stride) + ((values ? kv.kv_heads : 0) + head) * block.bytes();
}

// The last sequence, by its number, that starts(number, sequence) holds for: it does for the first, and for none after one
// that it does not hold for.
template <class Starts>
__device__ int64_t last_sequence(const PagedBatch& batch, const Starts& starts) {
  int64_t begin = 0, end = batch.sequences;
  while (end - begin > 1) {
    const int64_t middle = begin + (end - begin) / 2;
    (starts(middle, batch.sequence[middle]) ? begin : end) = middle;
  }
  return begin;
}

__device__ inline const PagedSequence& sequence_of_row(const PagedBatch& batch, int64_t row) {
  return batch.sequence[last_sequence(batch, [row](int64_t, const PagedSequence& s) { return s.row <= row; })];
}

// The scale and minimum of 32 elements of an int4 block.
struct KvGroupScale {
  __half scale, minimum;
};
static_assert(sizeof(KvGroupScale) == sizeof(__half2));

__device__ inline float half_at(uint32_t bits) {
  return __half2float(__ushort_as_half(static_cast<unsigned short>(bits)));
}

// Elements [column, column + 4) of a token, column a multiple of 4. Those beyond dim are finite where the others are.
template <KvType type>
__device__ float4 read_kv_quad(const std::byte* codes, const std::byte* scales, int column) {
  if constexpr (type == KvType::f32) {
    return reinterpret_cast<const float4*>(codes)[column / 4];
  } else if constexpr (type == KvType::f16) {
    const uint2 pairs = reinterpret_cast<const uint2*>(codes)[column / 4];
    return {half_at(pairs.x), half_at(pairs.x >> 16), half_at(pairs.y), half_at(pairs.y >> 16)};
  } else if constexpr (type == KvType::int8) {
    const char4 quad = reinterpret_cast<const char4*>(codes)[column / 4];
    const float scale = *reinterpret_cast<const float*>(scales);
    const auto number = [scale](signed char code) { return static_cast<float>(code) * scale; };
    return {number(quad.x), number(quad.y), number(quad.z), number(quad.w)};
  } else {
    const uint32_t quad = reinterpret_cast<const unsigned short*>(codes)[column / 4];
    const uint32_t pair = reinterpret_cast<const uint32_t*>(scales)[column / kKvGroup];
    const float scale = half_at(pair), minimum = half_at(pair >> 16);
    const auto number = [&](int i) { return fmaf(static_cast<float>(quad >> (4 * i) & 15), scale, minimum); };
    return {number(0), number(1), number(2), number(3)};
  }
}

}  // namespace tern::cuda
