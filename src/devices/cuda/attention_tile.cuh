// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention, for tensors and for pages. One arithmetic for every query, whatever tile it is in and
// whoever shares it:
//
//   s_j      a chain over the columns, then times scale;
//   step     64 keys from a multiple of 64 on: maximum, p_j = exp(s_j - maximum so far), their sum over 16 threads of 4
//            keys each; sums of earlier steps decay by exp(maximum before - maximum now); a chain of p_j·v_j goes on;
//   span     steps from span_keys(keys) · i on, starting from nothing; at most 32 for any number of keys;
//   merge    spans in ascending order, each part times exp(its maximum - maximum of both).
//
// So a query's bits depend on what it sees alone, and spans can be shared out among blocks. A tile is some queries of one
// key head, token by token and, within a token, head by head of its group, by one block of threads. Wide tiles take 64
// such rows of a sequence; narrow ones take rows of one token, and where these are few, one of its spans.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "devices/cuda/attention_panels.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/rotation.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {

constexpr int kMostSpans = 32;

// Keys of a span of a query that sees `keys`.
__device__ inline int span_keys(int keys) {
  int span = kPanelRows;
  while (span * kMostSpans < keys) span *= 2;
  return span;
}

// The queries of one sequence; the last of them sees all keys.
struct AttentionQueries {
  int64_t heads, group, tokens, keys, dim;
  float scale;
  const float* q;          // [tokens, heads, dim]
  const float *cos, *sin;  // of the first token, [*, dim/2]; null: q is rotated
  float *out, *lse;        // [tokens, heads, dim]; [heads, tokens] or null
  float* parts;            // [tokens, heads, kMostSpans, dim + 2]: what spans give, their maximum and sum; or null
};

// Where a tile's rows are, and the number of their first within the sequence. Without a sequence: nothing to do.
template <class Keys>
struct AttentionTask {
  AttentionQueries queries;
  Keys keys;
  int64_t row = 0;
  bool valid = false;
};

__device__ inline float query_element(const AttentionQueries& queries, int64_t row, int64_t token, int64_t column) {
  const float* x = queries.q + row * queries.dim;
  if (!queries.cos) return __ldg(x + column);
  const int64_t turn = token * (queries.dim / 2);
  return rotated_element(x, queries.cos + turn, queries.sin + turn, queries.dim, column);
}

// A running softmax: Σ exp(s - maximum), in which nothing but -inf so far counts as 0.
struct SoftmaxSum {
  float maximum = -INFINITY, sum = 0.0f;
};

// What exponents are taken from, so that -inf has none.
__device__ inline float origin_of(float maximum) { return maximum == -INFINITY ? 0.0f : maximum; }

// Factors of the total so far and of the part that joins it.
struct MergeFactors {
  float kept, added;
};

__device__ inline MergeFactors merge(SoftmaxSum& total, const SoftmaxSum& part) {
  const float maximum = fmaxf(total.maximum, part.maximum), origin = origin_of(maximum);
  const MergeFactors factors = {expf(total.maximum - origin), expf(part.maximum - origin)};
  total = {maximum, total.sum * factors.kept + part.sum * factors.added};
  return factors;
}

__device__ inline float merged(float total, float part, const MergeFactors& factors) {
  return total * factors.kept + part * factors.added;
}

// A tile has kRows queries of up to kMostDim columns, and of their results kColumns columns: the blocks of a wider head
// all compute its scores. Keys and values are in shared memory kSlice columns at a time. Each kColumnThreads threads add
// up some of the rows, with kVector adjacent columns each.
template <int kTileRows, int kBlockThreads, int kMostColumns, int kResultColumns, int kSliceColumns, int kThreadsOfColumns,
          int kAdjacent, int kBlocks>
