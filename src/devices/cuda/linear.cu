// SPDX-License-Identifier: Apache-2.0
// Dot products of rows of activations with rows of weights: the output head. Weights in bf16 are for tensor cores
// (linear_bf16_weights.cu); here are the others (dot_tile.cuh).
#include <cstdint>

#include "devices/cuda/dot_tile.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/linear_bf16_weights.h"
#include "devices/cuda/matmul_entries.h"
#include "devices/cuda/weight_pairs.cuh"

namespace tern::cuda {
namespace {

constexpr int kWarps = 8;  // of a block
__device__ inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// A warp computes kRows rows of kColumns columns of y, a block the same rows of kWarps times as many; blocks that read
// the same weights follow each other. Rows and columns beyond y repeat the last.
template <bool kWhole, class T, int kRows, int kColumns>
__global__ void __launch_bounds__(kWarp* kWarps)
    linear_tiles(LinearArgs args, const T* __restrict__ w, int64_t row_tiles, int64_t tiles) {
  static_assert(kRows * kColumns <= kWarp);
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const int64_t row = tile % row_tiles * kRows, column = (tile / row_tiles * kWarps + warp) * kColumns;
    if (column >= args.n) continue;
    const float* x_rows[kRows];
    const T* w_rows[kColumns];
#pragma unroll
    for (int r = 0; r < kRows; ++r) x_rows[r] = args.x + smaller(row + r, args.rows - 1) * args.k;
#pragma unroll
    for (int c = 0; c < kColumns; ++c) w_rows[c] = w + smaller(column + c, args.n - 1) * args.k;
    float sums[kRows * kColumns];
    dot_tile<kWhole>(x_rows, w_rows, args.k, sums);
    float own = 0.0f;
#pragma unroll
    for (int i = 0; i < kRows * kColumns; ++i) own = lane == i ? sums[i] : own;
    const int64_t own_row = row + lane / kColumns, own_column = column + lane % kColumns;
    if (lane < kRows * kColumns && own_row < args.rows && own_column < args.n) {
      args.y[own_row * args.n + own_column] = own;
    }
  }
}

// A warp for each of the pairs.
template <bool kWhole, class T, class Pairs>
__global__ void __launch_bounds__(kWarp* kWarps) linear_of_pairs(Pairs pairs, const T* __restrict__ w, int64_t k) {
  pair_dots<kWhole>(pairs, int64_t{blockIdx.x} * kWarps, int64_t{gridDim.x} * kWarps, w, k);
}

template <int kRows, int kColumns, class T>
void launch(const Exec& exec, const LinearArgs& args, const T* w) {
  const int64_t row_tiles = ceil_div(args.rows, kRows);
  const int64_t tiles = row_tiles * ceil_div(args.n, kWarps * kColumns);
  const auto kernel =
      whole_runs(args.x, w, args.k) ? linear_tiles<true, T, kRows, kColumns> : linear_tiles<false, T, kRows, kColumns>;
  kernel<<<blocks_for(tiles, 1), kWarp * kWarps, 0, stream_of(exec)>>>(args, w, row_tiles, tiles);
  launched(exec, "linear");
}

template <class Pairs>
void launch_pairs(const Exec& exec, const char* name, const Pairs& pairs, int64_t most, const float* x, const void* w,
                  DType w_dtype, int64_t k) {
  with_weights(w_dtype, w, [&]<class T>(const T* weights) {
    const auto kernel = whole_runs(x, weights, k) ? linear_of_pairs<true, T, Pairs> : linear_of_pairs<false, T, Pairs>;
    // Few blocks for a count that is known on the device alone.
    const int64_t blocks = ceil_div(most, kWarps), room = int64_t{8} * multiprocessors(exec);
    kernel<<<static_cast<unsigned>(blocks < room ? blocks : room), kWarp * kWarps, 0, stream_of(exec)>>>(pairs, weights,
                                                                                                         k);
    launched(exec, name);
  });
}

}  // namespace

void linear(const Exec& exec, const LinearArgs& args) noexcept {
  if (args.rows == 0 || args.n == 0) return;
  if (linear_in_bf16(exec, args)) return;
  if (suits_tensor_cores(args.w_dtype, args.k)) return linear_bf16_weights(exec, args);
  with_weights(args.w_dtype, args.w, [&](const auto* w) {
    if (args.rows == 1) {
      launch<1, 4>(exec, args, w);
    } else if (args.rows <= 4) {
      launch<4, 4>(exec, args, w);
    } else {
      launch<8, 4>(exec, args, w);
    }
  });
}

void linear_rows(const Exec& exec, const LinearRowsArgs& args) noexcept {
  if (args.count == 0) return;
  if (suits_tensor_cores(args.w_dtype, args.k)) return linear_rows_bf16_weights(exec, args);
  launch_pairs(exec, "linear_rows", RowPairs(args), args.count, args.x, args.w, args.w_dtype, args.k);
}

void linear_pairs(const Exec& exec, const LinearPairsArgs& args) noexcept {
  if (args.most == 0) return;
  if (suits_tensor_cores(args.w_dtype, args.k)) return linear_pairs_bf16_weights(exec, args);
  launch_pairs(exec, "linear_pairs", ListedPairs(args), args.most, args.x, args.w, args.w_dtype, args.k);
}

}  // namespace tern::cuda
