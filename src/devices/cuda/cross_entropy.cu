// SPDX-License-Identifier: Apache-2.0
// Cross entropy of rows of logits against one class each, and its gradient. Target -100 marks a row to ignore.
#include "devices/cuda/exponential_sum.cuh"
#include "devices/cuda/rows.h"

namespace tern::cuda {
namespace {

constexpr int64_t kIgnoredTarget = -100;

__global__ void __launch_bounds__(kMostRowThreads) losses(const __grid_constant__ CrossEntropyArgs args) {
  __shared__ BlockReducer::Memory memory;
  BlockReducer reduce(memory);
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const float* const logits = args.logits + row * args.classes;
    const ExponentialSum all = exponential_sum(Row<const float>(logits, args.classes), args.classes, reduce);
    if (threadIdx.x != 0) continue;
    const float log_sum = logf(all.sum);
    const int64_t target = args.targets[row];
    args.loss[row] = target == kIgnoredTarget ? 0.0f : log_sum - (logits[target] - all.max);
    args.lse[row] = all.max + log_sum;
  }
}

__global__ void __launch_bounds__(kMostRowThreads)
    logits_gradient(const __grid_constant__ CrossEntropyBackwardArgs args) {
  const int64_t classes = args.classes;
  const float scale = args.scale;
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const Row<const float> logits(args.logits + row * classes, classes);
    const Row<float> d_logits(args.d_logits + row * classes, classes);
    const int64_t target = args.targets[row];
    if (target == kIgnoredTarget) {
      for_quads(classes, [&](int64_t at) { d_logits.put(at, float4{}); });
      continue;
    }
    const float lse = args.lse[row];
    for_quads(classes, [&](int64_t at) {
      const auto expected = [&](int64_t j) { return j == target ? 1.0f : 0.0f; };
      const float4 one_hot = make_float4(expected(at), expected(at + 1), expected(at + 2), expected(at + 3));
      d_logits.put(
          at, map_quads([=](float v, float hot) { return scale * (expf(v - lse) - hot); }, logits.quad(at), one_hot));
    });
  }
}

}  // namespace

void cross_entropy(const Exec& exec, const CrossEntropyArgs& args) noexcept {
  launch_rows(exec, "cross_entropy", args.rows, args.classes, losses, args);
}

void cross_entropy_backward(const Exec& exec, const CrossEntropyBackwardArgs& args) noexcept {
  launch_rows(exec, "cross_entropy_backward", args.rows, args.classes, logits_gradient, args);
}

}  // namespace tern::cuda
