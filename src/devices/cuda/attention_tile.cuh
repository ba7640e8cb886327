// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention, for tensors and for pages. One arithmetic for every query, whatever tile it is in and
// whoever shares it:
//
//   products  on tensor cores, of numbers split in two f16 each (attention_split.cuh), or of one where keys and values
//             are f16 as they are; of the four products of halves the smallest is left out. Sums are f32;
//   panel     64 keys from a multiple of 64 on: s_j, over slices of the columns; their maximum; p_j = exp(s_j -
//   maximum);
//             Σ p_j, and Σ p_j·v_j from nothing, p_j scaled as a row of split numbers is;
//   merge     panels in ascending order: total · exp(its maximum - maximum of both) + panel · exp(...).
//
// So a query's bits depend on what it sees alone. A tile is some queries of one key head, token by token and, within a
// token, head by head of its group. A warp has 16 rows of a wide tile, all columns, and goes through all panels; where
// the GPU can, four warps multiply as a group. The warps of a narrow tile share 16 rows: each scores some of a panel's
// keys and then adds up some of the columns; and several blocks, a cluster, can share the panels, whose sums they merge
// out of each other's shared memory.
//
// What is not finite, and is not seen, must not meet a row's sums even with a weight of 0; and of an infinity there are
// no halves. Such numbers are rare: a tile whose results are not all finite is done again, with care, by functions of
// their own.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "devices/cuda/attention_feed.cuh"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/numbers.cuh"
#include "devices/cuda/rotation.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {

// The queries of one sequence; the last of them sees all keys.
struct AttentionQueries {
  int64_t heads, tokens, keys, dim;
  Divisor group;
  float scale;
  bool in_quads;           // q, cos and sin can be read four at a time
  const float* q;          // [tokens, heads, dim]
  const float *cos, *sin;  // of the first token, [*, dim/2]; null: q is rotated
  float *out, *lse;        // [tokens, heads, dim]; [heads, tokens] or null
};

// A tile's first row, by its number within the sequence, and its first head. Without a sequence: nothing to do.
template <class Keys>
struct AttentionTask {
  AttentionQueries queries;
  Keys keys;
  int64_t row = 0, first_head = 0;
  bool valid = false;
};

struct TileRow {
  int token, head;
};

// Where a query is, and the angles of its position.
struct QueryPlace {
  const float *x, *cos, *sin;
};

__device__ inline int64_t offset_of(const AttentionQueries& queries, const TileRow& row) {
  return (row.token * queries.heads + row.head) * queries.dim;
}

__device__ inline QueryPlace place_of(const AttentionQueries& queries, const TileRow& row) {
  const int64_t turn = row.token * (queries.dim / 2);
  return {queries.q + offset_of(queries, row), queries.cos ? queries.cos + turn : nullptr,
          queries.cos ? queries.sin + turn : nullptr};
}

// Elements [column, column + 4) of a query, column a multiple of 4 below dim; 0 beyond.
__device__ inline float4 query_elements(const QueryPlace& place, int dim, int column) {
  const auto at = [&](int i) {
    if (i >= dim) return 0.0f;
    return place.cos ? rotated_element(place.x, place.cos, place.sin, dim, i) : place.x[i];
  };
  return {at(column), at(column + 1), at(column + 2), at(column + 3)};
}

__device__ inline float4 query_quad(const AttentionQueries& queries, const QueryPlace& place, int column) {
  const int dim = static_cast<int>(queries.dim), half = dim / 2;
  if (!queries.in_quads) return query_elements(place, dim, column);
  const auto quad = [](const float* x) { return *reinterpret_cast<const float4*>(x); };
  if (!place.cos) return quad(place.x + column);
  const int i = column < half ? column : column - half;
  const float4 low = quad(place.x + i), high = quad(place.x + half + i);
  const float4 c = quad(place.cos + i), s = quad(place.sin + i);
  if (column < half) {
    return {low.x * c.x - high.x * s.x, low.y * c.y - high.y * s.y, low.z * c.z - high.z * s.z,
            low.w * c.w - high.w * s.w};
  }
  return {high.x * c.x + low.x * s.x, high.y * c.y + low.y * s.y, high.z * c.z + low.z * s.z,
          high.w * c.w + low.w * s.w};
}

// A score by the definition: for what tensor cores make nothing of.
template <class Keys>
__device__ __noinline__ float exact_score(const AttentionTask<Keys>& task, const TileRow& row, int key) {
  const auto place = task.keys.place(key);
  const QueryPlace query = place_of(task.queries, row);
  float sum = 0.0f;
  for (int column = 0; column < task.keys.dim(); column += 4) {
    sum = chain_dot(query_quad(task.queries, query, column), task.keys.quad(place, false, column), sum);
  }
  return sum * task.queries.scale;
}

// A running softmax: Σ exp(s - maximum), in which nothing but -inf so far counts as 0.
struct SoftmaxSum {
  float maximum = -INFINITY, sum = 0.0f;
};

// What exponents are taken from, so that -inf has none.
__device__ inline float origin_of(float maximum) { return maximum == -INFINITY ? 0.0f : maximum; }

// e^x for x up to 0, up to 2^-22 of the greatest, 1; e^0 is 1.
__device__ __forceinline__ float exponential(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x * 1.44269504f));
  return power;
}