struct TileShape {
  static constexpr int kRows = kTileRows, kThreads = kBlockThreads, kMostDim = kMostColumns, kColumns = kResultColumns;
  static constexpr int kSlice = kSliceColumns, kColumnThreads = kThreadsOfColumns, kVector = kAdjacent;
  static constexpr int kBlocksPerProcessor = kBlocks;
  static constexpr int kScoreRows = std::max(1, kRows * kPanelThreads / kThreads);
  static constexpr int kScoreThreads = kRows / kScoreRows * kPanelThreads;
  static constexpr int kSumRows = kRows * kColumnThreads / kThreads;
  static constexpr int kSlices = kColumns / kSlice, kSumColumns = kSlice / kColumnThreads;
  static constexpr int kQueryRow = kMostDim + kPanelPadding, kPanelRow = kSlice + kPanelPadding, kWeightRow = kRows + 4;

  static_assert(kMostDim % kSlice == 0 && kColumns % kSlice == 0 && kSumColumns % kVector == 0);
  static_assert(kThreads % kColumnThreads == 0);
  static_assert(kScoreThreads % 32 == 0 && kScoreThreads <= kThreads && kThreads >= kPanelRows && kThreads >= kRows);
};

struct TileRow {
  int64_t at;  // token · heads + head
  int64_t token, head;
  int keys, span;  // that it sees, 0 for a row that the tile lacks; of a span
};

// What threads that have sums need to know of a row's scores.
struct alignas(16) RowStep {
  float decay;  // of the sums before this step; in the end, what the total is divided by
  MergeFactors factors;
  int16_t seen;  // keys of the step
  bool ends;     // a span ends
};

template <class Shape, class Keys>
struct TileMemory {
  alignas(16) float queries[Shape::kRows * Shape::kQueryRow];
  alignas(16) float panel[kPanelRows * Shape::kPanelRow];
  alignas(16) float weights[kPanelRows * Shape::kWeightRow];  // [key, row]
  RowStep steps[Shape::kRows];
  TileRow rows[Shape::kRows];
  typename Keys::Place places[kPanelRows];
  AttentionTask<Keys> task;
};

// Keys: where the keys and values of one key head are. place(key) is cheap to keep; quad(place, values, column) gives the
// elements [column, column + 4) of a key or a value, 0 or what counts as nothing beyond dim.
template <class Shape, class Keys>
class AttentionTile {
 public:
  using Memory = TileMemory<Shape, Keys>;

  // `rows` rows from `row` on of the task in memory, whose heads begin with first_head, and the result's columns from
  // first_column on.
  __device__ AttentionTile(Memory& memory, int64_t first_head, int64_t row, int rows, int first_column)
      : memory_(memory),
        queries_(memory.task.queries),
        keys_(memory.task.keys),
        dim_(static_cast<int>(memory.task.queries.dim)),
        rows_(rows),
        first_column_(first_column),
        thread_(static_cast<int>(threadIdx.x)) {
    if (thread_ < Shape::kRows) place_row(first_head, row + thread_);
    __syncthreads();
    most_keys_ = memory_.rows[rows - 1].keys;
    span_keys_ = memory_.rows[rows - 1].span;
  }

  // All spans, and the result.
  __device__ void attend() {
    run(0, static_cast<int>(ceil_div(most_keys_, kPanelRows)), true);
    finish();
  }

  // One span of rows that see the same number of keys, to AttentionQueries::parts.
  __device__ void attend_to_span(int span) {
    const int begin = span * span_keys_, end = min(begin + span_keys_, most_keys_);
    if (begin >= end) return;
    run(begin / kPanelRows, static_cast<int>(ceil_div(end, kPanelRows)), false);
    keep_part(span);
  }

 private:
  __device__ int panel_thread() const { return thread_ % kPanelThreads; }
  __device__ int score_row() const { return thread_ / kPanelThreads * Shape::kScoreRows; }
  // Whole warps without a row have no scores.
  __device__ bool has_scores() const {
    return thread_ < Shape::kScoreThreads && thread_ / 32 * 32 / kPanelThreads * Shape::kScoreRows < rows_;
  }
  __device__ int sum_row() const { return thread_ / Shape::kColumnThreads * Shape::kSumRows; }
  // The thread's column c of a slice: vectors of kVector.
  __device__ int sum_column(int c) const {
    return (c / Shape::kVector * Shape::kColumnThreads + thread_ % Shape::kColumnThreads) * Shape::kVector +
           c % Shape::kVector;
  }

