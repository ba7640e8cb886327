// SPDX-License-Identifier: Apache-2.0
// Products of f32 activations with bf16 weights (split_bf16.cuh). Up to eight rows are bound by reading the weights,
// which lanes bring straight to their registers; more rows share the weights of a block in shared memory. All columns
// of a tensor core's tile are computed alike, so a row's bits are the same in each kernel.
#include <cuda_pipeline_primitives.h>

#include <cstddef>
#include <cstdint>

#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/linear_bf16_weights.h"
#include "devices/cuda/span_sums.cuh"
#include "devices/cuda/weight_pairs.cuh"

namespace tern::cuda {
namespace {

// ---------------------------------------------------------------- few rows

constexpr int kFewWarps = 4;

// A block computes kResultColumns columns of up to kResultRows rows.
template <bool kWhole>
__global__ void __launch_bounds__(kWarp* kFewWarps, 4) few_rows(LinearArgs args, const bf16* __restrict__ w) {
  wait_for_inputs();
  __shared__ SpanSums<kFewWarps>::Memory memory;
  SpanSums<kFewWarps> total(memory);
  const int64_t tiles = ceil_div(args.n, kResultColumns);
  const int k = static_cast<int>(args.k), spans = spans_of(k), group = lane_group();
  const float* const x = group < args.rows ? args.x + group * args.k : nullptr;
  for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const int64_t first = tile * kResultColumns;
    // Columns beyond the last repeat it.
    const bf16* const upper = w + min(first + group, args.n - 1) * args.k;
    const bf16* const lower = w + min(first + group + 8, args.n - 1) * args.k;
    total.clear();
    for (int turn = 0; turn < spans; turn += kFewWarps) {
      float sums[4] = {};
      const int span = turn + warp_of_block();
      if (span < spans) span_sums<kWhole>(upper, lower, x, span * kSpan, k, sums);
      total.add(sums, spans - turn);
    }
    if (warp_of_block() != 0) continue;
    const int64_t row = threadIdx.x % 4 * 2;
    const auto put = [&](int64_t r, int64_t column, float y) {
      if (r < args.rows && column < args.n) args.y[r * args.n + column] = y;
    };
    const float4 y = total.total();
    put(row, first + group, y.x);
    put(row + 1, first + group, y.y);
    put(row, first + group + 8, y.z);
    put(row + 1, first + group + 8, y.w);
  }
}

// ---------------------------------------------------------------- pairs

constexpr int kPairWarps = 8;

// A block computes eight pairs at a time.
template <bool kWhole, class Pairs>
__global__ void __launch_bounds__(kWarp* kPairWarps) pair_products(Pairs pairs, const bf16* __restrict__ w, int k) {
  wait_for_inputs();
  __shared__ SpanSums<kPairWarps>::Memory memory;
  pair_tiles<kWhole, kPairWarps>(memory, pairs, int64_t{blockIdx.x} * kResultRows, int64_t{gridDim.x} * kResultRows, w,
                                 k);
}

template <class Pairs>
void launch_pairs(const Exec& exec, const char* name, const Pairs& pairs, int64_t most, const float* x, const void* w,
                  int64_t k) {
  // Few blocks for a count that is known on the device alone.
  const int64_t blocks = ceil_div(most, kResultRows), room = int64_t{4} * multiprocessors(exec);
  launch_early(exec, name, whole_lines(x, w, k) ? pair_products<true, Pairs> : pair_products<false, Pairs>,
               static_cast<unsigned>(blocks < room ? blocks : room), kWarp * kPairWarps, 0, pairs,
               static_cast<const bf16*>(w), static_cast<int>(k));
}

// ---------------------------------------------------------------- many rows

template <int kTiles_, int kColumnWarps_, int kRowWarps_, int kStages_>
struct Shape {
  static constexpr int kTiles = kTiles_, kGroups = 4;  // of a warp: 16 columns, 8 rows of y each
  static constexpr int kColumnWarps = kColumnWarps_, kRowWarps = kRowWarps_;
  static constexpr int kStages = kStages_;
  static constexpr int kThreads = kWarp * kColumnWarps * kRowWarps;
  static constexpr int kColumns = kResultColumns * kTiles * kColumnWarps, kRows = kResultRows * kGroups * kRowWarps;
};
using WideShape = Shape<4, 2, 4, 2>;    // 128 columns by 128 rows
using MiddleShape = Shape<2, 4, 2, 3>;  // 128 by 64
using NarrowShape = Shape<1, 8, 1, 4>;  // 128 by 32

constexpr int kStageSteps = 2, kStageColumns = kStageSteps * kStepColumns;
constexpr int kWeightPieces = kStepColumns / 8, kActivationPieces = kStepColumns / 4;  // of 16 bytes in a row's step

// Two steps along k. Eight lanes that read at once take two rows of a step: those of weights follow each other, and
// those of activations have their pieces in turns, so that they fall in different banks.
template <class S>
struct Stage {
  uint4 w[kStageSteps][S::kColumns][kWeightPieces];
  float4 x[kStageSteps][S::kRows][kActivationPieces];
};

__device__ int piece_place(int row, int piece) { return piece ^ (row & 1); }

template <class S>
constexpr size_t kSharedBytes = S::kStages * sizeof(Stage<S>);

// A block's operands as its threads bring them: each the same piece of some rows.
template <bool kWhole, class S>
class Operands {
 public:
  __device__ Operands(const LinearArgs& args, const bf16* w, int64_t first_column, int64_t first_row)
      : w_(w + first_column * args.k),
        x_(args.x + first_row * args.k),
        k_(static_cast<int>(args.k)),
        // Columns and rows beyond the last repeat it.
        last_column_(static_cast<int>(min(args.n - 1 - first_column, int64_t{S::kColumns - 1}))),
        last_row_(static_cast<int>(min(args.rows - 1 - first_row, int64_t{S::kRows - 1}))) {}