// What a panel gives: its values' sums are to be multiplied with `unit`.
struct PanelSum {
  float maximum, sum, unit;
};

// Factors of a total and of the panel that joins it.
struct MergeStep {
  float kept, added;
};

__device__ inline MergeStep merge_step(float before, float panel, float both) {
  const float origin = origin_of(both);
  return {exponential(before - origin), exponential(panel - origin)};
}

__device__ inline float merged(float total, float kept, float panel, float added) {
  return fmaf(panel, added, total * kept);
}

template <int kWarpsOfBlock, int kSliceColumns, bool kWarpsShareRows, bool kAllInOneSlice>
struct TileShape {
  static constexpr int kWarps = kWarpsOfBlock, kThreads = kWarps * kWarp, kSlice = kSliceColumns;
  static constexpr bool kShared = kWarpsShareRows, kOneSlice = kAllInOneSlice;
  static constexpr int kRowsOfWarp = 16, kRows = kShared ? kRowsOfWarp : kRowsOfWarp * kWarps;
  // Eights of keys that a warp scores and of columns that it adds up.
  static constexpr int kKeyEights = kPanelRows / 8 / (kShared ? kWarps : 1);
  static constexpr int kColumnEights = kSlice / 8 / (kShared ? kWarps : 1);
  static constexpr bool kByGroups = TERN_GROUP_PRODUCTS && !kShared;
  static constexpr int kEightsAtOnce = kByGroups ? kBlockColumns / 8 : std::min(4, kColumnEights);
  static constexpr int kColumnUnroll = kShared ? 8 : 4;
  static constexpr int kScoreRow = kPanelRows + 8;  // floats, which keeps rows in different banks

  static_assert((kKeyEights % 2 == 0 || kKeyEights == 1) && kEightsAtOnce % 2 == 0 &&
                kColumnEights % kEightsAtOnce == 0);
};

template <class Shape, class Keys>
using FeedOf = std::conditional_t<
    Keys::kHalves, CopyFeed<Keys, Shape::kSlice, Shape::kThreads, !Shape::kShared>,
    std::conditional_t<Keys::kPacked, PackedFeed<Keys, Shape::kSlice, Shape::kThreads, !Shape::kShared>,
                       SplitFeed<Keys, Shape::kSlice, Shape::kThreads, !Shape::kShared>>>;

template <class Shape, class Keys>
struct TileMemory {
  alignas(1024) __half queries[2][Shape::kRows * Shape::kSlice];
  typename FeedOf<Shape, Keys>::Memory panel;
  float query_units[Shape::kRows];
  float maximums[Shape::kRows];  // of scores, where others than those that found them need them
  TileRow rows[Shape::kRows];
  AttentionTask<Keys> task;
  alignas(16) float scores[Shape::kShared ? Shape::kRows * Shape::kScoreRow : 1];
};

// Panels that each block of a cluster keeps before all are merged, and the most blocks of one.
constexpr int kHeldPanels = 8, kMostCluster = 8;

// What blocks of a cluster read of each other, behind TileMemory: the sums of kHeldPanels panels for `rows` rows each.
template <class Shape>
struct alignas(16) ClusterMemory {
  struct alignas(16) Step {
    float kept, added, values_added, sum;
  };

  int not_finite;
  PanelSum ends[kHeldPanels][Shape::kRows];

  static constexpr size_t bytes(int64_t rows) {
    return sizeof(ClusterMemory) + static_cast<size_t>(rows) * (kHeldPanels * kMostCluster * sizeof(Step) +
                                                                kHeldPanels * Shape::kSlice * sizeof(float));
  }
  __device__ Step* steps() { return reinterpret_cast<Step*>(this + 1); }
  __device__ float* values(int rows) { return reinterpret_cast<float*>(steps() + kHeldPanels * kMostCluster * rows); }
};

// Puts a slice of the tile's queries in place.
template <class Shape, class Keys>
__device__ void take_queries(TileMemory<Shape, Keys>& memory, int slice, int rows) {
  constexpr int kAtOnce = std::min(Shape::kRows, 2 * Shape::kThreads / 8);
  const AttentionQueries& queries = memory.task.queries;
  const int dim = static_cast<int>(queries.dim);
#pragma unroll 1
  for (int first = 0; first < Shape::kRows; first += kAtOnce) {
    SplitRows<kAtOnce, Shape::kSlice, Shape::kThreads> split;
    split.load([&](int r) { return place_of(queries, memory.rows[first + r]); },
               [&](const QueryPlace& place, int r, int at) {
                 const int column = slice * Shape::kSlice + at;
                 return first + r < rows && column < dim ? query_quad(queries, place, column) : float4{0, 0, 0, 0};
               });
    split.template store<Shape::kRows>(first, memory.queries[0], memory.queries[1], memory.query_units);
  }
}

// What is rare is no part of the kernels' own code, which it would cost registers.
template <class Shape, class Keys>
__device__ __noinline__ void take_slice(TileMemory<Shape, Keys>& memory, int slice, int rows) {
  take_queries(memory, slice, rows);
}
template <class Shape, class Keys>
__device__ __noinline__ void attend_with_care(TileMemory<Shape, Keys>& memory, int first_column);
template <class Shape, class Keys>
__device__ __noinline__ void attend_in_cluster_with_care(TileMemory<Shape, Keys>& memory, int first_column,
                                                         ClusterMemory<Shape>& shared, int rank, int shift);

