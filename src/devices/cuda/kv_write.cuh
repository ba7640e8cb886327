// SPDX-License-Identifier: Apache-2.0
// Writes one head of one token, a key or a value, to its page, by a whole warp.
#pragma once

#include "devices/cuda/kv_blocks.cuh"
#include "devices/cuda/rotation.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {

// One head of a key or a value; keys are rotated as they are read.
struct HeadRow {
  const float *x, *cos, *sin;  // cos, sin of its position, or null
  int dim;

  __device__ float operator()(int column) const {
    if (!cos) return x[column];
    return rotated_element(x, cos, sin, dim, column);
  }
};

__device__ inline int lane_of_warp() { return static_cast<int>(threadIdx.x % kWarp); }

// 0 if `finite` in all lanes, else NaN.
__device__ inline float finite_probe(bool finite) { return __all_sync(kAllLanes, finite) ? 0.0f : NAN; }

struct NoPut {
  template <class T>
  __device__ void operator()(int, T) const {}
};

// put(column, element) is told of each, too.
template <class T, class Convert, class Put = NoPut>
__device__ void write_elements(const HeadRow& x, T* to, const Convert& convert, const Put& put = {}) {
  const int padded = (x.dim + 3) / 4 * 4;
#pragma unroll 4
  for (int i = lane_of_warp(); i < padded; i += kWarp) {
    const T element = convert(i < x.dim ? x(i) : 0.0f);
    to[i] = element;
    put(i, element);
  }
}

__device__ inline void write_int8(const HeadRow& x, int8_t* codes, float* scale) {
  float greatest = 0.0f;
  bool finite = true;
  for (int i = lane_of_warp(); i < x.dim; i += kWarp) {
    const float value = x(i);
    greatest = fmaxf(greatest, fabsf(value));
    finite = finite && isfinite(value);
  }
  const float step = max_of_lanes(greatest) / 127.0f, inverse = 1.0f / step, probe = finite_probe(finite);
  write_elements(x, codes, [inverse](float value) {
    return static_cast<int8_t>(round_clamped(value * inverse, -127.0f, 127.0f));
  });
  if (lane_of_warp() == 0) *scale = step + probe;
}

// 32 elements, one a lane, or what the row has left of them. What it lacks repeats the first.
__device__ inline void write_int4(const HeadRow& x, int begin, uint8_t* codes, KvGroupScale* to) {
  const int lane = lane_of_warp();
  const bool inside = begin + lane < x.dim;
  const float value = x(inside ? begin + lane : begin);
  const float probe = finite_probe(isfinite(value));
  const __half least = __float2half_rn(-max_of_lanes(-value) + probe);
  const float minimum = __half2float(least);
  const __half step = __float2half_rn((max_of_lanes(value) - minimum) / 15.0f);
  const float inverse = 1.0f / __half2float(step);
  const int code = inside ? round_clamped((value - minimum) * inverse, 0.0f, 15.0f) : 0;
  const int next = __shfl_down_sync(kAllLanes, code, 1);
  if (lane % 2 == 0) codes[lane / 2] = static_cast<uint8_t>(code | next << 4);
  if (lane == 0) *to = {step, least};
}

// To a row's codes and scales. Where those are f16, put(column, element) is told of them, too.
template <KvType type, class Put = NoPut>
__device__ void write_kv(const KvBlock& block, std::byte* codes, std::byte* scales, const HeadRow& x,
                         const Put& put = {}) {
  if constexpr (type == KvType::f32) {
    write_elements(x, reinterpret_cast<float*>(codes), [](float value) { return value; });
  } else if constexpr (type == KvType::f16) {
    write_elements(
        x, reinterpret_cast<__half*>(codes), [](float value) { return __float2half_rn(value); }, put);
  } else if constexpr (type == KvType::int8) {
    write_int8(x, reinterpret_cast<int8_t*>(codes), reinterpret_cast<float*>(scales));
  } else {
    for (int g = 0; g < block.groups(); ++g) {
      write_int4(x, g * kKvGroup, reinterpret_cast<uint8_t*>(codes) + g * kKvGroup / 2,
                 reinterpret_cast<KvGroupScale*>(scales) + g);
    }
  }
}

// Row `row` of the pass, which is token `position` of sequence `s`: its key or its value for one head.
template <KvType type>
__device__ void append_head(const KvPages& kv, const PagedBatch& batch, const float* from, const PagedSequence& s,
                            int64_t row, int64_t head, bool values) {
  const KvBlock block = {type, kv.page_tokens, kv.dim};
  const int64_t position = s.length + row - s.row, page = batch.pages[s.table + position / kv.page_tokens];
  const int64_t turn = position * (kv.dim / 2);
  const HeadRow x = {from + (row * kv.kv_heads + head) * kv.dim, values ? nullptr : batch.cos + turn,
                     values ? nullptr : batch.sin + turn, static_cast<int>(kv.dim)};
  std::byte* const bytes = kv_block(kv, block, page, values, head);
  const int64_t slot = position % kv.page_tokens;
  write_kv<type>(block, bytes + block.codes_at(slot), bytes + block.scales_at(slot), x);
}

}  // namespace tern::cuda