  __device__ void place_row(int64_t first_head, int64_t row) {
    TileRow& to = memory_.rows[thread_];
    to.token = row / queries_.group;
    to.head = first_head + row % queries_.group;
    to.at = to.token * queries_.heads + to.head;
    to.keys = thread_ < rows_ ? static_cast<int>(queries_.keys - queries_.tokens + to.token + 1) : 0;
    to.span = span_keys(to.keys);
  }

  __device__ void read_queries() {
    const int columns = (dim_ + 3) / 4 * 4;
    for (int i = thread_; i < Shape::kRows * Shape::kMostDim; i += Shape::kThreads) {
      const int r = i / Shape::kMostDim, column = i % Shape::kMostDim;
      if (column >= columns) continue;
      const TileRow& row = memory_.rows[r];
      memory_.queries[r * Shape::kQueryRow + column] =
          r < rows_ && column < dim_ ? query_element(queries_, row.at, row.token, column) : 0.0f;
    }
  }

  __device__ int keys_of_step(int step) const { return min(kPanelRows, most_keys_ - step * kPanelRows); }

  __device__ void place_keys(int step) {
    if (thread_ < keys_of_step(step)) memory_.places[thread_] = keys_.place(step * kPanelRows + thread_);
  }

  // Columns [column, column + kSlice) of the step's keys or values; zeros where there are none.
  __device__ void load_panel(bool values, int column, int count) {
    constexpr int kQuads = Shape::kSlice / 4, kAll = kPanelRows * kQuads / Shape::kThreads;
    constexpr int kBatch = 1024 / Shape::kThreads;  // loads under way: registers allow no more
    static_assert(kAll % kBatch == 0 && kAll * Shape::kThreads == kPanelRows * kQuads);
#pragma unroll 1
    for (int first = 0; first < kAll; first += kBatch) {
      float4 quads[kBatch];
#pragma unroll
      for (int b = 0; b < kBatch; ++b) {
        const int i = (first + b) * Shape::kThreads + thread_, row = i / kQuads, at = column + i % kQuads * 4;
        quads[b] = row < count && at < dim_ ? keys_.quad(memory_.places[row], values, at) : float4{0, 0, 0, 0};
      }
#pragma unroll
      for (int b = 0; b < kBatch; ++b) {
        const int i = (first + b) * Shape::kThreads + thread_;
        *reinterpret_cast<float4*>(memory_.panel + i / kQuads * Shape::kPanelRow + i % kQuads * 4) = quads[b];
      }
    }
  }

  // Steps [begin, end). `merging`: spans end where their rows say, else with `end`.
  __device__ void run(int begin, int end, bool merging) {
    read_queries();
    place_keys(begin);
    __syncthreads();
    for (int step = begin; step < end; ++step) {
      float scores[Shape::kScoreRows][kThreadRows] = {};
      const int count = keys_of_step(step);
      for (int column = 0; column < dim_; column += Shape::kSlice) {
        load_panel(false, column, count);
        __syncthreads();
        if (has_scores()) {
          add_dots(memory_.queries + score_row() * Shape::kQueryRow + column, Shape::kQueryRow,
                   memory_.panel + panel_thread() * Shape::kPanelRow, Shape::kPanelRow,
                   (min(Shape::kSlice, dim_ - column) + 3) / 4, scores);
        }
        __syncthreads();
      }
      if (has_scores()) weigh(step, merging, scores);
      add_values(step, end);
    }
  }