// Keys: where the keys and values of one key head are (attention_feed.cuh).
template <class Shape, class Keys>
class AttentionTile {
 public:
  using Memory = TileMemory<Shape, Keys>;
  using Feed = FeedOf<Shape, Keys>;

  // The task in memory, and of its results the columns from first_column on.
  __device__ AttentionTile(Memory& memory, int first_column)
      : memory_(memory), task_(memory.task), first_column_(first_column), dim_(static_cast<int>(task_.queries.dim)) {
    const AttentionQueries& queries = task_.queries;
    rows_ = static_cast<int>(min(int64_t{Shape::kRows}, queries.tokens * queries.group.divisor() - task_.row));
    if (thread() < Shape::kRows) place_row(thread());
    __syncthreads();
    for (int i = 0; i < 2; ++i) seen_[i] = keys_seen(row(i));
    most_keys_ = keys_seen(rows_ - 1);
    // Rows that the tile lacks are the last. Warps of a group go together.
    const int group_row = Shape::kShared ? 0 : warp() / kGroupWarps * kGroupRows;
    most_of_group_ = group_row < rows_ ? keys_seen(min(group_row + kGroupRows, rows_) - 1) : 0;
    least_of_warp_ = warp_row() + Shape::kRowsOfWarp <= rows_ ? keys_seen(warp_row()) : 0;
    slices_ = max(1, static_cast<int>(ceil_div(dim_, Shape::kSlice)));
  }

  __device__ int panels() const { return static_cast<int>(ceil_div(most_keys_, kPanelRows)); }

  // Keys that were stored before this pass.
  __device__ int64_t old_keys() const { return task_.queries.keys - task_.queries.tokens; }

  // All panels by this block. start(feed, panel) starts its feed, at a panel or at none.
  template <class Start>
  __device__ void attend(const Start& start) {
    if (run_alone<false>(start)) {
      write();
    } else {
      attend_with_care(memory_, first_column_);
    }
  }
  __device__ void attend_again() {
    run_alone<true>(StartAtOnce());
    write();
    keep_maximums();
    __syncthreads();
    add_what_is_not_finite();
  }

  // By a cluster of 2^shift blocks, this one `rank`, of which each has room for the tile's rows.
  template <class Start>
  __device__ void attend_in_cluster(ClusterMemory<Shape>& shared, int rank, int shift, const Start& start) {
    if (thread() == 0) shared.not_finite = 0;
    Shares shares = {shared, rank, shift};
    if (!run_in_cluster<false>(shares, start)) attend_in_cluster_with_care(memory_, first_column_, shared, rank, shift);
  }
  __device__ void attend_in_cluster_again(ClusterMemory<Shape>& shared, int rank, int shift) {
    Shares shares = {shared, rank, shift};
    run_in_cluster<true>(shares, StartAtOnce());
    if (rank == 0) add_what_is_not_finite();
  }

 private:
  // What a thread of a cluster adds up: every so-many-th of the tile's results.
  struct Shares {
    static constexpr int kMost = Shape::kRows * Shape::kSlice / (2 * Shape::kThreads);

    ClusterMemory<Shape>& memory;
    int rank, shift;
    float total[kMost], sum[kMost];

    __device__ int at(int i) const { return ((i << shift) + rank) * Shape::kThreads + static_cast<int>(threadIdx.x); }
    __device__ int rank_of(int panel) const { return panel & ((1 << shift) - 1); }
    __device__ static int row(int at) { return at / Shape::kSlice; }
    __device__ static int column(int at) { return at % Shape::kSlice; }
  };

  __device__ static int thread() { return static_cast<int>(threadIdx.x); }
  __device__ static int lane() { return thread() % kWarp; }
  __device__ static int warp() { return thread() / kWarp; }
  __device__ static int warp_row() { return Shape::kShared ? 0 : warp() * Shape::kRowsOfWarp; }
  // The lane's two rows of sums, and the columns of an eight: 2·(lane % 4) and the next.
  __device__ static int row(int i) { return warp_row() + lane() / 4 + 8 * i; }
  __device__ static int pair() { return lane() % 4 * 2; }
  __device__ static int first_key_eight() { return Shape::kShared ? warp() * Shape::kKeyEights : 0; }
  __device__ static int first_column_eight() { return Shape::kShared ? warp() * Shape::kColumnEights : 0; }

  __device__ void place_row(int r) {
    const Divisor& group = task_.queries.group;
    const int64_t row = task_.row + min(r, rows_ - 1), token = group.quotient(row);
    memory_.rows[r] = {static_cast<int>(token), static_cast<int>(task_.first_head + row - token * group.divisor())};
  }
  __device__ int keys_seen(int r) const {
    const AttentionQueries& queries = task_.queries;
    return r < rows_ ? static_cast<int>(queries.keys - queries.tokens + memory_.rows[r].token + 1) : 0;
  }

