// SPDX-License-Identifier: Apache-2.0
// Stores keys and values in pages: a warp for each token, head, and key or value.
#include "devices/cuda/attention_entries.h"
#include "devices/cuda/kv_blocks.cuh"
#include "devices/cuda/rotation.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 128;

// One head of a key or a value; keys are rotated as they are read.
struct HeadRow {
  const float *x, *cos, *sin;  // cos, sin of its position, or null
  int dim;

  __device__ float operator()(int column) const {
    if (!cos) return x[column];
    return rotated_element(x, cos, sin, dim, column);
  }
};

__device__ int lane() { return static_cast<int>(threadIdx.x % kWarp); }

// 0 if `finite` in all lanes, else NaN.
__device__ float finite_probe(bool finite) { return __all_sync(kAllLanes, finite) ? 0.0f : NAN; }

template <class T, class Convert>
__device__ void write_elements(const HeadRow& x, T* to, const Convert& convert) {
  const int padded = (x.dim + 3) / 4 * 4;
  for (int i = lane(); i < padded; i += kWarp) to[i] = convert(i < x.dim ? x(i) : 0.0f);
}

__device__ void write_int8(const HeadRow& x, int8_t* codes, float* scale) {
  float greatest = 0.0f;
  bool finite = true;
  for (int i = lane(); i < x.dim; i += kWarp) {
    const float value = x(i);
    greatest = fmaxf(greatest, fabsf(value));
    finite = finite && isfinite(value);
  }
  const float step = max_of_lanes(greatest) / 127.0f, inverse = 1.0f / step, probe = finite_probe(finite);
  write_elements(x, codes, [inverse](float value) {
    return static_cast<int8_t>(round_clamped(value * inverse, -127.0f, 127.0f));
  });
  if (lane() == 0) *scale = step + probe;
}

// 32 elements, one a lane, or what the row has left of them. What it lacks repeats the first.
__device__ void write_int4(const HeadRow& x, int begin, uint8_t* codes, KvGroupScale* to) {
  const bool inside = begin + lane() < x.dim;
  const float value = x(inside ? begin + lane() : begin);
  const float probe = finite_probe(isfinite(value));
  const __half least = __float2half_rn(-max_of_lanes(-value) + probe);
  const float minimum = __half2float(least);
  const __half step = __float2half_rn((max_of_lanes(value) - minimum) / 15.0f);
  const float inverse = 1.0f / __half2float(step);
  const int code = inside ? round_clamped((value - minimum) * inverse, 0.0f, 15.0f) : 0;
  const int next = __shfl_down_sync(kAllLanes, code, 1);
  if (lane() % 2 == 0) codes[lane() / 2] = static_cast<uint8_t>(code | next << 4);
  if (lane() == 0) *to = {step, least};
}

template <KvType type>
__device__ void write_kv(const KvBlock& block, std::byte* bytes, int64_t token, const HeadRow& x) {
  std::byte* const codes = bytes + block.codes_at(token);
  std::byte* const scales = bytes + block.scales_at(token);
  if constexpr (type == KvType::f32) {
    write_elements(x, reinterpret_cast<float*>(codes), [](float value) { return value; });
  } else if constexpr (type == KvType::f16) {
    write_elements(x, reinterpret_cast<__half*>(codes), [](float value) { return __float2half_rn(value); });
  } else if constexpr (type == KvType::int8) {
    write_int8(x, reinterpret_cast<int8_t*>(codes), reinterpret_cast<float*>(scales));
  } else {
    for (int g = 0; g < block.groups(); ++g) {
      write_int4(x, g * kKvGroup, reinterpret_cast<uint8_t*>(codes) + g * kKvGroup / 2,
                 reinterpret_cast<KvGroupScale*>(scales) + g);
    }
  }
}

template <KvType type>
__global__ void __launch_bounds__(kThreads) append(const __grid_constant__ KvAppendArgs args) {
  const KvPages& kv = args.kv;
  const PagedBatch& batch = args.batch;
  const KvBlock block = {type, kv.page_tokens, kv.dim};
  const int64_t half = kv.dim / 2, tasks = batch.rows * kv.kv_heads * 2;
  constexpr int64_t kWarps = kThreads / kWarp;
  for (int64_t task = blockIdx.x * kWarps + threadIdx.x / kWarp; task < tasks; task += gridDim.x * kWarps) {
    const bool values = task % 2 != 0;
    const int64_t at = task / 2, row = at / kv.kv_heads, head = at % kv.kv_heads;
    const PagedSequence& s = sequence_of_row(batch, row);
    const int64_t position = s.length + row - s.row, page = batch.pages[s.table + position / kv.page_tokens];
    const HeadRow x = {(values ? args.v : args.k) + at * kv.dim, values ? nullptr : batch.cos + position * half,
                       values ? nullptr : batch.sin + position * half, static_cast<int>(kv.dim)};
    write_kv<type>(block, kv_block(kv, block, page, values, head), position % kv.page_tokens, x);
  }
}

}  // namespace

void kv_append(const Exec& exec, const KvAppendArgs& args) noexcept {
  const int64_t tasks = args.batch.rows * args.kv.kv_heads * 2;
  if (tasks == 0) return;
  with_kv_type(args.kv.type, [&](auto type) {
    append<decltype(type)::value><<<blocks_for(tasks, kThreads / kWarp), kThreads, 0, stream_of(exec)>>>(args);
    launched(exec, "kv_append");
  });
}

}  // namespace tern::cuda