  // Scores to weights, [key, row], and what they make of the sums before.
  __device__ void weigh(int step, bool merging, float (&scores)[Shape::kScoreRows][kThreadRows]) {
#pragma unroll
    for (int i = 0; i < Shape::kScoreRows; ++i) {
      const TileRow& row = memory_.rows[score_row() + i];
      const int seen = max(0, min(kPanelRows, row.keys - step * kPanelRows));
      const float before = span_[i].maximum;
#pragma unroll
      for (int j = 0; j < kThreadRows; ++j) {
        scores[i][j] *= queries_.scale;
        if (panel_thread() + kPanelThreads * j < seen) span_[i].maximum = fmaxf(span_[i].maximum, scores[i][j]);
      }
      span_[i].maximum = max_of_lanes<kPanelThreads>(span_[i].maximum);
      const float origin = origin_of(span_[i].maximum), decay = expf(before - origin);
      float sum = 0.0f;
#pragma unroll
      for (int j = 0; j < kThreadRows; ++j) {
        scores[i][j] = panel_thread() + kPanelThreads * j < seen ? expf(scores[i][j] - origin) : 0.0f;
        sum += scores[i][j];
      }
      sum = sum_of_lanes<kPanelThreads>(sum);
      span_[i].sum = span_[i].sum * decay + sum;
      RowStep now = {decay, {0.0f, 0.0f}, static_cast<int16_t>(seen), merging && ends_span(step, row)};
      if (now.ends) {
        now.factors = merge(total_[i], span_[i]);
        span_[i] = SoftmaxSum();
      }
      if (panel_thread() == 0) memory_.steps[score_row() + i] = now;
    }
#pragma unroll
    for (int j = 0; j < kThreadRows; ++j) {
      float of_key[Shape::kScoreRows];
#pragma unroll
      for (int i = 0; i < Shape::kScoreRows; ++i) of_key[i] = scores[i][j];
      store_floats(of_key, memory_.weights + (panel_thread() + kPanelThreads * j) * Shape::kWeightRow + score_row());
    }
  }

  // In a step of which the row sees keys.
  __device__ static bool ends_span(int step, const TileRow& row) {
    const int begin = step * kPanelRows, end = begin + kPanelRows;
    return begin < row.keys && (end >= row.keys || end % row.span == 0);
  }

  // Rows that the tile lacks have any sums.
  __device__ void add_values(int step, int end) {
    const int count = keys_of_step(step);
    const bool all_seen = memory_.rows[0].keys >= (step + 1) * kPanelRows;
#pragma unroll
    for (int slice = 0; slice < Shape::kSlices; ++slice) {
      const int column = first_column_ + slice * Shape::kSlice;
      if (column >= dim_) break;
      load_panel(true, column, count);
      __syncthreads();
      const bool is_last = slice == Shape::kSlices - 1 || column + Shape::kSlice >= dim_;
      if (is_last && step + 1 < end) place_keys(step + 1);
      if (sum_row() < rows_) {
        if (all_seen) {
          add_slice<true>(slice, kPanelRows);
        } else {
          add_slice<false>(slice, count);
        }
      }
      __syncthreads();
    }
  }