  // Panels begin, begin + step … below end. For each, keep.begin(ends), keep.take(e, sums) for the warp's eights of
  // columns, and keep.end().
  template <bool kCareful, class Keep, class Start>
  __device__ void run(int begin, int end, int step, Keep& keep, const Start& start) {
    Feed feed(memory_.panel, task_.keys, {most_keys_, slices_, first_column_});
    start(feed, begin < end ? begin : kNoPanel);
    if (begin >= end) return;
    if constexpr (Shape::kOneSlice) take_queries(memory_, 0, rows_);
#pragma unroll 1
    for (int panel = begin; panel < end; panel += step) {
      float scores[kPanelRows / 8][4];
      float(&scored)[Shape::kKeyEights][4] = reinterpret_cast<float(&)[Shape::kKeyEights][4]>(scores);
      const bool has_work = panel * kPanelRows < most_of_group_;
      const int next = panel + step < end ? panel + step : kNoPanel;
      for (int slice = 0; slice < (Shape::kOneSlice ? 1 : slices_); ++slice) {
        if constexpr (!Shape::kOneSlice) {
          __syncthreads();
          take_slice(memory_, slice, rows_);
        }
        feed.take_keys(slice, next);
        if (has_work) score<kCareful>(!Shape::kOneSlice && slice > 0, scored);
      }
      PanelSum ends[2];
      const auto weigh = [&] {
        hide(panel, scores);
        if constexpr (kCareful) correct(panel, scores);
        exponentiate(scores, ends);
      };
      if constexpr (Shape::kShared) {
        store_scores(scored);
      } else {
        if (has_work) weigh();
      }
      feed.take_values(next);
      if constexpr (kCareful) drop_what_is_not_finite();
      if (!has_work) continue;
      if constexpr (Shape::kShared) {
        load_scores(scores);
        weigh();
      }
      add_values<kCareful>(scores, ends, keep);
      keep.end();
    }
  }