  // Starts to bring the columns from `begin` on.
  __device__ void fetch(Stage<S>& stage, int begin) const {
    constexpr int kWeights = kStageSteps * kWeightPieces, kActivations = kStageSteps * kActivationPieces;
    const int thread = static_cast<int>(threadIdx.x);
    {
      const int piece = thread % kWeights, at = begin + piece * 8;
#pragma unroll
      for (int column = thread / kWeights; column < S::kColumns; column += S::kThreads / kWeights) {
        uint4* const to = &stage.w[piece / kWeightPieces][column][piece % kWeightPieces];
        const bf16* const row = w_ + int64_t{min(column, last_column_)} * k_;
        if constexpr (kWhole) {
          bring(to, row + at, at);
        } else {
          *to = load_weights<false>(row, at, k_);
        }
      }
    }
    const int piece = thread % kActivations, at = begin + piece * 4;
#pragma unroll
    for (int r = thread / kActivations; r < S::kRows; r += S::kThreads / kActivations) {
      float4* const to = &stage.x[piece / kActivationPieces][r][piece_place(r, piece % kActivationPieces)];
      const float* const row = x_ + int64_t{min(r, last_row_)} * k_;
      if constexpr (kWhole) {
        bring(to, row + at, at);
      } else {
        const auto element = [&](int e) { return e < k_ ? row[e] : 0.0f; };
        *to = {element(at), element(at + 1), element(at + 2), element(at + 3)};
      }
    }
  }

 private:
  // Whole pieces, or zeros beyond the last.
  __device__ void bring(void* to, const void* from, int at) const {
    __pipeline_memcpy_async(to, at < k_ ? from : w_, 16, at < k_ ? 0 : 16);
  }

  const bf16* w_;
  const float* x_;
  int k_, last_column_, last_row_;
};

// A warp's part of a block's tile of y.
template <class S>
class WarpTile {
 public:
  // Adds a step of a stage to the sums of the span.
  __device__ void add(const Stage<S>& stage, int step) {
    const int group = lane_group(), t = static_cast<int>(threadIdx.x) % 4;
    StepWeights w[S::kTiles];
#pragma unroll
    for (int tile = 0; tile < S::kTiles; ++tile) {
      const int column = this->column() + tile * kResultColumns + group;
      w[tile] = {stage.w[step][column][t], stage.w[step][column + 8][t]};
    }
    // As many groups at once as keep the tensor cores busy and fit into registers.
    constexpr int kAtOnce = 2;
#pragma unroll
    for (int first = 0; first < S::kGroups; first += kAtOnce) {
      const auto split = [&](int g) {
        const int r = this->row() + (first + g) * kResultRows + group, place = piece_place(r, 2 * t);
        const float4 a = stage.x[step][r][place], b = stage.x[step][r][place ^ 1];
        const float values[kLaneColumns] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
        return SplitActivations(values);
      };
      const SplitActivations x[kAtOnce] = {split(0), split(1)};
      add_step([&](int tile, int g) -> float(&)[4] { return sums_[tile][first + g]; }, w, x);
    }
  }