  // A value that a row does not see may be anything: it must not meet the row's sums even with a weight of 0.
  template <bool all_seen>
  __device__ void add_slice(int slice, int count) {
    int seen[Shape::kSumRows];
#pragma unroll
    for (int i = 0; i < Shape::kSumRows; ++i) {
      const RowStep& step = memory_.steps[sum_row() + i];
      seen[i] = step.seen;
#pragma unroll
      for (int c = 0; c < Shape::kSumColumns; ++c) sums_[slice][i][c] *= step.decay;
    }
#pragma unroll 4
    for (int key = 0; key < count; ++key) {
      float weights[Shape::kSumRows], values[Shape::kSumColumns];
      load_floats(memory_.weights + key * Shape::kWeightRow + sum_row(), weights);
#pragma unroll
      for (int c = 0; c < Shape::kSumColumns; c += Shape::kVector) {
        float adjacent[Shape::kVector];
        load_floats(memory_.panel + key * Shape::kPanelRow + sum_column(c), adjacent);
#pragma unroll
        for (int v = 0; v < Shape::kVector; ++v) values[c + v] = adjacent[v];
      }
#pragma unroll
      for (int i = 0; i < Shape::kSumRows; ++i) {
#pragma unroll
        for (int c = 0; c < Shape::kSumColumns; ++c) {
          if (all_seen || key < seen[i]) sums_[slice][i][c] = fmaf(weights[i], values[c], sums_[slice][i][c]);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < Shape::kSumRows; ++i) {
      const RowStep& step = memory_.steps[sum_row() + i];
      if (!step.ends) continue;
#pragma unroll
      for (int c = 0; c < Shape::kSumColumns; ++c) {
        totals_[slice][i][c] = merged(totals_[slice][i][c], sums_[slice][i][c], step.factors);
        sums_[slice][i][c] = 0.0f;
      }
    }
  }

  // Calls act(row, column, slice, i, c) for the thread's sums that count.
  template <class Act>
  __device__ void for_sums(const Act& act) const {
#pragma unroll
    for (int i = 0; i < Shape::kSumRows; ++i) {
      if (sum_row() + i >= rows_) continue;
      const TileRow& row = memory_.rows[sum_row() + i];
#pragma unroll
      for (int slice = 0; slice < Shape::kSlices; ++slice) {
#pragma unroll
        for (int c = 0; c < Shape::kSumColumns; ++c) {
          const int column = first_column_ + slice * Shape::kSlice + sum_column(c);
          if (column < dim_) act(row, column, slice, i, c);
        }
      }
    }
  }

  // Calls act(number in the tile, row, i) for rows with scores, in one thread each.
  template <class Act>
  __device__ void for_score_rows(const Act& act) const {
    if (thread_ >= Shape::kScoreThreads || panel_thread() != 0) return;
#pragma unroll
    for (int i = 0; i < Shape::kScoreRows; ++i) {
      if (score_row() + i < rows_) act(score_row() + i, memory_.rows[score_row() + i], i);
    }
  }

  __device__ void finish() {
    for_score_rows([&](int r, const TileRow& row, int i) {
      const SoftmaxSum& total = total_[i];
      memory_.steps[r].decay = total.sum;
      if (queries_.lse && first_column_ == 0) {
        queries_.lse[row.head * queries_.tokens + row.token] = total.sum == 0.0f ? NAN : total.maximum + logf(total.sum);
      }
    });
    __syncthreads();
    for_sums([&](const TileRow& row, int column, int slice, int i, int c) {
      queries_.out[row.at * queries_.dim + column] = totals_[slice][i][c] / memory_.steps[sum_row() + i].decay;
    });
  }

  __device__ float* part_of(const TileRow& row, int span) const {
    return queries_.parts + (row.at * kMostSpans + span) * (queries_.dim + 2);
  }

  __device__ void keep_part(int span) const {
    for_sums([&](const TileRow& row, int column, int slice, int i, int c) {
      part_of(row, span)[column] = sums_[slice][i][c];
    });
    if (first_column_ != 0) return;
    for_score_rows([&](int, const TileRow& row, int i) {
      float* const ends = part_of(row, span) + queries_.dim;
      ends[0] = span_[i].maximum;
      ends[1] = span_[i].sum;
    });
  }

  Memory& memory_;
  const AttentionQueries& queries_;
  const Keys& keys_;
  const int dim_, rows_, first_column_, thread_;
  int most_keys_, span_keys_;  // of the last row
  SoftmaxSum span_[Shape::kScoreRows], total_[Shape::kScoreRows];
  float sums_[Shape::kSlices][Shape::kSumRows][Shape::kSumColumns] = {};
  float totals_[Shape::kSlices][Shape::kSumRows][Shape::kSumColumns] = {};
};

template <class Shape, class Keys>
__device__ TileMemory<Shape, Keys>& tile_memory() {
  extern __shared__ uint4 shared_memory[];
  return *reinterpret_cast<TileMemory<Shape, Keys>*>(shared_memory);
}

template <class Shape, class Pass>
__host__ __device__ int64_t parts_of_columns(const Pass& pass) {
  const int64_t parts = ceil_div(pass.dim(), Shape::kColumns);
  return parts > 0 ? parts : 1;
}

// Tiles of one token and key head: by heads of the group and columns of the result.
template <class Shape, class Pass>
__host__ __device__ int64_t parts_of_token(const Pass& pass) {
  return ceil_div(pass.group(), Shape::kRows) * parts_of_columns<Shape>(pass);
}

// A pass finds the tasks of
//   tile(number, rows, kv_head)  `rows` rows of a sequence, or what is left of them;
//   token(number, kv_head)       the rows of one token.
// One thread asks, for the block. Later tiles see more keys: they start first.
template <class Shape, class Pass>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocksPerProcessor)
    attend_tiles(const __grid_constant__ Pass pass, int64_t tiles) {
  static_assert(Shape::kColumns == Shape::kMostDim);
  using Tile = AttentionTile<Shape, typename Pass::Keys>;
  auto& memory = tile_memory<Shape, typename Pass::Keys>();
  for (int64_t i = blockIdx.x; i < tiles * pass.kv_heads(); i += gridDim.x) {
    const int64_t kv_head = i % pass.kv_heads();
    __syncthreads();
    if (threadIdx.x == 0) memory.task = pass.tile(tiles - 1 - i / pass.kv_heads(), Shape::kRows, kv_head);
    __syncthreads();
    if (!memory.task.valid) continue;
    const int64_t row = memory.task.row, left = memory.task.queries.tokens * pass.group() - row;
    Tile(memory, kv_head * pass.group(), row, static_cast<int>(min(int64_t{Shape::kRows}, left)), 0).attend();
  }
}

// `spans`: 1, or kMostSpans for a block for each.
template <class Shape, class Pass>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocksPerProcessor)
    attend_tokens(const __grid_constant__ Pass pass, int64_t tokens, int spans) {
  using Tile = AttentionTile<Shape, typename Pass::Keys>;
  auto& memory = tile_memory<Shape, typename Pass::Keys>();
  const int64_t parts = parts_of_token<Shape>(pass), each = parts * pass.kv_heads() * spans;
  for (int64_t i = blockIdx.x; i < tokens * each; i += gridDim.x) {
    const int64_t kv_head = i / spans % pass.kv_heads(), part = i / spans / pass.kv_heads() % parts;
    __syncthreads();
    if (threadIdx.x == 0) memory.task = pass.token(i / each, kv_head);
    __syncthreads();
    if (!memory.task.valid) continue;
    const int64_t column_parts = parts_of_columns<Shape>(pass), head = part / column_parts * Shape::kRows;
    Tile tile(memory, kv_head * pass.group(), memory.task.row + head,
              static_cast<int>(min(int64_t{Shape::kRows}, pass.group() - head)),
              static_cast<int>(part % column_parts) * Shape::kColumns);
    if (spans > 1) {
      tile.attend_to_span(static_cast<int>(i % spans));
    } else {
      tile.attend();
    }
  }
}

