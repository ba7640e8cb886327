// SPDX-License-Identifier: Apache-2.0
// Root-mean-square normalization of rows, and its gradient.
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/row_sums.cuh"
#include "devices/cuda/rows.h"

namespace tern::cuda {
namespace {

__global__ void __launch_bounds__(kMostRowThreads) normalize(const __grid_constant__ RmsNormArgs args) {
  __shared__ BlockReducer::Memory memory;
  BlockReducer reduce(memory);
  const int64_t cols = args.cols;
  const Row<const float> weight(args.weight, cols);
  const InverseRms inverse_rms = InverseRms::ready(cols, args.eps);
  wait_for_inputs();
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const Row<const float> x(args.x + row * cols, cols);
    const Row<float> y(args.y + row * cols, cols);
    float4 squares = {};
    for_quads(cols, [&](int64_t at) {
      const float4 v = x.quad(at);
      squares = add_products(squares, v, v);
    });
    const float inv = inverse_rms(reduce.sum(sum_of(squares)));
    if (args.inv_rms && threadIdx.x == 0) args.inv_rms[row] = inv;
    for_quads(cols, [&](int64_t at) { y.put(at, normalized(x.quad(at), inv, weight.quad(at))); });
  }
}

__global__ void __launch_bounds__(kMostRowThreads) x_gradient(const __grid_constant__ RmsNormBackwardArgs args) {
  __shared__ BlockReducer::Memory memory;
  BlockReducer reduce(memory);
  const int64_t cols = args.cols;
  const Row<const float> weight(args.weight, cols);
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const Row<const float> x(args.x + row * cols, cols), dy(args.dy + row * cols, cols);
    const Row<float> dx(args.dx + row * cols, cols);
    const auto g = [&](int64_t at) {
      return map_quads([](float a, float b) { return a * b; }, dy.quad(at), weight.quad(at));
    };
    float4 products = {};
    for_quads(cols, [&](int64_t at) { products = add_products(products, g(at), x.quad(at)); });
    const float inv = args.inv_rms[row];
    const float c = reduce.sum(sum_of(products)) * inv * inv / static_cast<float>(cols);
    for_quads(cols, [&](int64_t at) {
      dx.put(at, map_quads([=](float slope, float v) { return inv * (slope - v * c); }, g(at), x.quad(at)));
    });
  }
}

// d_weight is a sum over rows: of chunks of them first, whose size follows from the number of rows alone, and then of
// the chunks, both in ascending order.
constexpr int64_t kLeastChunkRows = 32, kMostChunks = 128;
constexpr int kColumns = 128;  // of a block, one a thread

// sums[chunk, j] = Σ over the rows of a chunk.
__global__ void __launch_bounds__(kColumns)
    chunk_sums(const __grid_constant__ RmsNormBackwardArgs args, int64_t chunks, int64_t chunk_rows, float* sums) {
  const int64_t strips = ceil_div(args.cols, kColumns);
  for (int64_t block = blockIdx.x; block < chunks * strips; block += gridDim.x) {
    const int64_t chunk = block / strips, j = block % strips * kColumns + threadIdx.x;
    if (j >= args.cols) continue;
    const int64_t begin = chunk * chunk_rows;
    const int64_t end = begin + chunk_rows < args.rows ? begin + chunk_rows : args.rows;
    float sum = 0.0f;
#pragma unroll 8
    for (int64_t row = begin; row < end; ++row) {
      const int64_t at = row * args.cols + j;
      sum = fmaf(args.dy[at], args.x[at] * args.inv_rms[row], sum);
    }
    sums[chunk * args.cols + j] = sum;
  }
}

__global__ void __launch_bounds__(kColumns) add_chunks(const float* sums, int64_t chunks, int64_t cols, float* y) {
  const int64_t step = int64_t{kColumns} * gridDim.x;
  for (int64_t j = int64_t{kColumns} * blockIdx.x + threadIdx.x; j < cols; j += step) {
    float sum = 0.0f;
#pragma unroll 16
    for (int64_t chunk = 0; chunk < chunks; ++chunk) sum += sums[chunk * cols + j];
    y[j] = sum;
  }
}

void weight_gradient(const Exec& exec, const RmsNormBackwardArgs& args, const char* name) {
  if (args.cols == 0) return;
  const int64_t evenly = ceil_div(args.rows, kMostChunks);
  const int64_t chunk_rows = evenly > kLeastChunkRows ? evenly : kLeastChunkRows;
  const int64_t chunks = args.rows > 0 ? ceil_div(args.rows, chunk_rows) : 1;
  const cudaStream_t stream = stream_of(exec);
  const int64_t strips = ceil_div(args.cols, kColumns);
  const auto launch = [&](float* sums) {
    chunk_sums<<<blocks_for(chunks * strips, 1), kColumns, 0, stream>>>(args, chunks, chunk_rows, sums);
    launched(exec, name);
  };
  if (chunks == 1) return launch(args.d_weight);
  const Room room(exec, static_cast<size_t>(chunks * args.cols) * sizeof(float), name);
  if (!room) return;
  launch(room.as<float>());
  add_chunks<<<blocks_for(strips, 1), kColumns, 0, stream>>>(room.as<float>(), chunks, args.cols, args.d_weight);
  launched(exec, name);
}

}  // namespace

void rms_norm(const Exec& exec, const RmsNormArgs& args) noexcept {
  if (args.rows == 0) return;
  launch_early(exec, "rms_norm", normalize, blocks_for(args.rows, 1), row_threads(args.cols), 0, args);
}

void rms_norm_backward(const Exec& exec, const RmsNormBackwardArgs& args) noexcept {
  launch_rows(exec, "rms_norm_backward", args.rows, args.cols, x_gradient, args);
  weight_gradient(exec, args, "rms_norm_backward");
}

}  // namespace tern::cuda
