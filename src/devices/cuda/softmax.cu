// SPDX-License-Identifier: Apache-2.0
// Softmax of rows, and its gradient.
#include "devices/cuda/exponential_sum.cuh"
#include "devices/cuda/rows.h"

namespace tern::cuda {
namespace {

__global__ void __launch_bounds__(kMostRowThreads) probabilities(const __grid_constant__ SoftmaxArgs args) {
  __shared__ BlockReducer::Memory memory;
  BlockReducer reduce(memory);
  const int64_t cols = args.cols;
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const Row<const float> x(args.x + row * cols, cols);
    const Row<float> y(args.y + row * cols, cols);
    const ExponentialSum all = exponential_sum(x, cols, reduce);
    for_quads(cols, [&](int64_t at) {
      y.put(at, map_quads([&](float v) { return expf(v - all.max) / all.sum; }, x.quad(at)));
    });
  }
}

__global__ void __launch_bounds__(kMostRowThreads) x_gradient(const __grid_constant__ SoftmaxBackwardArgs args) {
  __shared__ BlockReducer::Memory memory;
  BlockReducer reduce(memory);
  const int64_t cols = args.cols;
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const Row<const float> y(args.y + row * cols, cols), dy(args.dy + row * cols, cols);
    const Row<float> dx(args.dx + row * cols, cols);
    float4 products = {};
    for_quads(cols, [&](int64_t at) { products = add_products(products, dy.quad(at), y.quad(at)); });
    const float sum = reduce.sum(sum_of(products));
    for_quads(cols, [&](int64_t at) {
      dx.put(at, map_quads([sum](float p, float slope) { return p * (slope - sum); }, y.quad(at), dy.quad(at)));
    });
  }
}

}  // namespace

void softmax(const Exec& exec, const SoftmaxArgs& args) noexcept {
  launch_rows(exec, "softmax", args.rows, args.cols, probabilities, args);
}

void softmax_backward(const Exec& exec, const SoftmaxBackwardArgs& args) noexcept {
  launch_rows(exec, "softmax_backward", args.rows, args.cols, x_gradient, args);
}

}  // namespace tern::cuda