constexpr int kMergeThreads = 128;

// The result of one token and head from its spans.
template <class Pass>
__global__ void __launch_bounds__(kMergeThreads) merge_spans(const __grid_constant__ Pass pass, int64_t tokens) {
  const int64_t heads = pass.group() * pass.kv_heads();
  for (int64_t i = blockIdx.x; i < tokens * heads; i += gridDim.x) {
    const int64_t head = i % heads;
    const auto task = pass.token(i / heads, head / pass.group());
    if (!task.valid) continue;
    const AttentionQueries& queries = task.queries;
    const int64_t token = task.row / queries.group, row = token * heads + head, width = queries.dim + 2;
    const int keys = static_cast<int>(queries.keys - queries.tokens + token + 1);
    const int spans = static_cast<int>(ceil_div(keys, span_keys(keys)));
    const float* const parts = queries.parts + row * kMostSpans * width;
    for (int64_t column = threadIdx.x; column < max(queries.dim, int64_t{1}); column += kMergeThreads) {
      SoftmaxSum total;
      float sum = 0.0f;
#pragma unroll 8
      for (int span = 0; span < spans; ++span) {
        const float* const part = parts + span * width;
        const MergeFactors factors = merge(total, {part[queries.dim], part[queries.dim + 1]});
        sum = merged(sum, part[column], factors);
      }
      if (column < queries.dim) queries.out[row * queries.dim + column] = sum / total.sum;
      if (column == 0 && queries.lse) {
        queries.lse[head * queries.tokens + token] = total.sum == 0.0f ? NAN : total.maximum + logf(total.sum);
      }
    }
  }
}

// Wide tiles of heads beyond this would need more registers than there are.
constexpr int kMostWideColumns = 256;

