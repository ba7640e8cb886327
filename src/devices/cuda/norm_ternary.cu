// SPDX-License-Identifier: Apache-2.0
// Normalization, quantization and ternary product in one, for the few rows of a decoding step, where what counts is the
// time from the last input to the first output: every block makes the codes of the rows for itself while its weights,
// which it has asked for before, arrive. The quads of a row that a warp's threads have, as row_sums.cuh shares them, are
// the columns of the tiles that the warp multiplies: codes do not leave the warp.
#include "devices/cuda/row_quantize.cuh"
#include "devices/cuda/rows.h"
#include "devices/cuda/tables.h"
#include "devices/cuda/ternary.h"
#include "devices/cuda/ternary_direct.cuh"

namespace tern::cuda {
namespace {

static_assert(kMostNormTernaryRows <= kMostDirectRows);
// Of a thread: more of them would not leave registers for the weights.
constexpr int kMostHeld = 4;

template <class Shape, int kHeld, Second kSecond>
__global__ void __launch_bounds__(kMostHoldingThreads, 1)
    normalize_multiply(const __grid_constant__ NormTernaryArgs args, int tile_columns) {
  static_assert(Shape::kColumns == kHeld);
  extern __shared__ uint4 shared[];
  __shared__ BlockReducer::Memory slots;
  __shared__ int32_t q_sums[Shape::kRows];
  __shared__ float q_scales[Shape::kRows];
  let_next_start();
  const DirectPlace place = DirectPlace::of<Shape>(args.product);
  DirectWarp<Shape> warp(place, tile_columns);
  read_ahead(place.part, place.tile_row, place.tile_rows, tile_columns);
  const NormQuantizeArgs& norm = args.norm;
  const RowWalk walk{norm.cols, blockDim.x};
  const int rows = static_cast<int>(norm.rows), lane = warp.lane();
  const int row_words = kHeld * kWarp;  // of a warp's codes
  uint32_t* const codes = reinterpret_cast<uint32_t*>(shared) + warp.warp() * rows * row_words;
  int32_t* const sums = reinterpret_cast<int32_t*>(shared) + warp.warps() * rows * row_words;
  uint32_t* const own = codes + direct_code_place(lane);

  float4 gain[kHeld] = {};
  for_held_quads<kHeld>(walk, [&](int i, int64_t at) { gain[i] = *reinterpret_cast<const float4*>(norm.weight + at); });
  for (int i = 0; i < rows * kHeld; ++i) own[i * kWarp] = 0;  // what lies beyond the row
  if (threadIdx.x < rows) q_sums[threadIdx.x] = 0;
  BlockReducer reduce(slots);
  const float *x = norm.x, *other = second_of<kSecond>(norm);

  wait_for_inputs();
#pragma unroll 1
  for (int row = 0; row < rows; ++row, x += norm.cols, other += norm.cols) {
    float4 h[kHeld] = {}, second[kHeld] = {};
    for_held_quads<kHeld>(walk, [&](int i, int64_t at) {
      h[i] = *reinterpret_cast<const float4*>(x + at);
      if constexpr (kSecond != Second::none) second[i] = *reinterpret_cast<const float4*>(other + at);
    });
#pragma unroll
    for (int i = 0; i < kHeld; ++i) h[i] = combined<kSecond>(h[i], second[i]);
    if constexpr (kSecond == Second::add) {
      if (blockIdx.x == gridDim.x - 1) {
        for_held_quads<kHeld>(
            walk, [&](int i, int64_t at) { *reinterpret_cast<float4*>(norm.sum + row * norm.cols + at) = h[i]; });
      }
    }
    const auto value = [&](int i, int64_t) { return h[i]; };
    const float inverse = row_inverse_rms<kHeld>(walk, value, norm.eps, reduce);
#pragma unroll
    for (int i = 0; i < kHeld; ++i) h[i] = normalized(h[i], inverse, gain[i]);
    uint32_t* to = own + row * row_words;
    const auto put = [&](int64_t, uint32_t word) {
      *to = word;
      to += kWarp;
    };
    const RowCodes of_row = quantize_row<kHeld>(walk, value, reduce, put);
    const int sum = __reduce_add_sync(kAllLanes, of_row.sum);
    if (lane == 0) atomicAdd(q_sums + row, sum);
    if (threadIdx.x == 0) q_scales[row] = of_row.scale;
  }
  __syncwarp();
  warp.multiply(codes, rows, row_words);
  warp.put_sums(sums, rows);
  __syncthreads();
  put_direct_outputs<Shape>(
      place, sums, rows, [&](int row) { return q_sums[row]; }, [&](int row) { return q_scales[row]; });
}

// Whole quads of every row on 16 bytes.
bool has_quads(const NormQuantizeArgs& norm) {
  const auto aligned = [](const float* p) { return is_aligned(p, sizeof(float4)); };
  return norm.cols % 4 == 0 && aligned(norm.x) && aligned(norm.add) && aligned(norm.gate) && aligned(norm.sum) &&
         aligned(norm.weight);
}

template <int kHeld>
void launch(const Exec& exec, const NormTernaryArgs& args) {
  const unsigned threads = row_threads(args.norm.cols);
  const int64_t rows = args.norm.rows, warps = threads / kWarp;
  // A block for each multiprocessor: more of them would only normalize more often.
  with_direct_tile_rows<kHeld>(args.product, multiprocessors(exec), [&](auto tile_rows) {
    using Shape = DirectShape<tile_rows(), kHeld, kMostNormTernaryRows>;
    const size_t bytes =
        static_cast<size_t>(warps * rows * kHeld * kWarp) * 4 + direct_sums_bytes(warps, Shape::kTileRows, rows);
    const auto blocks = static_cast<unsigned>(column_blocks(args.product, Shape::kOutputs));
    with_second(args.norm, [&](auto second) {
      const auto kernel = normalize_multiply<Shape, kHeld, second()>;
      allow_shared(exec, "norm_ternary_matmul", kernel, bytes);
      launch_early(exec, "norm_ternary_matmul", kernel, blocks, threads, bytes, args,
                   static_cast<int>(column_tiles(args.product.k)));
    });
  });
}

bool suits(const NormTernaryArgs& args) {
  const NormQuantizeArgs& norm = args.norm;
  const int held = held_quads(norm.cols);
  return norm.rows > 0 && norm.rows <= kMostNormTernaryRows && norm.cols > 0 && held > 0 && held <= kMostHeld &&
         has_quads(norm) && column_blocks(args.product, kTileRows) > 0;
}

}  // namespace

void norm_ternary_matmul(const Exec& exec, const NormTernaryArgs& args) noexcept {
  if (!suits(args)) {
    norm_quantize(exec, args.norm);
    kTernary.ternary_matmul(exec, args.product);
    return;
  }
  switch (held_quads(args.norm.cols)) {
    case 1:
      return launch<1>(exec, args);
    case 2:
      return launch<2>(exec, args);
    default:
      return launch<4>(exec, args);
  }
}

}  // namespace tern::cuda