  // Adds the products of a slice to scores of this warp's eights of keys, or begins with them.
  template <bool kCareful>
  __device__ void score(bool go_on, float (&scores)[Shape::kKeyEights][4]) const {
    constexpr int kEights = Shape::kKeyEights;
    float high[kEights][4] = {}, low[kEights][4] = {};
    if constexpr (Shape::kByGroups && !kCareful) {
      score_by_groups(reinterpret_cast<float(&)[kEights * 4]>(high), reinterpret_cast<float(&)[kEights * 4]>(low));
    } else {
      score_by_warps(high, low);
    }
    const float units[2] = {memory_.query_units[row(0)] * task_.queries.scale,
                            memory_.query_units[row(1)] * task_.queries.scale};
#pragma unroll
    for (int e = 0; e < kEights; ++e) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float sum = (high[e][i] + low[e][i]) * units[i / 2];
        if constexpr (Feed::kSplit) sum *= memory_.panel.units[0][(first_key_eight() + e) * 8 + pair() + i % 2];
        scores[e][i] = go_on ? scores[e][i] + sum : sum;
      }
    }
  }

  __device__ void score_by_warps(float (&high)[Shape::kKeyEights][4], float (&low)[Shape::kKeyEights][4]) const {
    constexpr int kEights = Shape::kKeyEights;
    const int query = swizzled<Shape::kRows>(warp_row() + lane() % 16, lane() / 16 * 8);
    const int key = swizzled<kPanelRows>(first_key_eight() * 8 + lane() / 16 * 8 + lane() % 8, lane() / 8 % 2 * 8);
    // Of one eight, what two steps need is in one place.
    const int two_steps = swizzled<kPanelRows>(first_key_eight() * 8 + lane() % 8, lane() / 8 * 8);
    uint32_t keys[4], low_keys[4];
#pragma unroll Shape::kColumnUnroll
    for (int column = 0; column < Shape::kSlice; column += 16) {
      uint32_t query_high[4], query_low[4];
      load_matrices(query_high, memory_.queries[0] + columns_further<Shape::kRows>(query, column));
      load_matrices(query_low, memory_.queries[1] + columns_further<Shape::kRows>(query, column));
      if constexpr (kEights == 1) {
        const int odd = column / 16 % 2 * 2;
        if (odd == 0) {
          load_matrices(keys, memory_.panel.rows[0] + columns_further<kPanelRows>(two_steps, column));
          if constexpr (Feed::kSplit)
            load_matrices(low_keys, memory_.panel.rows[1] + columns_further<kPanelRows>(two_steps, column));
        }
        add_half_products(high[0], query_high, keys[odd], keys[odd + 1]);
        add_half_products(low[0], query_low, keys[odd], keys[odd + 1]);
        if constexpr (Feed::kSplit) add_half_products(low[0], query_high, low_keys[odd], low_keys[odd + 1]);
      } else {
#pragma unroll
        for (int e = 0; e < kEights; e += 2) {
          const int from = columns_further<kPanelRows>(key, column) + e * 8 * kBlockColumns;
          load_matrices(keys, memory_.panel.rows[0] + from);
          add_half_products(high[e], query_high, keys[0], keys[1]);
          add_half_products(high[e + 1], query_high, keys[2], keys[3]);
          add_half_products(low[e], query_low, keys[0], keys[1]);
          add_half_products(low[e + 1], query_low, keys[2], keys[3]);
          if constexpr (Feed::kSplit) {
            load_matrices(low_keys, memory_.panel.rows[1] + from);
            add_half_products(low[e], query_high, low_keys[0], low_keys[1]);
            add_half_products(low[e + 1], query_high, low_keys[2], low_keys[3]);
          }
        }
      }
    }
  }

  // An operand of a group: halves from its row `row` on of kRows.
  __device__ static uint64_t operand(const __half* halves, int row = 0) {
    return operand_in_shared(static_cast<uint32_t>(__cvta_generic_to_shared(halves + row * kBlockColumns)));
  }
  // Added to an operand of kRows rows: so many columns.
  template <int kRows>
  __device__ static constexpr uint64_t columns(int count) {
    return count % kBlockColumns / kProductDepth * kColumnsStep +
           uint64_t{count / kBlockColumns * kRows * kBlockColumns * sizeof(__half) / 16};
  }

  __device__ void score_by_groups(float (&high)[kPanelRows / 2], float (&low)[kPanelRows / 2]) const {
#if TERN_GROUP_PRODUCTS
    const int group_row = static_cast<int>(group_of_thread()) * kGroupRows;
    const uint64_t query_high = operand(memory_.queries[0], group_row),
                   query_low = operand(memory_.queries[1], group_row);
    const uint64_t keys = operand(memory_.panel.rows[0]), low_keys = operand(memory_.panel.rows[1]);
    fence_registers();
#pragma unroll
    for (int column = 0; column < Shape::kSlice; column += kProductDepth) {
      const uint64_t further = columns<Shape::kRows>(column), keys_further = columns<kPanelRows>(column);
      add_half_rows(high, query_high + further, keys + keys_further, column > 0);
      add_half_rows(low, query_low + further, keys + keys_further, column > 0);
      if constexpr (Feed::kSplit) add_half_rows(low, query_high + further, low_keys + keys_further, true);
    }
    end_batch();
    wait_for_products<0>();
    settle(high);
    settle(low);
#endif
  }

  __device__ float* score_at(int eight, int i) const {
    return memory_.scores + row(i) * Shape::kScoreRow + eight * 8 + pair();
  }
  __device__ void store_scores(const float (&scored)[Shape::kKeyEights][4]) {
#pragma unroll
    for (int e = 0; e < Shape::kKeyEights; ++e) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        *reinterpret_cast<float2*>(score_at(first_key_eight() + e, i)) = {scored[e][2 * i], scored[e][2 * i + 1]};
      }
    }
  }
  __device__ void load_scores(float (&scores)[kPanelRows / 8][4]) const {
#pragma unroll
    for (int e = 0; e < kPanelRows / 8; ++e) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float2 two = *reinterpret_cast<const float2*>(score_at(e, i));
        scores[e][2 * i] = two.x;
        scores[e][2 * i + 1] = two.y;
      }
    }
  }

  // Scores of keys that their rows do not see become -inf.
  __device__ void hide(int panel, float (&scores)[kPanelRows / 8][4]) const {
    const int first = panel * kPanelRows;
    if (first + kPanelRows <= least_of_warp_) return;
#pragma unroll
    for (int e = 0; e < kPanelRows / 8; ++e) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        if (first + e * 8 + pair() + i % 2 >= seen_[i / 2]) scores[e][i] = -INFINITY;
      }
    }
  }

  // NaNs become what they are by the definition.
  __device__ void correct(int panel, float (&scores)[kPanelRows / 8][4]) const {
    float wrong[kPanelRows / 8 * 4];
#pragma unroll
    for (int n = 0; n < kPanelRows / 2; ++n) wrong[n] = scores[n / 4][n % 4];
#pragma unroll 1
    for (int n = 0; n < kPanelRows / 2; ++n) {
      if (!isnan(wrong[n])) continue;
      const int key = panel * kPanelRows + n / 4 * 8 + pair() + n % 2;
      wrong[n] = exact_score(task_, memory_.rows[row(n / 2 % 2)], key);
    }
#pragma unroll
    for (int n = 0; n < kPanelRows / 2; ++n) scores[n / 4][n % 4] = wrong[n];
  }

  __device__ void exponentiate(float (&scores)[kPanelRows / 8][4], PanelSum (&ends)[2]) const {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      float most = -INFINITY, sum = 0.0f;
      if (Shape::kShared && 8 * i >= rows_) {
#pragma unroll
        for (int e = 0; e < kPanelRows / 8; ++e) scores[e][2 * i] = scores[e][2 * i + 1] = 0.0f;
        ends[i] = {most, sum, 1.0f};
        continue;
      }
#pragma unroll
      for (int e = 0; e < kPanelRows / 8; ++e) most = fmaxf(most, fmaxf(scores[e][2 * i], scores[e][2 * i + 1]));
      most = max_of_lanes<4>(most);
      const float origin = origin_of(most);
#pragma unroll
      for (int e = 0; e < kPanelRows / 8; ++e) {
#pragma unroll
        for (int j = 2 * i; j < 2 * i + 2; ++j) {
          scores[e][j] = exponential(scores[e][j] - origin);
          sum += scores[e][j];
        }
      }
      ends[i] = {most, sum_of_lanes<4>(sum), 1.0f};
    }
  }

  // Weights · values, for this warp's columns.
  template <bool kCareful, class Keep>
  __device__ void add_values(float (&weights)[kPanelRows / 8][4], PanelSum (&ends)[2], Keep& keep) const {
    uint32_t high[kPanelRows / 8][2], low[kPanelRows / 8][2];
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      PowerOfTwo scale = {power_of_two(kExponentOfOne + kGreatestExponent),
                          power_of_two(kExponentOfOne - kGreatestExponent)};  // for weights of which the greatest is 1
      if constexpr (Feed::kSplit) {
        float most = 0.0f;
#pragma unroll
        for (int e = 0; e < kPanelRows / 8; ++e) {
          const float2 units =
              *reinterpret_cast<const float2*>(memory_.panel.units[Feed::kValueUnits] + e * 8 + pair());
          weights[e][2 * i] *= units.x;
          weights[e][2 * i + 1] *= units.y;
          most = fmaxf(most, fmaxf(weights[e][2 * i], weights[e][2 * i + 1]));
        }
        scale = scale_of(max_of_lanes<4>(most));
      }
      ends[i].unit = scale.inverse;
#pragma unroll
      for (int e = 0; e < kPanelRows / 8; ++e) {
        const HalfPairs halves = split(weights[e][2 * i] * scale.factor, weights[e][2 * i + 1] * scale.factor);
        high[e][i] = halves.high;
        low[e][i] = halves.low;
      }
    }
    keep.begin(ends);
    add_halves<kCareful>(high, low, keep);
  }

  template <bool kCareful, class Keep>
  __device__ void add_halves(const uint32_t (&weights_high)[kPanelRows / 8][2],
                             const uint32_t (&weights_low)[kPanelRows / 8][2], Keep& keep) const {
    constexpr int kAtOnce = Shape::kEightsAtOnce;
#pragma unroll
    for (int first = 0; first < Shape::kColumnEights; first += kAtOnce) {
      float high[kAtOnce][4] = {}, low[kAtOnce][4] = {};
      if constexpr (Shape::kByGroups && !kCareful) {
        add_by_groups(weights_high, weights_low, first * 8, reinterpret_cast<float(&)[kAtOnce * 4]>(high),
                      reinterpret_cast<float(&)[kAtOnce * 4]>(low));
      } else {
        add_by_warps(weights_high, weights_low, first, high, low);
      }
#pragma unroll
      for (int e = 0; e < kAtOnce; ++e) {
#pragma unroll
        for (int i = 0; i < 4; ++i) high[e][i] += low[e][i];
        keep.take(first + e, high[e]);
      }
    }
  }

  __device__ static void weights_of(const uint32_t (&weights)[kPanelRows / 8][2], int key, uint32_t (&a)[4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) a[i] = weights[key / 8 + i / 2][i % 2];
  }

  template <int kAtOnce>
  __device__ void add_by_warps(const uint32_t (&weights_high)[kPanelRows / 8][2],
                               const uint32_t (&weights_low)[kPanelRows / 8][2], int first, float (&high)[kAtOnce][4],
                               float (&low)[kAtOnce][4]) const {
    const int column = swizzled<kPanelRows>(lane() % 16, first_column_eight() * 8 + lane() / 16 * 8);
    const __half* const values = memory_.panel.rows[Feed::kValues];
#pragma unroll
    for (int key = 0; key < kPanelRows; key += 16) {
      uint32_t of_high[4], of_low[4];
      weights_of(weights_high, key, of_high);
      weights_of(weights_low, key, of_low);
#pragma unroll
      for (int e = 0; e < kAtOnce; e += 2) {
        uint32_t two[4];
        const int from = columns_further<kPanelRows>(column, (first + e) * 8) + key * kBlockColumns;
        load_turned_matrices(two, values + from);
        add_half_products(high[e], of_high, two[0], two[1]);
        add_half_products(high[e + 1], of_high, two[2], two[3]);
        add_half_products(low[e], of_low, two[0], two[1]);
        add_half_products(low[e + 1], of_low, two[2], two[3]);
        if constexpr (Feed::kSplit) {
          load_turned_matrices(two, memory_.panel.rows[Feed::kValues + 1] + from);
          add_half_products(low[e], of_high, two[0], two[1]);
          add_half_products(low[e + 1], of_high, two[2], two[3]);
        }
      }
    }
  }

  template <int kSums>
  __device__ void add_by_groups(const uint32_t (&weights_high)[kPanelRows / 8][2],
                                const uint32_t (&weights_low)[kPanelRows / 8][2], int column, float (&high)[kSums],
                                float (&low)[kSums]) const {
#if TERN_GROUP_PRODUCTS
    const uint64_t values = operand(memory_.panel.rows[Feed::kValues]) + columns<kPanelRows>(column);
    const uint64_t low_values =
        operand(memory_.panel.rows[Feed::kSplit ? Feed::kValues + 1 : 0]) + columns<kPanelRows>(column);
    uint32_t of_high[kPanelRows / 16][4], of_low[kPanelRows / 16][4];
#pragma unroll
    for (int step = 0; step < kPanelRows / 16; ++step) {
      weights_of(weights_high, step * 16, of_high[step]);
      weights_of(weights_low, step * 16, of_low[step]);
      settle(of_high[step]);
      settle(of_low[step]);
    }
    fence_registers();
#pragma unroll
    for (int step = 0; step < kPanelRows / 16; ++step) {
      add_weighted_half_rows(high, of_high[step], values + step * kRowsStep, step > 0);
      add_weighted_half_rows(low, of_low[step], values + step * kRowsStep, step > 0);
      if constexpr (Feed::kSplit) add_weighted_half_rows(low, of_high[step], low_values + step * kRowsStep, true);
    }
    end_batch();
    wait_for_products<0>();
    settle(high);
    settle(low);
#endif
  }

  // Merges panels into the totals.
  struct Merge {
    AttentionTile& tile;
    float kept[2], added[2];

    __device__ void begin(const PanelSum (&ends)[2]) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        SoftmaxSum& total = tile.total_[i];
        const float most = fmaxf(total.maximum, ends[i].maximum);
        const MergeStep step = merge_step(total.maximum, ends[i].maximum, most);
        total = {most, merged(total.sum, step.kept, ends[i].sum, step.added)};
        kept[i] = step.kept;
        added[i] = step.added * ends[i].unit;
      }
    }
    __device__ void take(int e, const float (&sums)[4]) {
#pragma unroll
      for (int j = 0; j < 4; ++j) tile.totals_[e][j] = merged(tile.totals_[e][j], kept[j / 2], sums[j], added[j / 2]);
    }
    __device__ void end() {}
  };

  // Whether all results are finite.
  template <bool kCareful, class Start>
  __device__ bool run_alone(const Start& start) {
    for (int i = 0; i < 2; ++i) total_[i] = {};
#pragma unroll
    for (int e = 0; e < Shape::kColumnEights; ++e) {
#pragma unroll
      for (int j = 0; j < 4; ++j) totals_[e][j] = 0.0f;
    }
    Merge merge = {*this, {}, {}};
    run<kCareful>(0, panels(), 1, merge, start);
    return __syncthreads_and(divide());
  }

  // Totals to results, in place. Whether all are finite.
  __device__ bool divide() {
    const float inverse[2] = {1.0f / total_[0].sum, 1.0f / total_[1].sum};
    float greatest = 0.0f;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      if (row(i) >= rows_) continue;
#pragma unroll
      for (int e = 0; e < Shape::kColumnEights; ++e) {
#pragma unroll
        for (int j = 2 * i; j < 2 * i + 2; ++j) {
          totals_[e][j] *= inverse[i];
          greatest = greatest_or_nan(greatest, totals_[e][j]);
        }
      }
    }
    return greatest < INFINITY;
  }

  __device__ float* result(int r, int column) const {
    return task_.queries.out + offset_of(task_.queries, memory_.rows[r]) + column;
  }

  __device__ void write() const {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      if (row(i) >= rows_) continue;
      float* const to = result(row(i), 0);
#pragma unroll
      for (int e = 0; e < Shape::kColumnEights; ++e) {
        const int column = first_column_ + (first_column_eight() + e) * 8 + pair();
        if (column < dim_) to[column] = totals_[e][2 * i];
        if (column + 1 < dim_) to[column + 1] = totals_[e][2 * i + 1];
      }
    }
    if (!task_.queries.lse || first_column_ != 0 || lane() % 4 != 0) return;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      if (row(i) >= rows_) continue;
      const TileRow& to = memory_.rows[row(i)];
      const SoftmaxSum& total = total_[i];
      task_.queries.lse[to.head * task_.queries.tokens + to.token] =
          total.sum == 0.0f ? NAN : total.maximum + logf(total.sum);
    }
  }

  __device__ void keep_maximums() {
    if (lane() % 4 != 0) return;
    for (int i = 0; i < 2; ++i) memory_.maximums[row(i)] = total_[i].maximum;
  }

  // Numbers of the panel that are not finite become 0: add_what_is_not_finite() adds them.
  __device__ void drop_what_is_not_finite() {
    uint16_t* const bits = reinterpret_cast<uint16_t*>(memory_.panel.rows[Feed::kValues]);
    for (int i = thread(); i < (Feed::kSplit ? 2 : 1) * Shape::kSlice * kPanelRows; i += Shape::kThreads) {
      if ((bits[i] & 0x7c00) == 0x7c00) bits[i] = 0;
    }
    if constexpr (!Shape::kShared) publish();
    __syncthreads();
  }

  // Each thread has columns of its own.
  __device__ void add_what_is_not_finite() {
    for (int column = first_column_ + thread(); column < min(first_column_ + Shape::kSlice, dim_);
         column += Shape::kThreads) {
      for (int key = 0; key < most_keys_; ++key) {
        const float4 quad = task_.keys.quad(task_.keys.place(key), true, column / 4 * 4);
        const float of_quad[4] = {quad.x, quad.y, quad.z, quad.w}, value = of_quad[column % 4];
        if (!isfinite(value)) add_value(column, key, value);
      }
    }
  }
  __device__ void add_value(int column, int key, float value) {
    for (int r = 0; r < rows_; ++r) {
      float* const to = result(r, column);
      if (keys_seen(r) <= key || isnan(*to)) continue;
      *to += exponential(exact_score(task_, memory_.rows[r], key) - origin_of(memory_.maximums[r])) * value;
    }
  }

  // Writes this block's results. Whether all of the cluster are finite.
  template <bool kCareful, class Start>
  __device__ bool run_in_cluster(Shares& shares, const Start& start) {
    ClusterMemory<Shape>& memory = shares.memory;
    if (thread() < Shape::kRows) memory_.maximums[thread()] = -INFINITY;
#pragma unroll
    for (int i = 0; i < Shares::kMost; ++i) shares.total[i] = shares.sum[i] = 0.0f;
    const int size = 1 << shares.shift, round = size * kHeldPanels;
    for (int first = 0; first < panels(); first += round) {
      const int end = min(first + round, panels());
      Hold hold = {*this, memory, memory.values(rows_)};
      run<kCareful>(first + shares.rank, end, size, hold, start);
      sync_cluster();
      merge_round(shares, end - first);
      if (end == panels()) {
        if (!divide(shares)) {
          for (int rank = 0; rank < size; ++rank) *in_cluster(&memory.not_finite, rank) = 1;
        }
        write_shares(shares);
      }
      sync_cluster();
    }
    return memory.not_finite == 0;
  }

  // Keeps panels for the cluster.
  struct Hold {
    AttentionTile& tile;
    ClusterMemory<Shape>& memory;
    float* values;
    int held = 0;

    __device__ void begin(const PanelSum (&ends)[2]) {
      if (warp() != 0 || lane() % 4 != 0) return;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (row(i) < tile.rows_) memory.ends[held][row(i)] = ends[i];
      }
    }
    __device__ void take(int e, const float (&sums)[4]) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        if (row(i) >= tile.rows_) continue;
        float* const to = values + row(i) * Shape::kSlice + (first_column_eight() + e) * 8 + pair();
        *reinterpret_cast<float2*>(to) = {sums[2 * i], sums[2 * i + 1]};
      }
    }
    __device__ void end() {
      ++held;
      values += tile.rows_ * Shape::kSlice;
    }
  };

  // Merges panels 0 … count - 1 of a round: the first of each block, in the order of their ranks, then the second ….
  __device__ void merge_round(Shares& shares, int count) {
    using Step = typename ClusterMemory<Shape>::Step;
    ClusterMemory<Shape>& memory = shares.memory;
    for (int r = warp(); r < rows_; r += Shape::kWarps) {
      float before = memory_.maximums[r];
      for (int first = 0; first < count; first += kWarp) {
        const int panel = first + lane();
        PanelSum end = {-INFINITY, 0.0f, 1.0f};
        if (panel < count) end = in_cluster(&memory, shares.rank_of(panel))->ends[panel >> shares.shift][r];
        float most = fmaxf(before, end.maximum);
#pragma unroll
        for (int distance = 1; distance < kWarp; distance *= 2) {
          most = fmaxf(most, __shfl_up_sync(kAllLanes, most, distance));
        }
        const float previous = __shfl_up_sync(kAllLanes, most, 1);
        const MergeStep step = merge_step(lane() == 0 ? before : previous, end.maximum, most);
        if (panel < count) {
          memory.steps()[panel * rows_ + r] = Step{step.kept, step.added, step.added * end.unit, end.sum};
        }
        before = __shfl_sync(kAllLanes, most, kWarp - 1);
      }
      __syncwarp();  // all lanes have read what was there
      if (lane() == 0) memory_.maximums[r] = before;
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < Shares::kMost; ++i) {
      const int at = shares.at(i);
      if (at >= rows_ * Shape::kSlice) break;
      const Step* const steps = memory.steps() + Shares::row(at);
#pragma unroll 8
      for (int panel = 0; panel < count; ++panel) {
        const Step step = steps[panel * rows_];
        const float* const values = in_cluster(memory.values(rows_), shares.rank_of(panel));
        const float value = values[(panel >> shares.shift) * rows_ * Shape::kSlice + at];
        shares.total[i] = merged(shares.total[i], step.kept, value, step.values_added);
        shares.sum[i] = merged(shares.sum[i], step.kept, step.sum, step.added);
      }
    }
  }

  template <class Act>
  __device__ void for_shares(Shares& shares, const Act& act) const {
#pragma unroll
    for (int i = 0; i < Shares::kMost; ++i) {
      const int at = shares.at(i), column = first_column_ + Shares::column(at);
      if (at < rows_ * Shape::kSlice && column < dim_) act(Shares::row(at), column, i);
    }
  }
  __device__ bool divide(Shares& shares) const {
    bool finite = true;
    for_shares(shares, [&](int, int, int i) {
      shares.total[i] *= 1.0f / shares.sum[i];
      finite = finite && isfinite(shares.total[i]);
    });
    return finite;
  }
  __device__ void write_shares(Shares& shares) const {
    for_shares(shares, [&](int r, int column, int i) { *result(r, column) = shares.total[i]; });
  }

  Memory& memory_;
  const AttentionTask<Keys>& task_;
  const int first_column_, dim_;
  int rows_, slices_, seen_[2], most_keys_;
  int most_of_group_, least_of_warp_;  // keys that rows see
  SoftmaxSum total_[2];
  float totals_[Shape::kColumnEights][4];
};

template <class Shape, class Keys>
__device__ void attend_with_care(TileMemory<Shape, Keys>& memory, int first_column) {
  AttentionTile<Shape, Keys>(memory, first_column).attend_again();
}
template <class Shape, class Keys>
__device__ void attend_in_cluster_with_care(TileMemory<Shape, Keys>& memory, int first_column,
                                            ClusterMemory<Shape>& shared, int rank, int shift) {
  AttentionTile<Shape, Keys>(memory, first_column).attend_in_cluster_again(shared, rank, shift);
}

}  // namespace tern::cuda
