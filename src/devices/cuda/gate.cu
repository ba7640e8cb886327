// SPDX-License-Identifier: Apache-2.0
// The squared-ReLU gate of BitNet's feed-forward block, and its gradient.
#include "devices/cuda/numbers.cuh"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/pointwise.h"

namespace tern::cuda {
namespace {

struct Gate {
  __device__ float operator()(float gate, float up) const {
    const float r = relu(gate);
    return r * r * up;
  }
};

template <int kWidth>
__global__ void __launch_bounds__(kPackThreads) gate_backward(Relu2GateBackwardArgs args) {
  for_packs<kWidth>(args.count, [&](int64_t i, auto width) {
    constexpr int kAtOnce = decltype(width)::value;
    const auto gate = load_pack<kAtOnce>(args.gate + i), up = load_pack<kAtOnce>(args.up + i);
    const auto dy = load_pack<kAtOnce>(args.dy + i);
    Pack<float, kAtOnce> d_gate, d_up;
#pragma unroll
    for (int l = 0; l < kAtOnce; ++l) {
      const float r = relu(gate.at[l]);
      d_gate.at[l] = dy.at[l] * up.at[l] * (r + r);
      d_up.at[l] = dy.at[l] * (r * r);
    }
    store_pack(args.d_gate + i, d_gate);
    store_pack(args.d_up + i, d_up);
  });
}

}  // namespace

void relu2_gate(const Exec& exec, const Relu2GateArgs& args) noexcept {
  map_contiguous(exec, "relu2_gate", args.count, Gate{}, args.y, args.gate, args.up);
}

void relu2_gate_backward(const Exec& exec, const Relu2GateBackwardArgs& args) noexcept {
  if (args.count == 0) return;
  constexpr int kWidth = kPackWidth<float>;
  const cudaStream_t stream = stream_of(exec);
  if (hold_packs<kWidth>(args.gate, args.up, args.dy, args.d_gate, args.d_up)) {
    gate_backward<kWidth><<<pack_blocks(args.count, kWidth), kPackThreads, 0, stream>>>(args);
  } else {
    gate_backward<1><<<pack_blocks(args.count, 1), kPackThreads, 0, stream>>>(args);
  }
  launched(exec, "relu2_gate_backward");
}

}  // namespace tern::cuda
