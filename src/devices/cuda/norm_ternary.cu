// SPDX-License-Identifier: Apache-2.0
// Normalization, quantization and ternary product in one, for the few rows of a decoding step, where what counts is the
// time from the last input to the first output: every block makes the codes of the rows for itself, and its weights are
// there before. The quads of a row that a warp's threads have, as row_sums.cuh shares them, are the columns of the
// tiles that the warp multiplies: codes do not leave the warp.
#include "devices/cuda/row_quantize.cuh"
#include "devices/cuda/rows.h"
#include "devices/cuda/tables.h"
#include "devices/cuda/ternary.h"
#include "devices/cuda/ternary_copied.cuh"

namespace tern::cuda {
namespace {

static_assert(kMostNormTernaryRows <= kProductRows);
constexpr int kMostHeld = 4;  // quads of a row, of a thread

// A multiprocessor has room for two blocks: one of the kernel at work and one of the next, which has its weights when
// its inputs come. For that kernels have at least as many blocks as there are multiprocessors, all of as much shared
// memory: then no multiprocessor gets two of a kernel of few blocks. (Decoding with 2B-4T, H200, tokens/s: 1648; 1585
// where the 80 blocks of an MLP's last product have none beside them that only keep a place.)
constexpr int64_t kLeastBytes = 100 << 10;
// Of a block's weights, where rows are short: with more, there are two blocks for each multiprocessor. Gate and up of
// 2B-4T are 216 of them (1594; 1522 with 132, of 80 KiB).
constexpr int64_t kMostBytes = 40 << 10;
// Cycles for which a block without work keeps its place from the kernel after the next, once that could have it.
constexpr int kHold = 2500;

// So few that the blocks of the next kernel find room beside one.
constexpr int registers(int held) { return held < 4 ? 80 : 96; }

__device__ __forceinline__ void pass_time(int cycles) {
  for (const long long begin = clock64(); clock64() - begin < cycles;) {
  }
}

// What another kernel has written.
__device__ __forceinline__ float4 written_quad(const float* from) {
  return __ldcg(reinterpret_cast<const float4*>(from));
}

// The warps that normalize and multiply.
template <int kHeld, Second kSecond>
__device__ __forceinline__ void multiply_normalized(const NormTernaryArgs& args, const CopyPlan& plan,
                                                    const CopiedMemory& memory, int tiles, NarrowReducer& reduce) {
  const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(threadIdx.x % kWarp);
  const NormQuantizeArgs& norm = args.norm;
  const RowWalk walk{norm.cols, static_cast<unsigned>(plan.warps) * kWarp};
  float4 gain[kHeld] = {};
  for_held_quads<kHeld>(walk, [&](int i, int64_t at) { gain[i] = *reinterpret_cast<const float4*>(norm.weight + at); });
  const float *x = norm.x, *other = second_of<kSecond>(norm);
  uint8_t* to_codes = memory.codes + lane * 4;
  for (int row = 0; row < plan.rows; ++row) {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {  // what lies beyond the row
      *reinterpret_cast<uint32_t*>(to_codes + row * plan.code_pitch() + i * kTileColumns) = 0;
    }
  }
  int code_sum = 0;  // of the row lane % 4, of the warp's columns

  wait_for_inputs();
#pragma unroll 1
  for (int row = 0; row < plan.rows; ++row, x += norm.cols, other += norm.cols, to_codes += plan.code_pitch()) {
    float4 h[kHeld] = {}, second[kHeld] = {};
    for_held_quads<kHeld>(walk, [&](int i, int64_t at) {
      h[i] = written_quad(x + at);
      if constexpr (kSecond != Second::none) second[i] = written_quad(other + at);
    });
#pragma unroll
    for (int i = 0; i < kHeld; ++i) h[i] = combined<kSecond>(h[i], second[i]);
    if constexpr (kSecond == Second::add) {
      if (blockIdx.x == 0) {
        for_held_quads<kHeld>(
            walk, [&](int i, int64_t at) { *reinterpret_cast<float4*>(norm.sum + row * norm.cols + at) = h[i]; });
      }
    }
    const auto value = [&](int i, int64_t) { return h[i]; };
    const float inverse = row_inverse_rms<kHeld>(walk, value, norm.eps, reduce);
#pragma unroll
    for (int i = 0; i < kHeld; ++i) h[i] = normalized(h[i], inverse, gain[i]);
    uint8_t* to = to_codes;
    const RowCodes of_row = quantize_row<kHeld>(walk, value, reduce, [&](int64_t, uint32_t word) {
      *reinterpret_cast<uint32_t*>(to) = word;
      to += kTileColumns;
    });
    const int sum = __reduce_add_sync(kAllLanes, of_row.sum);
    if (lane % kProductRows == row) code_sum = sum;
  }
  __syncwarp();

  TileCodes codes[kHeld];
  const uint8_t* const operands = operands_of(plan, memory.codes);
#pragma unroll
  for (int c = 0; c < kHeld; ++c) load_operands(codes[c], operands + c * kTileColumns);
  const uint8_t* const weights = memory.weights + warp * kTileBytes + lane * 16;
  // Of columns beyond the last, codes are 0.
  int at[kHeld];
#pragma unroll
  for (int c = 0; c < kHeld; ++c) at[c] = warp + c * plan.warps < plan.tile_columns ? c * plan.warps * kTileBytes : 0;
  int4* const sums = memory.sums + warp * plan.entries() + lane / 4 * plan.rows + lane % 4;
  constexpr int kAtOnce = 2;  // rows of tiles
#pragma unroll 1
  for (int r = 0; r < tiles; r += kAtOnce) {
    DigitSums of[kAtOnce] = {};
#pragma unroll
    for (int c = 0; c < kHeld; ++c) {
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) {
        add_tile(of[i], *reinterpret_cast<const uint4*>(weights + min(r + i, tiles - 1) * plan.row_bytes() + at[c]),
                 codes[c]);
      }
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      int4 entry = entry_of(of[i]);
      entry.x -= code_sum, entry.z -= 4 * code_sum;
      if (r + i < tiles && lane % 4 < plan.rows) sums[(r + i) * kHalfTileRows * plan.rows] = entry;
    }
  }
}

// Factors of an entry's outputs, of the second matrix where there is one, and what is added to them.
struct EntryEnd {
  float factor, up_factor;
  float2 residual;
};

template <bool kGated>
__device__ __forceinline__ void end_entry(const CopyPlan& plan, const CopiedMemory& memory, int up_sums, bool adds,
                                          const Entry& entry, const EntryEnd& end) {
  const EntrySums sums(plan, memory.sums + entry.sums), ups(plan, memory.sums + entry.sums + (kGated ? up_sums : 0));
  entry.for_outputs(sums, [&](int64_t at, uint32_t sum, bool second) {
    const float value = static_cast<float>(static_cast<int32_t>(sum)) * end.factor;
    if constexpr (kGated) {
      const float gate = relu(value);
      entry.y[at] =
          gate * gate * (static_cast<float>(static_cast<int32_t>(second ? ups.second : ups.first)) * end.up_factor);
    } else if (adds) {
      entry.y[at] = (second ? end.residual.y : end.residual.x) + value;
    } else {
      if (entry.acc) entry.acc[at] = static_cast<int32_t>(sum);
      if (entry.y) entry.y[at] = value;
    }
  });
}

__device__ __forceinline__ float2 residual_of(const Entry& entry, const float* residual) {
  if (!residual) return {};
  return {entry.has_first ? __ldcg(residual + entry.at) : 0.0f,
          entry.has_second ? __ldcg(residual + entry.at + kHalfTileRows) : 0.0f};
}

template <int kHeld, Second kSecond, bool kGated>
__global__ void __maxnreg__(registers(kHeld))
    normalize_multiply(const __grid_constant__ NormTernaryArgs args, const __grid_constant__ CopyPlan plan) {
  extern __shared__ uint4 shared[];
  __shared__ NarrowReducer::Memory slots;
  __shared__ Barrier arrived[kMostBlockTiles];
  __shared__ float scales[kMostNormTernaryRows];
  let_next_start();
  if (blockIdx.x >= plan.blocks.divisor()) {
    wait_for_inputs();
    return pass_time(kHold);
  }
  const TernaryMatmulArgs& product = args.product;
  const CopiedPlace place(plan);
  const CopiedMemory memory(plan, shared);
  const CopiedWeights weights(plan, place, memory.weights, arrived, kMostBlockTiles);
  const int up_sums = entries_of(plan, place);
  const float* const residual = args.residual;
  NarrowReducer reduce(slots, plan.warps);
  if (!is_porter(plan)) {
    multiply_normalized<kHeld, kSecond>(args, plan, memory, weights.tile_rows(), reduce);
    __syncthreads();
  } else {
    const int lane = static_cast<int>(threadIdx.x % kWarp);
    weights.begin(product);
    const Entry own(product, plan, place, lane);
    const float up_scale = product.part[kGated].weight_scale;
    weights.more(product);
    __syncwarp();
    wait_for_inputs();
    EntryEnd end = {0.0f, 0.0f, residual_of(own, residual)};
    for (int row = 0; row < plan.rows; ++row) {
      reduce.watch_sum();
      for (int r = 0; r < (row == 0 ? weights.tile_rows() : 0); ++r) weights.wait(r);
      const float scale = code_scale(__uint_as_float(reduce.watch_max()));
      if (lane == 0) scales[row] = scale;
      if (row == own.row) end.factor = own.weight_scale / scale, end.up_factor = up_scale / scale;
    }
    __syncthreads();
    end_entry<kGated>(plan, memory, up_sums, residual, own, end);
  }
  for_more_entries(product, plan, place, [&](const Entry& entry) {
    const float scale = scales[entry.row];
    end_entry<kGated>(
        plan, memory, up_sums, residual, entry,
        {entry.weight_scale / scale, product.part[kGated].weight_scale / scale, residual_of(entry, residual)});
  });
}

// Whole quads of every row on 16 bytes.
bool has_quads(const NormQuantizeArgs& norm) {
  const auto aligned = [](const float* p) { return is_aligned(p, sizeof(float4)); };
  return norm.cols % 4 == 0 && aligned(norm.x) && aligned(norm.add) && aligned(norm.gate) && aligned(norm.sum) &&
         aligned(norm.weight);
}

bool suits(const NormTernaryArgs& args) {
  const NormQuantizeArgs& norm = args.norm;
  const int held = held_quads(norm.cols);
  return norm.rows > 0 && norm.rows <= kMostNormTernaryRows && norm.cols > 0 && held > 0 && held <= kMostHeld &&
         has_quads(norm) && column_blocks(args.product, kTileRows) > 0;
}

// Blocks have as many rows of tiles each, no more than it takes to have one or two for each multiprocessor. Long rows
// take so long to normalize that fewer blocks are better (2560 x 6912: 1522 with 80 blocks, 1283 with 160), and of
// short ones, too, where none has more to multiply (2560 x 2560: 1551 with 80, 1522 with 132).
CopyPlan plan_of(const Exec& exec, const NormTernaryArgs& args, int matrices) {
  const int held = held_quads(args.norm.cols), warps = static_cast<int>(row_threads(args.norm.cols)) / kWarp;
  const int64_t tiles = column_blocks(args.product, kTileRows) / matrices, device = multiprocessors(exec);
  const int64_t row_bytes = matrices * column_tiles(args.product.k) * kTileBytes;
  int64_t each = ceil_div(tiles, device);
  if (held < kMostHeld && each * row_bytes > kMostBytes) each = ceil_div(tiles, 2 * device);
  return copy_plan(args.product, ceil_div(tiles, each), few_rows_memory(exec) / 2, matrices, warps, held);
}

// False where it is not for these kernels: then nothing was done.
template <bool kGated>
bool launch(const Exec& exec, const NormTernaryArgs& args) {
  if (!suits(args)) return false;
  const CopyPlan plan = plan_of(exec, args, kGated ? 2 : 1);
  if (plan.memory() > few_rows_memory(exec)) return false;
  const int64_t least_bytes = is_hopper(exec) ? kLeastBytes : 0,
                least_blocks = is_hopper(exec) ? multiprocessors(exec) : 0;
  with_held_quads(args.norm.cols, [&](auto held) {
    with_second(args.norm, [&](auto second) {
      if constexpr (held() > 0 && held() <= kMostHeld && !(kGated && second() == Second::gate)) {
        launch_copied(exec, kGated ? "norm_gated_ternary_matmul" : "norm_ternary_matmul",
                      normalize_multiply<held(), second(), kGated>, args, plan, least_bytes,
                      std::max(plan.blocks.divisor(), least_blocks));
      }
    });
  });
  return true;
}

// As the residual of y.
void add_residual(const Exec& exec, const NormTernaryArgs& args) {
  const TernaryPart& part = args.product.part[0];
  const Dims each = {.rank = 1, .at = {1}}, shape = {.rank = 1, .at = {args.norm.rows * part.n}};
  kPointwise.binary(exec, {BinaryOp::add, DType::f32, shape, {args.residual, each}, {part.y, each}, part.y});
}

}  // namespace

void norm_ternary_matmul(const Exec& exec, const NormTernaryArgs& args) noexcept {
  if (launch<false>(exec, args)) return;
  norm_quantize(exec, args.norm);
  kTernary.ternary_matmul(exec, args.product);
  if (args.residual) add_residual(exec, args);
}

void norm_gated_ternary_matmul(const Exec& exec, const NormTernaryArgs& args) noexcept {
  if (launch<true>(exec, args)) return;
  norm_quantize(exec, args.norm);
  kTernary.gated_ternary_matmul(exec, args.product);
}

}  // namespace tern::cuda
