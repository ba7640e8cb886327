// SPDX-License-Identifier: Apache-2.0
// What training does with weights: one AdamW step, in the order of operations of PyTorch's single-tensor
// implementation, and rounding to ternary codes.
#include <cmath>

#include "devices/cuda/packs.cuh"
#include "devices/cuda/pointwise.h"

namespace tern::cuda {
namespace {

struct Coefficients {
  float grad_scale, keep, blend1, blend2, decay2, step, root2, eps;
};

Coefficients coefficients_of(const AdamwArgs& args) {
  const double bias1 = 1.0 - std::pow(args.beta1, static_cast<double>(args.step));
  const double bias2 = 1.0 - std::pow(args.beta2, static_cast<double>(args.step));
  return {.grad_scale = static_cast<float>(args.grad_scale),
          .keep = static_cast<float>(1.0 - args.lr * args.weight_decay),
          .blend1 = static_cast<float>(1.0 - args.beta1),
          .blend2 = static_cast<float>(1.0 - args.beta2),
          .decay2 = static_cast<float>(args.beta2),
          .step = static_cast<float>(-(args.lr / bias1)),
          .root2 = static_cast<float>(std::sqrt(bias2)),
          .eps = static_cast<float>(args.eps)};
}

// One element of p, m and v.
__device__ void step_element(const Coefficients& c, float grad, float& p, float& m, float& v) {
  const float g = grad * c.grad_scale;
  m = fmaf(c.blend1, g - m, m);
  v = v * c.decay2 + c.blend2 * g * g;
  p = p * c.keep + c.step * m / (sqrtf(v) / c.root2 + c.eps);
}

template <int kWidth>
__global__ void __launch_bounds__(kPackThreads)
    step_all(int64_t count, Coefficients coefficients, const float* grads, float* ps, float* ms, float* vs) {
  for_packs<kWidth>(count, [&](int64_t i, auto width) {
    constexpr int kAtOnce = decltype(width)::value;
    const auto grad = load_pack<kAtOnce>(grads + i);
    auto p = load_pack<kAtOnce>(ps + i), m = load_pack<kAtOnce>(ms + i), v = load_pack<kAtOnce>(vs + i);
#pragma unroll
    for (int l = 0; l < kAtOnce; ++l) step_element(coefficients, grad.at[l], p.at[l], m.at[l], v.at[l]);
    store_pack(ps + i, p);
    store_pack(ms + i, m);
    store_pack(vs + i, v);
  });
}

struct TernaryCode {
  float inverse_scale;
  // A NaN fails both comparisons.
  __device__ int8_t operator()(float w) const {
    const float rounded = rintf(w * inverse_scale);
    return static_cast<int8_t>(rounded >= 1.0f ? 1 : rounded <= -1.0f ? -1 : 0);
  }
};

}  // namespace

void adamw(const Exec& exec, const AdamwArgs& args) noexcept {
  if (args.count == 0) return;
  constexpr int kWidth = kPackWidth<float>;
  const cudaStream_t stream = stream_of(exec);
  const Coefficients coefficients = coefficients_of(args);
  if (hold_packs<kWidth>(args.grad, args.p, args.m, args.v)) {
    step_all<kWidth><<<pack_blocks(args.count, kWidth), kPackThreads, 0, stream>>>(args.count, coefficients, args.grad,
                                                                                   args.p, args.m, args.v);
  } else {
    step_all<1><<<pack_blocks(args.count, 1), kPackThreads, 0, stream>>>(args.count, coefficients, args.grad, args.p,
                                                                         args.m, args.v);
  }
  launched(exec, "adamw");
}

void ternary_codes(const Exec& exec, const TernaryCodesArgs& args) noexcept {
  map_contiguous(exec, "ternary_codes", args.count, TernaryCode{args.inverse_scale}, args.codes, args.w);
}

}  // namespace tern::cuda