  // Ends a span.
  __device__ void add_span() {
#pragma unroll
    for (int tile = 0; tile < S::kTiles; ++tile) {
#pragma unroll
      for (int g = 0; g < S::kGroups; ++g) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          total_[tile][g][i] += sums_[tile][g][i];
          sums_[tile][g][i] = 0.0f;
        }
      }
    }
  }

  __device__ void put(const LinearArgs& args, int64_t first_column, int64_t first_row) const {
#pragma unroll
    for (int tile = 0; tile < S::kTiles; ++tile) {
#pragma unroll
      for (int g = 0; g < S::kGroups; ++g) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int64_t column = first_column + this->column() + tile * kResultColumns + lane_group() + i / 2 * 8;
          const int64_t row = first_row + this->row() + g * kResultRows + threadIdx.x % 4 * 2 + i % 2;
          if (row < args.rows && column < args.n) args.y[row * args.n + column] = total_[tile][g][i];
        }
      }
    }
  }

 private:
  __device__ static int column() { return warp_of_block() % S::kColumnWarps * (S::kTiles * kResultColumns); }
  __device__ static int row() { return warp_of_block() / S::kColumnWarps * (S::kGroups * kResultRows); }

  float sums_[S::kTiles][S::kGroups][4] = {}, total_[S::kTiles][S::kGroups][4] = {};
};

// Blocks that read the same weights follow each other.
template <bool kWhole, class S>
__global__ void __launch_bounds__(S::kThreads) many_rows(LinearArgs args, const bf16* __restrict__ w) {
  wait_for_inputs();
  extern __shared__ uint4 shared[];
  auto* const stages = reinterpret_cast<Stage<S>*>(shared);
  const int64_t row_tiles = ceil_div(args.rows, S::kRows), tiles = row_tiles * ceil_div(args.n, S::kColumns);
  const int steps = (static_cast<int>(args.k) + kStageColumns - 1) / kStageColumns;
  constexpr int kStagesOfSpan = kSpan / kStageColumns;
  for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const int64_t column = tile / row_tiles * S::kColumns, row = tile % row_tiles * S::kRows;
    const Operands<kWhole, S> operands(args, w, column, row);
    const auto bring = [&](int step) {
      if (step < steps) operands.fetch(stages[step % S::kStages], step * kStageColumns);
      __pipeline_commit();
    };
    WarpTile<S> own;
    for (int step = 0; step < S::kStages - 1; ++step) bring(step);
    for (int step = 0; step < steps; ++step) {
      __pipeline_wait_prior(S::kStages - 2);
      __syncthreads();  // this stage has come, and all are done with the one that comes next
      bring(step + S::kStages - 1);
      const Stage<S>& stage = stages[step % S::kStages];
#pragma unroll
      for (int s = 0; s < kStageSteps; ++s) own.add(stage, s);
      if (step % kStagesOfSpan == kStagesOfSpan - 1 || step + 1 == steps) own.add_span();
    }
    own.put(args, column, row);
    __syncthreads();
  }
}

template <class S>
void launch_many(const Exec& exec, const LinearArgs& args, const bf16* w) {
  const auto kernel = whole_lines(args.x, w, args.k) ? many_rows<true, S> : many_rows<false, S>;
  constexpr const char* kName = "linear";
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int{kSharedBytes<S>}),
             kName);
  const int64_t tiles = ceil_div(args.rows, S::kRows) * ceil_div(args.n, S::kColumns);
  launch_early(exec, kName, kernel, blocks_for(tiles, 1), S::kThreads, kSharedBytes<S>, args, w);
}

}  // namespace

void linear_bf16_weights(const Exec& exec, const LinearArgs& args) noexcept {
  const auto* const w = static_cast<const bf16*>(args.w);
  if (args.rows <= kResultRows) {
    launch_early(exec, "linear", whole_lines(args.x, w, args.k) ? few_rows<true> : few_rows<false>,
                 blocks_for(ceil_div(args.n, kResultColumns), 1), kWarp * kFewWarps, 0, args, w);
  } else if (args.rows <= NarrowShape::kRows) {
    launch_many<NarrowShape>(exec, args, w);
  } else if (args.rows <= MiddleShape::kRows) {
    launch_many<MiddleShape>(exec, args, w);
  } else {
    launch_many<WideShape>(exec, args, w);
  }
}

void linear_rows_bf16_weights(const Exec& exec, const LinearRowsArgs& args) noexcept {
  launch_pairs(exec, "linear_rows", RowPairs(args), args.count, args.x, args.w, args.k);
}

void linear_pairs_bf16_weights(const Exec& exec, const LinearPairsArgs& args) noexcept {
  launch_pairs(exec, "linear_pairs", ListedPairs(args), args.most, args.x, args.w, args.k);
}

}  // namespace tern::cuda