template <int kMostColumns>
struct TileShapes;
template <>
struct TileShapes<64> {
  using Wide = TileShape<64, 256, 64, 64, 64, 16, 4, 2>;
  using Narrow = TileShape<8, 128, 64, 64, 64, 64, 1, 4>;
};
template <>
struct TileShapes<128> {
  using Wide = TileShape<64, 256, 128, 128, 128, 16, 4, 2>;
  using Narrow = TileShape<8, 128, 128, 128, 128, 128, 1, 4>;
};
template <>
struct TileShapes<256> {
  using Wide = TileShape<32, 256, 256, 256, 128, 16, 4, 2>;
  using Narrow = TileShape<8, 128, 256, 256, 128, 128, 1, 4>;
};
template <>
struct TileShapes<kLargestHead> {
  using Narrow = TileShape<4, 128, kLargestHead, 256, 128, 128, 1, 2>;
};

// Calls act(columns) with the least of the shapes' that hold the pass's heads, or the one for all.
template <class Pass, class Act>
void with_columns(const Pass& pass, const Act& act) {
  if constexpr (!Pass::kByGeneralShape) {
    if (pass.dim() <= 64) return act(std::integral_constant<int, 64>());
    if (pass.dim() <= 128) return act(std::integral_constant<int, 128>());
    if (pass.dim() <= 256) return act(std::integral_constant<int, 256>());
  }
  act(std::integral_constant<int, static_cast<int>(kLargestHead)>());
}

// Dynamic shared memory of a kernel, which it may use from now on even beyond 48 KiB.
template <class Shape, class Pass, class Function>
size_t tile_bytes(const Exec& exec, Function kernel, const char* name) {
  constexpr size_t kBytes = sizeof(TileMemory<Shape, typename Pass::Keys>);
  static_assert(kBytes <= size_t{99} << 10);
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int{kBytes}), name);
  return kBytes;
}

// Whether `rows` rows of a key head, in wide tiles, occupy much of the device.
template <class Pass>
bool enough_for_tiles(const Exec& exec, const Pass& pass, int64_t rows) {
  return !Pass::kByGeneralShape && pass.dim() <= kMostWideColumns &&
         rows / kPanelRows * pass.kv_heads() * 4 >= multiprocessors(exec);
}

// Wide tiles; dim <= kMostWideColumns.
template <class Pass>
void attend_by_tiles(const Exec& exec, const Pass& pass, const char* name) {
  with_columns(pass, [&](auto columns) {
    if constexpr (decltype(columns)::value <= kMostWideColumns) {
      using Shape = typename TileShapes<decltype(columns)::value>::Wide;
      const auto kernel = attend_tiles<Shape, Pass>;
      const size_t bytes = tile_bytes<Shape, Pass>(exec, kernel, name);
      const int64_t tiles = pass.tiles(Shape::kRows);
      kernel<<<blocks_for(tiles * pass.kv_heads(), 1), Shape::kThreads, bytes, stream_of(exec)>>>(pass, tiles);
      launched(exec, name);
    }
  });
}

// Narrow tiles, by spans where there are too few of them for the device. most_keys: that a token may see.
template <class Pass>
void attend_by_tokens(const Exec& exec, Pass pass, int64_t tokens, int64_t most_keys, const char* name) {
  with_columns(pass, [&](auto columns) {
    using Shape = typename TileShapes<decltype(columns)::value>::Narrow;
    const auto kernel = attend_tokens<Shape, Pass>;
    const size_t bytes = tile_bytes<Shape, Pass>(exec, kernel, name);
    const int64_t tiles = tokens * pass.kv_heads() * parts_of_token<Shape>(pass);
    const int64_t rows = tokens * pass.kv_heads() * pass.group();
    const bool by_spans = tiles < multiprocessors(exec) && most_keys > kPanelRows;
    const int spans = by_spans ? kMostSpans : 1;
    const Room parts(exec, by_spans ? static_cast<size_t>(rows * kMostSpans * (pass.dim() + 2)) * sizeof(float) : 0, name);
    if (by_spans && !parts) return;
    pass.parts = parts.as<float>();
    kernel<<<blocks_for(tiles * spans, 1), Shape::kThreads, bytes, stream_of(exec)>>>(pass, tokens, spans);
    launched(exec, name);
    if (!by_spans) return;
    merge_spans<<<blocks_for(rows, 1), kMergeThreads, 0, stream_of(exec)>>>(pass, tokens);
    launched(exec, name);
  });
}

}  // namespace tern::cuda
