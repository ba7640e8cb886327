// SPDX-License-Identifier: Apache-2.0
// Normalization, quantization and ternary product in one, for the few rows of a decoding step, where what counts is the
// time from the last input to the first output: every block makes the codes of the rows for itself, and its weights are
// there before. The quads of a row that a warp's threads have, as row_sums.cuh shares them, are the columns of the
// tiles that the warp multiplies: codes do not leave the warp.
#include <type_traits>

#include "devices/cuda/row_quantize.cuh"
#include "devices/cuda/rows.h"
#include "devices/cuda/tables.h"
#include "devices/cuda/ternary.h"
#include "devices/cuda/ternary_copied.cuh"
#include "devices/cuda/ternary_one_row.cuh"

namespace tern::cuda {
namespace {

static_assert(kMostNormTernaryRows <= kProductRows);
constexpr int kMostHeld = 4;  // quads of a row, of a thread

// A multiprocessor has room for two blocks: one of the kernel at work and one of the next, which has its weights when
// its inputs come. For that kernels have at least as many blocks as there are multiprocessors, all of as much shared
// memory: then no multiprocessor gets two of a kernel of few blocks. (Decoding with 2B-4T, H200, tokens/s: 1648; 1585
// where the 80 blocks of an MLP's last product have none beside them that only keep a place.)
constexpr int kLeastBytes = 100 << 10;
// Of a block's weights, where rows are short: with more, there are two blocks for each multiprocessor. Gate and up of
// 2B-4T are 216 of them (1832; 1662 with 108, 1663 with 132).
constexpr int64_t kMostBytes = 40 << 10;
// Cycles for which a block without work keeps its place from the kernel after the next, once that could have it (1967;
// 1958 with 1500, 1910 with 2600).
constexpr int kHold = 800;

// So few that the blocks of the next kernel find room beside one.
constexpr int registers(int held) { return held < 4 ? 72 : 88; }

__device__ __forceinline__ void pass_time(int cycles) {
  for (const long long begin = clock64(); clock64() - begin < cycles;) {
  }
}

// What another kernel has written.
__device__ __forceinline__ float4 written_quad(const float* from) {
  return __ldcg(reinterpret_cast<const float4*>(from));
}

// What is rare is no part of the code that a kernel goes through: instructions that follow each other at once come to a
// multiprocessor in time, those behind a jump do not. (Decoding, tokens/s: 1822 with all of it in its place, 1861 so,
// and 1915 where there was none of it at all.)
//
// A row for which the short forms are not exact, or that has what is not finite: its codes to `to`, and one reduction.
// sum: of x and add, where there is add.
template <int kHeld, Second kSecond>
__device__ __noinline__ RowCodes careful_codes(const NormTernaryArgs& args, int row, const float4 (&sum)[kHeld],
                                               uint8_t* to, int warps, float squares, NarrowReducer reduce) {
  const NormQuantizeArgs& norm = args.norm;
  const RowWalk walk{norm.cols, static_cast<unsigned>(warps) * kWarp};
  const HeldWalk held;
  const float inverse = InverseRms(norm.cols, norm.eps)(squares);
  float4 h[kHeld] = {};
  for_held_quads<kHeld>(walk, [&](int i, int64_t at) {
    const int64_t place = row * norm.cols + at;
    if constexpr (kSecond == Second::add) {
      h[i] = sum[i];  // x or add may be overwritten
    } else {
      h[i] = combined<kSecond>(written_quad(norm.x + place), written_quad(second_of<kSecond>(norm) + place));
    }
    h[i] = normalized(h[i], inverse, *reinterpret_cast<const float4*>(norm.weight + at));
  });
  const auto value = [&](int i, int64_t) { return h[i]; };
  const float greatest = __uint_as_float(reduce.max(greatest_bits<kHeld, false>(held, value)));
  return row_codes<kHeld>(
      held, value, code_scale(greatest), [](const float4& scaled) { return pack_codes(scaled); },
      [&](int i, int64_t, uint32_t codes) { *reinterpret_cast<uint32_t*>(to + i * kTileColumns) = codes; });
}

// The bits of a row's greatest magnitude if all of it is plain, else more than this.
constexpr uint32_t kMostPlainBits = kEndOfPlain - 1;

// The warps that normalize and multiply. What does not depend on the inputs is at hand when they come: after that
// instructions wait for each other most of the time.
template <int kHeld, Second kSecond, bool kOne>
__device__ __forceinline__ void multiply_normalized(const NormTernaryArgs& args, const CopyPlan& plan, int rows,
                                                    const CopiedMemory& memory, int tiles, InverseRms inverse_rms,
                                                    NarrowReducer& reduce) {
  const int warp = static_cast<int>(threadIdx.x / kWarp), lane = static_cast<int>(threadIdx.x % kWarp);
  const NormQuantizeArgs& norm = args.norm;
  const RowWalk walk{norm.cols, static_cast<unsigned>(plan.warps) * kWarp};
  const HeldWalk held;
  float4 gain[kHeld] = {};
  const float *x[kHeld], *other[kHeld];
  for_held_quads<kHeld>(walk, [&](int i, int64_t at) {
    gain[i] = *reinterpret_cast<const float4*>(norm.weight + at);
    x[i] = norm.x + at;
    other[i] = second_of<kSecond>(norm) + at;
    have_ready(x[i]);
    if constexpr (kSecond != Second::none) have_ready(other[i]);
  });
  uint8_t* to_codes = memory.codes + lane * 4;
  const uint8_t* const operands = operands_of(plan, rows, memory.codes);
  // Of columns beyond the last, codes are 0.
  int weights[kHeld];
#pragma unroll
  for (int c = 0; c < kHeld; ++c) {
    const int column = warp + (warp + c * plan.warps < plan.tile_columns ? c * plan.warps : 0);
    weights[c] = column * kTileBytes + lane * 16;
    have_ready(weights[c]);
  }
  const OutputSums sums(plan, rows, memory.sums);
  int row_bytes = plan.row_bytes;
  have_ready(row_bytes);
  int upper = has_upper_words();
  have_ready(upper);
  // Rows of tiles. Of one row of activations a single one: 1820 tokens/s where two at once made 1753, and 1787 where
  // warps waited for the weights themselves. (Twice and four times the loop's code made 1809 and 1783 then; with tiles
  // that are loaded ahead compilers have it twice, unasked.)
  constexpr int kAtOnce = kOne ? 1 : 2;
  uint4 tile[kAtOnce][kHeld];
  const auto load_tiles = [&](int first) {
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      const int from = min(first + i, tiles - 1) * row_bytes;
#pragma unroll
      for (int c = 0; c < kHeld; ++c)
        tile[i][c] = *reinterpret_cast<const uint4*>(memory.weights + (weights[c] + from));
    }
  };
  int code_sums[kProductRows] = {};  // of each row, of the thread
  uint32_t quads[kHeld] = {};        // codes of the last row, of the thread

