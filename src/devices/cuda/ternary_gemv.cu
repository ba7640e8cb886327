// SPDX-License-Identifier: Apache-2.0
// The ternary product of few rows of activations that are quantized already.
#include <type_traits>

#include "devices/cuda/ternary.h"
#include "devices/cuda/ternary_copied.cuh"
#include "devices/cuda/ternary_direct.cuh"
#include "devices/cuda/ternary_few_rows.cuh"
#include "devices/cuda/ternary_one_row.cuh"

namespace tern::cuda {
namespace {

constexpr int kMostShortThreads = 14 * kWarp;   // of a block for rows of up to 28 tiles
constexpr int kMostDirectThreads = 20 * kWarp;  // of up to 80

// Codes of a panel from q, whose rows lie on 16 bytes and may end within the panel's last tile.
__device__ void load_panel(const TernaryMatmulArgs& args, const FewRowsPlan& plan, int64_t first_row, int rows,
                           int first_tile, int8_t* codes) {
  const int64_t first = int64_t{first_tile} * kTileColumns;
  const int columns = static_cast<int>(min(int64_t{plan.panel_tiles} * kTileColumns, args.q_stride - first));
  for (int column = static_cast<int>(threadIdx.x) * 16; column < plan.panel_tiles * kTileColumns;
       column += kFewRowsThreads * 16) {
    const int8_t* const from = args.q + first_row * args.q_stride + first + column;
#pragma unroll 4
    for (int row = 0; row < rows; ++row) {
      const uint4 loaded = column < columns ? *reinterpret_cast<const uint4*>(from + row * args.q_stride) : uint4{};
      *reinterpret_cast<uint4*>(codes + row * plan.pitch() + column) = loaded;
    }
  }
}

template <class Shape>
__global__ void __launch_bounds__(kFewRowsThreads, Shape::kBlocksEach)
    multiply_few_rows(const __grid_constant__ TernaryMatmulArgs args, const __grid_constant__ FewRowsPlan plan) {
  extern __shared__ uint4 shared[];
  __shared__ int32_t q_sums[Shape::kRows];
  __shared__ float q_scales[Shape::kRows];
  let_next_start();
  const FewRowsMemory memory(plan, shared);
  const FewRowsBlock block(args, plan);
  const int64_t first_row = int64_t{blockIdx.x / plan.across} * Shape::kRows;
  const int rows = static_cast<int>(min(args.rows - first_row, int64_t{Shape::kRows}));
  FewRowsWarp<Shape> warp(block, plan, memory.ring);
  if (plan.tile_columns > 0) warp.ask_panel(0);
  if (blockIdx.x < plan.across) {
    read_ahead(block.place.part, block.place.column / kTileRows, block.tile_rows, plan.tile_columns);
  }
  clear_sums(plan, memory.sums);

  wait_for_inputs();
  const int thread = static_cast<int>(threadIdx.x);
  if (thread < rows) {
    q_sums[thread] = args.sums[first_row + thread];
    q_scales[thread] = args.q_scale[first_row + thread];
  }
  for (int tile = 0; tile < plan.tile_columns; tile += plan.panel_tiles) {
    if (tile > 0) {
      warp.ask_panel(tile);
      __syncthreads();  // all warps are done with the panel before
    }
    load_panel(args, plan, first_row, rows, tile, memory.codes);
    __syncthreads();
    warp.add_panel(memory.codes, rows, memory.sums);
  }
  __syncthreads();
  put_outputs(
      block, first_row, rows, memory.sums, [&](int row) { return q_sums[row]; },
      [&](int row) { return q_scales[row]; });
}

// ---------------------------------------------------------------- copied weights

// Rows of activations up to which this is the fastest way, and up to which it is for rows of more tiles than the direct
// way takes well (H200, us, this and the direct way: 2 x 20480 x 3200 6.6 and 9.0; 4 x 20480 x 3200 10.5 and 9.2;
// 4 x 3200 x 10240 5.3 and 7.9).
constexpr int kMostCopiedRows = 2, kMostLongRows = kProductRows, kDirectTiles = 64;
constexpr int kBlockBytes = 40 << 10;  // of weights, unless a single row of tiles has more
constexpr int kWarpColumns = 4;        // of tiles
constexpr int kTilesAtOnce = 2;        // rows of tiles of a block on their way at one time

constexpr int kMostShortWarps = 7;

// Of a warp that holds the activations of one row or of several in registers for all rows of tiles, and of one that
// reads them again for each.
struct OneRow {
  static constexpr bool kOne = true;
  static constexpr int kMostWarps = kMostShortWarps, kBlocksEach = 4;
};
struct ShortRows {
  static constexpr bool kOne = false, kHoldsCodes = true;
  static constexpr int kMostWarps = kMostShortWarps, kBlocksEach = 4;
};
struct LongRows {
  static constexpr bool kOne = false, kHoldsCodes = false;
  static constexpr int kMostWarps = 20, kBlocksEach = 2;
};

using RowWeights = CopiedWeights<false>;

// Puts multiply(tiles), the digit sums of the lane's outputs, for each row of tiles of the block as it comes.
template <class Multiply>
__device__ __forceinline__ void for_tile_rows(const CopyPlan& plan, const CopiedMemory& memory,
                                              const RowWeights& weights, const Multiply& multiply) {
  const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(threadIdx.x % kWarp);
  const OutputSums sums(plan, plan.rows, memory.sums);
  const uint8_t* from = memory.weights + warp * kTileBytes + lane * 16;
#pragma unroll 1
  for (int r = 0; r < weights.tile_rows(); ++r, from += plan.row_bytes) {
    weights.wait(r);
    uint4 tiles[kWarpColumns];
#pragma unroll
    for (int c = 0; c < kWarpColumns; ++c) {
      // Of columns beyond the last, codes are 0.
      const int at = warp + c * plan.warps < plan.tile_columns ? c * plan.warps * kTileBytes : 0;
      tiles[c] = *reinterpret_cast<const uint4*>(from + at);
    }
    sums.put(r, multiply(tiles));
  }
}

// The warps that multiply several rows, or those that are too long for the registers of multiply_row.
template <class Shape>
__device__ __forceinline__ void multiply_tiles(const TernaryMatmulArgs& args, const CopyPlan& plan,
                                               const CopiedMemory& memory, const RowWeights& weights) {
  const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(threadIdx.x % kWarp);
  const int64_t column = int64_t{warp + lane / 8 * plan.warps} * kTileColumns + lane % 8 * 16;
  const bool inside = column < args.q_stride;
  const int8_t* q = args.q + (inside ? column : 0);
  uint8_t* to = memory.codes + lane * 16;
  const uint8_t* const operands = operands_of(plan, plan.rows, memory.codes);

  wait_for_inputs();
  let_next_start();
#pragma unroll 1
  for (int row = 0; row < plan.rows; ++row, q += args.q_stride, to += plan.code_pitch) {
    __pipeline_memcpy_async(to, q, 16, inside ? 0 : 16);
  }
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncwarp();

  TileCodes codes[kWarpColumns];
  if constexpr (Shape::kHoldsCodes) {
#pragma unroll
    for (int c = 0; c < kWarpColumns; ++c) load_operands(codes[c], operands + c * kTileColumns);
  }
  for_tile_rows(plan, memory, weights, [&](const uint4(&tiles)[kWarpColumns]) {
    DigitSums of = {};
#pragma unroll
    for (int c = 0; c < kWarpColumns; ++c) {
      if constexpr (!Shape::kHoldsCodes) load_operands(codes[c], operands + c * kTileColumns);
      add_tile(of, tiles[c], codes[c]);
    }
    return outputs_of(of);
  });
}

// One row.
__device__ __forceinline__ void multiply_row(const TernaryMatmulArgs& args, const CopyPlan& plan,
                                             const CopiedMemory& memory, const RowWeights& weights) {
  const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(threadIdx.x % kWarp);
  wait_for_inputs();
  let_next_start();
  uint32_t quads[kWarpColumns];
#pragma unroll
  for (int c = 0; c < kWarpColumns; ++c) {
    const int64_t column = int64_t{warp + c * plan.warps} * kTileColumns + lane * 4;
    quads[c] = column < args.q_stride ? *reinterpret_cast<const uint32_t*>(args.q + column) : 0;
  }
  RowCodesOfTile codes[kWarpColumns];
#pragma unroll
  for (int c = 0; c < kWarpColumns; ++c) codes[c] = row_codes_of_tile(quads[c]);
  const int upper = has_upper_words();
  for_tile_rows(plan, memory, weights, [&](const uint4(&tiles)[kWarpColumns]) {
    RowDigitSums of = {};
#pragma unroll
    for (int c = 0; c < kWarpColumns; ++c) add_tile(of, tiles[c], codes[c]);
    return outputs_of(of, upper);
  });
}

template <class Shape>
__global__ void __launch_bounds__((Shape::kMostWarps + 1) * kWarp, Shape::kBlocksEach)
    multiply_copied(const __grid_constant__ TernaryMatmulArgs args, const __grid_constant__ CopyPlan plan) {
  extern __shared__ uint4 shared[];
  __shared__ int32_t q_sums[kProductRows];
  __shared__ float q_scales[kProductRows];
  __shared__ Barrier arrived[RowWeights::kBarriers];
  const CopiedPlace place(plan);
  const CopiedMemory memory(plan, shared);
  const RowWeights weights(plan, place, memory.weights, arrived, kTilesAtOnce);
  const auto end = [&](const Output& output, int32_t q_sum, float factor) {
    const uint32_t sum = sum_of_warps<Shape::kMostWarps>(memory.sums + output.number * plan.sum_slots);
    const int32_t acc = code_sum(sum, q_sum);
    if (output.acc) *output.acc = acc;
    if (output.y) *output.y = static_cast<float>(acc) * factor;
  };
  constexpr int kOwn = 2;  // outputs of a lane of the porter; of blocks with more all threads end the rest
  if (is_porter(plan)) {
    weights.begin(args);
    clear_sums<Shape::kMostWarps>(plan, memory.sums, outputs_of(place, plan.rows));
  }
  __syncthreads();
  if (!is_porter(plan)) {
    if constexpr (Shape::kOne) {
      multiply_row(args, plan, memory, weights);
    } else {
      multiply_tiles<Shape>(args, plan, memory, weights);
    }
    __syncthreads();
  } else {
    const int lane = static_cast<int>(threadIdx.x % kWarp);
    weights.more(args);
    read_ahead(args, plan, place);
    const Output own[kOwn] = {{args, plan, place, plan.rows, lane}, {args, plan, place, plan.rows, kWarp + lane}};
    __syncwarp();
    wait_for_inputs();
    // Not before: the weights of blocks that wait would delay these inputs (13824 x 2560: 4.7 us), nor after these have
    // come (3.9).
    let_next_start();
    if (lane < plan.rows) {
      q_sums[lane] = args.sums[lane];
      q_scales[lane] = args.q_scale[lane];
    }
    __syncwarp();
    int32_t sums[kOwn];
    float factors[kOwn];
#pragma unroll
    for (int i = 0; i < kOwn; ++i) {
      sums[i] = q_sums[own[i].row];
      factors[i] = own[i].weight_scale / q_scales[own[i].row];
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kOwn; ++i) end(own[i], sums[i], factors[i]);
  }
  for_more_outputs(args, plan, place, plan.rows, kOwn * kWarp, [&](const Output& output) {
    end(output, q_sums[output.row], output.weight_scale / q_scales[output.row]);
  });
}

// A block for each multiprocessor; two where one would have too many weights. (H200, 13824 x 2560, us: 3.67; 3.74 with
// as few as hold the weights, 216; 3.90 with 330. Blocks of 56 KiB, a row of tiles at a time: 4.15.)
CopyPlan copied_plan(const Exec& exec, const TernaryMatmulArgs& args, int warps) {
  const int64_t device = multiprocessors(exec);
  const int most_warps = warps <= kMostShortWarps ? kMostShortWarps : LongRows::kMostWarps;
  const auto plan_of = [&](int64_t blocks) {
    return copy_plan(args, blocks, kBlockBytes, 1, warps, most_warps, kWarpColumns);
  };
  const CopyPlan plan = plan_of(device);
  return plan.blocks <= device ? plan : plan_of(2 * device);
}

// False where it is not the way for these sizes.
bool launch_copied(const Exec& exec, const TernaryMatmulArgs& args) {
  const int64_t tiles = column_tiles(args.k);
  const bool few = args.rows <= kMostCopiedRows || (args.rows <= kMostLongRows && tiles > kDirectTiles);
  if (!few || tiles == 0 || tiles > kWarpColumns * LongRows::kMostWarps) return false;
  const auto warps = static_cast<int>(ceil_div(tiles, kWarpColumns));
  const CopyPlan plan = copied_plan(exec, args, warps);
  if (plan.blocks == 0 || plan.memory > few_rows_memory(exec)) return false;
  const auto kernel = warps > kMostShortWarps ? multiply_copied<LongRows>
                      : args.rows == 1        ? multiply_copied<OneRow>
                                              : multiply_copied<ShortRows>;
  launch_copied(exec, "ternary_gemv", kernel, args, plan, 0, plan.blocks);
  return true;
}

// ---------------------------------------------------------------- up to kMostDirectRows rows

// Two blocks a multiprocessor cost registers: they pay where there are several rounds of blocks (20480 x 3200: 9.1 us
// beside 10.5 on an H100; 13824 x 2560, in one round: 5.2 beside 4.7).
template <class Shape, int kBlocksEach>
__global__ void __launch_bounds__(kBlocksEach == 2 ? kMostShortThreads : kMostDirectThreads, kBlocksEach)
    multiply_directly(const __grid_constant__ TernaryMatmulArgs args, int tile_columns) {
  extern __shared__ uint4 shared[];
  let_next_start();
  const DirectPlace place = DirectPlace::of<Shape>(args);
  DirectWarp<Shape> warp(place, tile_columns);
  read_ahead(place.part, place.tile_row, place.tile_rows, tile_columns);
  constexpr int kRowWords = Shape::kColumns * kWarp;  // of a warp's codes
  const int rows = static_cast<int>(args.rows), lane = warp.lane();
  uint32_t* const codes = reinterpret_cast<uint32_t*>(shared) + warp.warp() * rows * kRowWords;
  int32_t* const sums = reinterpret_cast<int32_t*>(shared) + warp.warps() * rows * kRowWords;

  wait_for_inputs();
#pragma unroll
  for (int c = 0; c < Shape::kColumns; ++c) {
    const int64_t column = int64_t{warp.warp() + c * warp.warps()} * kTileColumns + lane * 4;
    const int8_t* from = args.q + column;
    uint32_t* to = codes + c * kWarp + direct_code_place(lane);
    for (int row = 0; row < rows; ++row, from += args.q_stride, to += kRowWords) {
      *to = column < args.q_stride ? *reinterpret_cast<const uint32_t*>(from) : 0;
    }
  }
  __syncwarp();
  warp.multiply(codes, rows, kRowWords);
  warp.put_sums(sums, rows);
  __syncthreads();
  put_direct_outputs<Shape>(
      place, sums, rows, [&](int row) { return args.sums[row]; }, [&](int row) { return args.q_scale[row]; });
}

template <int kColumns>
void launch_direct(const Exec& exec, const TernaryMatmulArgs& args) {
  const int64_t warps = ceil_div(column_tiles(args.k), kColumns);
  with_direct_tile_rows<kColumns>(args, 2 * int64_t{multiprocessors(exec)}, [&](auto tile_rows) {
    using Shape = DirectShape<tile_rows(), kColumns, kMostDirectRows>;
    const int64_t blocks = column_blocks(args, Shape::kOutputs);
    const bool rounds = kColumns <= 2 && blocks > 2 * int64_t{multiprocessors(exec)};
    const auto kernel = rounds ? multiply_directly < Shape, kColumns <= 2 ? 2 : 1 > : multiply_directly<Shape, 1>;
    const size_t bytes = static_cast<size_t>(warps * args.rows * kColumns * kWarp) * 4 +
                         direct_sums_bytes(warps, Shape::kTileRows, args.rows);
    allow_shared(exec, "ternary_gemv", kernel, bytes);
    launch_early(exec, "ternary_gemv", kernel, static_cast<unsigned>(blocks), static_cast<unsigned>(warps) * kWarp,
                 bytes, args, static_cast<int>(column_tiles(args.k)));
  });
}

// False where a row is too long for its codes to be shared among the warps of a block.
bool launch_direct(const Exec& exec, const TernaryMatmulArgs& args) {
  const int64_t tiles = column_tiles(args.k);
  if (args.rows > kMostDirectRows || tiles == 0) return false;
  if (tiles <= 8) return launch_direct<1>(exec, args), true;
  if (tiles <= 2 * kMostShortThreads / kWarp) return launch_direct<2>(exec, args), true;
  if (tiles <= 4 * kMostDirectThreads / kWarp) return launch_direct<4>(exec, args), true;
  return false;
}

// ---------------------------------------------------------------- more rows

template <int kRowGroups>
void launch(const Exec& exec, const TernaryMatmulArgs& args) {
  using Shape = FewRowsShape<kRowGroups>;
  const FewRowsPlan plan = few_rows_plan<Shape>(exec, args);
  launch_few_rows(exec, "ternary_gemv", multiply_few_rows<Shape>, plan, ceil_div(args.rows, Shape::kRows), args);
}

}  // namespace

void ternary_gemv(const Exec& exec, const TernaryMatmulArgs& args) noexcept {
  static_assert(kMostGemvRows == 4 * kRowsOfProduct);
  if (launch_copied(exec, args) || launch_direct(exec, args)) return;
  if (args.rows <= kRowsOfProduct) return launch<1>(exec, args);
  if (args.rows <= 2 * kRowsOfProduct) return launch<2>(exec, args);
  launch<4>(exec, args);
}

}  // namespace tern::cuda
