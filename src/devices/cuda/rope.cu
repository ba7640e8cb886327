// SPDX-License-Identifier: Apache-2.0
// Rotary position embedding, half-split pairs. A block turns the heads of one token: its threads lie along the pairs of
// a head, four pairs each where memory is aligned, and beside each other along the heads.
#include "devices/cuda/launch.h"
#include "devices/cuda/rows.h"

namespace tern::cuda {
namespace {

constexpr unsigned kMostThreads = 256;

__device__ void rotate(float& low, float& high, float cos, float sin) {
  const float turned = low * cos - high * sin;
  high = high * cos + low * sin;
  low = turned;
}

__device__ void rotate(float4& low, float4& high, const float4& cos, const float4& sin) {
  rotate(low.x, high.x, cos.x, sin.x);
  rotate(low.y, high.y, cos.y, sin.y);
  rotate(low.z, high.z, cos.z, sin.z);
  rotate(low.w, high.w, cos.w, sin.w);
}

__device__ float negated(float x) { return -x; }
__device__ float4 negated(const float4& x) { return make_float4(-x.x, -x.y, -x.z, -x.w); }

// Each V, float or float4, holds `half` / units neighbours. x and y may be one: a thread reads both sides of its pairs
// before it writes them.
template <class V>
__global__ void __launch_bounds__(kMostThreads) rotate_tokens(const __grid_constant__ RopeArgs args, int64_t units) {
  const V *x = reinterpret_cast<const V*>(args.x), *cos = reinterpret_cast<const V*>(args.cos),
          *sin = reinterpret_cast<const V*>(args.sin);
  V* const y = reinterpret_cast<V*>(args.y);
  for (int64_t token = blockIdx.x; token < args.tokens; token += gridDim.x) {
    const int64_t turn = args.positions[token] * units;
    for (int64_t i = threadIdx.x; i < units; i += blockDim.x) {
      const V c = cos[turn + i], s = args.inverse ? negated(sin[turn + i]) : sin[turn + i];
      for (int64_t head = threadIdx.y; head < args.heads; head += blockDim.y) {
        const int64_t at = (token * args.heads + head) * 2 * units + i;
        V low = x[at], high = x[at + units];
        rotate(low, high, c, s);
        y[at] = low;
        y[at + units] = high;
      }
    }
  }
}

template <class V>
void launch_rope(const Exec& exec, const RopeArgs& args) {
  const int64_t units = args.dim / 2 / static_cast<int64_t>(sizeof(V) / sizeof(float));
  unsigned along = 1;
  while (along < units && along < kMostThreads) along *= 2;
  const int64_t beside = kMostThreads / along;
  const dim3 threads(along, static_cast<unsigned>(beside < args.heads ? beside : args.heads));
  rotate_tokens<V><<<blocks_for(args.tokens, 1), threads, 0, stream_of(exec)>>>(args, units);
  launched(exec, "rope");
}

template <class... T>
bool aligned_for_quads(const T*... pointers) {
  return (is_aligned(pointers, sizeof(float4)) && ...);
}

}  // namespace

void rope(const Exec& exec, const RopeArgs& args) noexcept {
  if (args.tokens == 0 || args.heads == 0 || args.dim == 0) return;
  if (args.dim % 8 == 0 && aligned_for_quads(args.x, args.cos, args.sin, args.y)) {
    launch_rope<float4>(exec, args);
  } else {
    launch_rope<float>(exec, args);
  }
}

}  // namespace tern::cuda