  wait_for_inputs();
#pragma unroll 1
  for (int row = 0; row < rows; ++row, to_codes += plan.code_pitch) {
    float4 h[kHeld] = {}, second[kHeld] = {};
    for_held_quads<kHeld>(walk, [&](int i, int64_t) {
      h[i] = written_quad(x[i]);
      if constexpr (kSecond != Second::none) second[i] = written_quad(other[i]);
      x[i] += norm.cols, other[i] += norm.cols;
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
    const float squares = row_squares<kHeld>(held, value, reduce);
    bool exact;
    const float inverse = inverse_rms.of_plain(squares, exact);
    float4 sum[kHeld];
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {
      if constexpr (kSecond == Second::add) sum[i] = h[i];
      h[i] = normalized(h[i], inverse, gain[i]);
    }
    const uint32_t greatest = reduce.max(exact ? greatest_bits<kHeld, true>(held, value) : ~0u);
    if constexpr (kOne) load_tiles(0);  // which have come, as the porter has seen: on their way meanwhile
    RowCodes of_row = row_codes<kHeld>(
        held, value, plain_code_scale(__uint_as_float(greatest)),
        [](const float4& scaled) { return pack_finite_codes(scaled); },
        [&](int i, int64_t, uint32_t codes) { quads[i] = codes; });
    if (greatest > kMostPlainBits) {
      of_row = careful_codes<kHeld, kSecond>(args, row, sum, to_codes, plan.warps, squares, reduce);
      reduce.pass();
#pragma unroll
      for (int i = 0; i < kHeld; ++i) quads[i] = *reinterpret_cast<const uint32_t*>(to_codes + i * kTileColumns);
    }
#pragma unroll
    for (int r = 0; r < kProductRows; ++r) {
      if (r == row) code_sums[r] = of_row.sum;
    }
    if constexpr (!kOne) {
#pragma unroll
      for (int i = 0; i < kHeld; ++i) *reinterpret_cast<uint32_t*>(to_codes + i * kTileColumns) = quads[i];
    }
  }

  std::conditional_t<kOne, RowCodesOfTile, TileCodes> codes[kHeld];
  if constexpr (!kOne) __syncwarp();
#pragma unroll
  for (int c = 0; c < kHeld; ++c) {
    if constexpr (kOne) {
      codes[c] = row_codes_of_tile(quads[c]);
    } else {
      load_operands(codes[c], operands + c * kTileColumns);
    }
  }
  if constexpr (!kOne) load_tiles(0);
#pragma unroll 1
  for (int r = 0; r < tiles; r += kAtOnce) {
    std::conditional_t<kOne, RowDigitSums, DigitSums> of[kAtOnce] = {};
#pragma unroll
    for (int c = 0; c < kHeld; ++c) {
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i) add_tile(of[i], tile[i][c], codes[c]);
    }
    load_tiles(r + kAtOnce);
    // Again for each r: while the products go on it costs nothing, but before them the time of a reduction.
    int code_sum = 0;  // of the row lane % kProductRows, of the warp's columns
#pragma unroll
    for (int row = 0; row < kProductRows; ++row) {
      if (row >= rows) break;
      const int sum = __reduce_add_sync(kAllLanes, code_sums[row]);
      if (lane % kProductRows == row) code_sum = sum;
    }
#pragma unroll
    for (int i = 0; i < kAtOnce; ++i) {
      int2 outputs;
      if constexpr (kOne) {
        outputs = outputs_of(of[i], upper);
      } else {
        outputs = outputs_of(of[i]);
      }
      if (r + i < tiles) sums.put(r + i, {outputs.x - code_sum, outputs.y - code_sum});
    }
  }
}

// Factors of an output, and of the second matrix's where there is one, and what is added to it.
struct OutputEnd {
  float factor, up_factor, residual;
};

constexpr int kMostWarps = NarrowReducer::kWarps;

// sums: the output's own, and `ups` ints further those of the second matrix.
template <bool kGated>
__device__ __forceinline__ void end_output(const int* sums, int ups, bool adds, const Output& output,
                                           const OutputEnd& end) {
  const auto sum = [&](int at) { return static_cast<int32_t>(sum_of_warps<kMostWarps>(sums + at)); };
  const int32_t acc = sum(0);
  float value = static_cast<float>(acc) * end.factor;
  if constexpr (kGated) {
    const float gate = relu(value);
    value = gate * gate * (static_cast<float>(sum(ups)) * end.up_factor);
  } else if (adds) {
    value = end.residual + value;
  }
  if (output.y) *output.y = value;
  if (!kGated && output.acc) *output.acc = acc;
}

__device__ __forceinline__ float residual_of(const Output& output, const float* residual) {
  return residual && output.exists ? __ldcg(residual + output.at) : 0.0f;
}

// kOne: of one row.
template <int kHeld, Second kSecond, bool kGated, bool kOne>
__global__ void __maxnreg__(registers(kHeld))
    normalize_multiply(const __grid_constant__ NormTernaryArgs args, const __grid_constant__ CopyPlan plan,
                       const __grid_constant__ InverseRms inverse_rms) {
  using Weights = CopiedWeights<true>;
  extern __shared__ uint4 shared[];
  __shared__ NarrowReducer::Memory slots;
  __shared__ Barrier arrived[Weights::kBarriers];
  __shared__ float scales[kMostNormTernaryRows];
  let_next_start();
  if (static_cast<int>(blockIdx.x) >= plan.blocks) {
    wait_for_inputs();
    return pass_time(kHold);
  }
  const TernaryMatmulArgs& product = args.product;
  const int rows = kOne ? 1 : plan.rows;
  const CopiedPlace place(plan);
  const CopiedMemory memory(plan, shared);
  const Weights weights(plan, place, memory.weights, arrived);
  const int outputs = outputs_of(place, rows), ups = outputs * plan.sum_slots;
  const float* const residual = args.residual;
  if (!is_porter(plan)) {
    NarrowReducer reduce(slots, plan.warps);
    multiply_normalized<kHeld, kSecond, kOne>(args, plan, rows, memory, weights.tile_rows(), inverse_rms, reduce);
    __syncthreads();
  } else {
    const int lane = static_cast<int>(threadIdx.x % kWarp);
    weights.begin(product);
    NarrowReducer reduce(slots, plan.warps);
    clear_sums<kMostWarps>(plan, memory.sums, (kGated ? 2 : 1) * outputs);
    Output own(product, plan, place, rows, lane);
    int sums = own.number * plan.sum_slots;
    have_ready(sums);
    have_ready(own.y);
    const float up_scale = product.part[kGated].weight_scale;
    __syncwarp();
    wait_for_inputs();
    OutputEnd end = {0.0f, 0.0f, residual_of(own, residual)};
    for (int row = 0; row < rows; ++row) {
      reduce.watch_sum();
      if (row == 0) weights.wait(0);
      uint32_t greatest = reduce.watch_max();
      if (greatest > kMostPlainBits) greatest = reduce.watch_max();
      const float scale = code_scale(__uint_as_float(greatest));
      if (lane == 0) scales[row] = scale;
      if (row == own.row) end.factor = own.weight_scale / scale, end.up_factor = up_scale / scale;
    }
    __syncthreads();
    end_output<kGated>(memory.sums + sums, ups, residual, own, end);
  }
  for_more_outputs(product, plan, place, rows, kWarp, [&](const Output& output) {
    const float scale = scales[output.row];
    end_output<kGated>(
        memory.sums + output.number * plan.sum_slots, ups, residual, output,
        {output.weight_scale / scale, product.part[kGated].weight_scale / scale, residual_of(output, residual)});
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
  return copy_plan(args.product, ceil_div(tiles, each), few_rows_memory(exec) / 2, matrices, warps, kMostWarps, held);
}

// Whether blocks without work keep places. Not where attention ends: gate and up follow, of which two blocks find room
// on most multiprocessors, and start later where places are kept (1978; 1967 otherwise, but 1864 without any for the
// last product of an MLP and 1922 for q, k and v).
bool keeps_places(const NormTernaryArgs& args) { return !args.residual || held_quads(args.norm.cols) >= kMostHeld; }

// False where it is not for these kernels: then nothing was done.
template <bool kGated>
bool launch(const Exec& exec, const NormTernaryArgs& args) {
  if (!suits(args)) return false;
  const CopyPlan plan = plan_of(exec, args, kGated ? 2 : 1);
  if (plan.blocks == 0 || plan.memory > few_rows_memory(exec)) return false;
  const int least_bytes = is_hopper(exec) ? kLeastBytes : 0;
  const int least_blocks = is_hopper(exec) && keeps_places(args) ? multiprocessors(exec) : 0;
  const InverseRms inverse_rms(args.norm.cols, args.norm.eps);
  with_held_quads(args.norm.cols, [&](auto held) {
    with_second(args.norm, [&](auto second) {
      if constexpr (held() > 0 && held() <= kMostHeld && !(kGated && second() == Second::gate)) {
        const auto kernel = plan.rows == 1 ? normalize_multiply<held(), second(), kGated, true>
                                           : normalize_multiply<held(), second(), kGated, false>;
        launch_copied(exec, kGated ? "norm_gated_ternary_matmul" : "norm_ternary_matmul", kernel, args, plan,
                      least_bytes, std::max(plan.blocks, least_blocks), inverse_rms);
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
