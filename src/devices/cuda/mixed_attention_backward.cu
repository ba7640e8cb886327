// SPDX-License-Identifier: Apache-2.0
// Gradients of attention of mixed-precision training on GPUs of compute capability 9.0.
//
// One kernel for dq, which also makes D, one for dk and dv. A block's items are kGroups tiles of 64 rows of a head, one
// for each of its groups of four warps: queries, or keys. One thread brings the tiles that they meet to a ring of
// stages in shared memory: those of keys, ascending; or, head by head of the group, those of queries. No two blocks add
// to the same sums.
#include <utility>

#include "devices/cuda/mixed_attention.cuh"
#include "devices/cuda/mixed_entries.h"

namespace tern::cuda {
namespace {

constexpr const char* kName = "mixed_attention_backward";

// Of a tile's queries, the lse as the power of 2 that weights are divided by, and D. Queries beyond the sequence's have
// weights of 0.
struct Marks {
  float lse[kTileTokens], delta[kTileTokens];
};

struct BackwardPass {
  MixedAttentionBackwardArgs args;
  Schedule schedule;
  CUtensorMap queries, d_outs, outs, keys, values;
  Marks* marks;  // [entry][head][tiles]
  float power;   // of 2, of a score of 1
  int tiles;     // of a sequence
};

// kOwns: buffers for the own tiles of an item.
template <int kPanels_, int kGroups_, int kStages_, int kOwns_>
struct GradientShape {
  static constexpr int kPanels = kPanels_, kGroups = kGroups_, kStages = kStages_, kOwns = kOwns_;
  static constexpr int kThreads = (kGroups + 1) * kGroupThreads;  // one group gives its registers to the others
  static constexpr int kTileBytes = kPanels * kPanelBytes;
};

constexpr int kSums = kPanelColumns / 2;  // of a lane, of a panel
constexpr int kTileDepths = kTileTokens / kProductDepth;

using Products = float[kSums];
template <int kPanels>
using Sums = float[kPanels][kSums];
using Weights = uint32_t[kTileDepths][4];

template <int kPanels>
__device__ __forceinline__ void settle_all(Sums<kPanels>& sums) {
#pragma unroll
  for (auto& panel : sums) settle(panel);
}

template <int kCount>
__device__ __forceinline__ void settle_all(uint32_t (&operands)[kCount][4]) {
#pragma unroll
  for (auto& each : operands) settle(each);
}

// sums = weights · the tile's rows, plus sums where `adds`.
template <int kPanels>
__device__ __forceinline__ void add_rows(const Weights& weights, uint64_t tile, bool adds, Sums<kPanels>& sums) {
#pragma unroll
  for (int depth = 0; depth < kTileDepths; ++depth) {
#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel) {
      add_weighted_rows(sums[panel], weights[depth], tile + panel * (kPanelBytes / 16) + depth * kRowsStep,
                        depth > 0 || adds);
    }
  }
}

// Zeros where a query does not see the key, of a tile of keys and of queries that are the same tokens. kOfKeys: rows
// are keys, else queries.
template <bool kOfKeys>
__device__ __forceinline__ void hide(Products& weights) {
  __syncwarp();  // so that a branch around it stays one
#pragma unroll
  for (int i = 0; i < kSums; ++i) {
    const int row = LanePlace::row() + i / 2 % 2 * 8, column = i / 4 * 8 + LanePlace::column() + i % 2;
    if (kOfKeys ? row > column : column > row) weights[i] = 0.0f;
  }
}

// ---------------------------------------------------------------- results

// Calls act(constant) with the constant that dim / 16 is, one of the heads that take kPanels panels.
template <int kPanels, class Act>
__device__ __forceinline__ void with_half_blocks(int dim, const Act& act) {
  [&]<int... kI>(std::integer_sequence<int, kI...>) {
    ((dim == 16 * (4 * kPanels - 3 + kI) ? act(std::integral_constant<int, 4 * kPanels - 3 + kI>{}) : void()), ...);
  }
  (std::make_integer_sequence<int, 4>{});
}

// Gradients of rotated heads become those of heads before. Rows are tokens from `token` on; those from `end` on are not
// there.
template <int kPanels>
__device__ __forceinline__ void rotate_back(const float* cos, const float* sin, int dim, int64_t token, int64_t end,
                                            Sums<kPanels>& sums) {
  with_half_blocks<kPanels>(dim, [&](auto half_blocks) {
    constexpr int kHalf = decltype(half_blocks)::value;
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const int64_t position = token + LanePlace::row() + 8 * row;
      if (position >= end) continue;
#pragma unroll
      for (int block = 0; block < kHalf; ++block) {
        const int64_t at = position * (8 * kHalf) + 8 * block + LanePlace::column();
        const float2 c = *reinterpret_cast<const float2*>(cos + at), s = *reinterpret_cast<const float2*>(sin + at);
        constexpr int kBlocks = kPanelColumns / 8;
        float* const low = &sums[block / kBlocks][block % kBlocks * 4 + 2 * row];
        float* const high = &sums[(block + kHalf) / kBlocks][(block + kHalf) % kBlocks * 4 + 2 * row];
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          const float turn_cos = i == 0 ? c.x : c.y, turn_sin = i == 0 ? s.x : s.y, x = low[i], y = high[i];
          low[i] = x * turn_cos + y * turn_sin;
          high[i] = y * turn_cos - x * turn_sin;
        }
      }
    }
  });
}

// Rows from `first` on, of which there are `count`, times factor / q_scale.
template <int kPanels>
__device__ __forceinline__ void keep_rows(const Sums<kPanels>& sums, const MixedAttentionBackwardArgs& args, bf16* to,
                                          int64_t first, int64_t count, int64_t column_of_head, float factor) {
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    if (LanePlace::row() + 8 * row >= count) continue;
    const int64_t at = first + LanePlace::row() + 8 * row;
    const float by = factor / args.q_scale[at];
    bf16* const head = to + at * args.d_stride + column_of_head;
#pragma unroll
    for (int i = 2 * row; i < kPanels * kSums; i += 4) {
      const int column = i / 4 * 8 + LanePlace::column();
      const float* const pair = &sums[i / kSums][i % kSums];
      if (column < args.dim) *reinterpret_cast<uint32_t*>(head + column) = bf16_pair(pair[0] * by, pair[1] * by);
    }
  }
}

template <int kPanels>
__device__ __forceinline__ void scale_all(float factor, Sums<kPanels>& sums) {
#pragma unroll
  for (auto& panel : sums) {
#pragma unroll
    for (float& sum : panel) sum *= factor;
  }
}

// ---------------------------------------------------------------- dq

template <class Shape>
struct QueryShared {
  struct Stage {
    uint8_t keys[Shape::kTileBytes], values[Shape::kTileBytes];
  };
  struct Own {
    uint8_t queries[Shape::kTileBytes], d_outs[Shape::kTileBytes], outs[Shape::kTileBytes];
  };
  alignas(1024) Stage stages[Shape::kStages];
  alignas(1024) Own own[Shape::kOwns][Shape::kGroups];
  Barrier own_full[Shape::kOwns], own_empty[Shape::kOwns], full[Shape::kStages], empty[Shape::kStages];
};

// The first of an item's tiles, and how many its last one meets.
template <class Shape>
struct QueryItem {
  int first, others;

  __device__ QueryItem(const BackwardPass& pass, const Work& work)
      : first((static_cast<int>(pass.schedule.ranks) - 1 - work.rank()) * Shape::kGroups),
        others(min(first + Shape::kGroups, pass.tiles)) {}
};

template <class Shape>
__device__ void bring_keys(QueryShared<Shape>& shared, const BackwardPass& pass) {
  constexpr int kPanels = Shape::kPanels;
  const auto heads = static_cast<int>(pass.args.heads), group = static_cast<int>(pass.args.heads / pass.args.kv_heads);
  Work work(pass.schedule);
  Turn<Shape::kOwns> own_turn;
  Turn<Shape::kStages> turn;
  while (work.next()) {
    const int entry = work.line() / heads, query_head = work.line() % heads, head = query_head / group;
    const QueryItem<Shape> item(pass, work);
    shared.own_empty[own_turn.at].wait(own_turn.parity() ^ 1);
    Barrier& own_full = shared.own_full[own_turn.at];
    own_full.arrive_expecting(sizeof(shared.own[0]));
    for (int i = 0; i < Shape::kGroups; ++i) {  // beyond the sequence zeros
      auto& own = shared.own[own_turn.at][i];
      const int token = (item.first + i) * kTileTokens;
      copy_head<kPanels, kTileTokens>(own.queries, pass.queries, query_head, token, entry, own_full);
      copy_head<kPanels, kTileTokens>(own.d_outs, pass.d_outs, query_head, token, entry, own_full);
      copy_head<kPanels, kTileTokens>(own.outs, pass.outs, query_head, token, entry, own_full);
    }
    own_turn.advance();
    for (int tile = 0; tile < item.others; ++tile, turn.advance()) {
      shared.empty[turn.at].wait(turn.parity() ^ 1);
      Barrier& full = shared.full[turn.at];
      full.arrive_expecting(sizeof(shared.stages[0]));
      auto& stage = shared.stages[turn.at];
      copy_head<kPanels, kTileTokens>(stage.keys, pass.keys, head, tile * kTileTokens, entry, full);
      copy_head<kPanels, kTileTokens>(stage.values, pass.values, head, tile * kTileTokens, entry, full);
    }
  }
}

// A group's 64 queries.
template <class Shape>
class GroupQueries {
 public:
  __device__ GroupQueries(QueryShared<Shape>& shared, const BackwardPass& pass, int group)
      : shared_(shared), pass_(pass), group_(group) {}

  __device__ void run() {
    Work work(pass_.schedule);
    while (work.next()) {
      const QueryItem<Shape> item(pass_, work);
      const int tile = item.first + group_;
      begin(work.line(), tile);
      int met = 0;
      if (tile < pass_.tiles) {
        met = tile + 1;
        meet_all(met);
        keep(work.line(), tile);
      }
      for (; met < item.others; ++met) {
        wait_for_stage();
        release(shared_.empty[turn_.at]);
        turn_.advance();
      }
    }
  }

 private:
  static constexpr int kPanels = Shape::kPanels, kColumnDepths = kPanels * kPanelColumns / kProductDepth;

  __device__ void begin(int line, int tile) {
    const MixedAttentionBackwardArgs& args = pass_.args;
    const int64_t token = int64_t{tile} * kTileTokens;
    const auto count = static_cast<int>(min(args.tokens - token, int64_t{kTileTokens}));
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int at = LanePlace::row() + 8 * half;
      lse_[half] = at < count ? args.lse[line * args.tokens + token + at] * kLog2E : __int_as_float(0x7f800000);
    }
    shared_.own_full[own_turn_.at].wait(own_turn_.parity());
    const auto& own = shared_.own[own_turn_.at][group_];
    load_operands<kPanels>(own.queries, queries_);
    load_operands<kPanels>(own.d_outs, d_outs_);
    float deltas[2] = {0.0f, 0.0f};
    {
      RowOperands<kPanels> outs;
      load_operands<kPanels>(own.outs, outs);
#pragma unroll
      for (int depth = 0; depth < kColumnDepths; ++depth) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const uint32_t x = d_outs_[depth][i], y = outs[depth][i];
          deltas[i % 2] = fmaf(low_of(x), low_of(y), fmaf(high_of(x), high_of(y), deltas[i % 2]));
        }
      }
    }
    release(shared_.own_empty[own_turn_.at]);
    own_turn_.advance();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      delta_[half] = sum_of_lanes<4>(deltas[half]);
      if (tile < pass_.tiles && lane_of_thread() % 4 == 0) {
        Marks& marks = pass_.marks[int64_t{line} * pass_.tiles + tile];
        marks.lse[LanePlace::row() + 8 * half] = lse_[half];
        marks.delta[LanePlace::row() + 8 * half] = delta_[half];
      }
    }
  }

  __device__ __forceinline__ void wait_for_stage() const { shared_.full[turn_.at].wait(turn_.parity()); }

  // The next `steps` stages, of which the last one has the own tokens.
  __device__ __forceinline__ void meet_all(int steps) {
    meet<true>(steps == 1);
#pragma unroll 1
    for (int step = 1; step < steps; ++step) meet<false>(step == steps - 1);
    fence_registers();
    add_late();
    wait_for_products<0>();
    free_late();
  }

  // One stage, and the products of weights of the one before unless it is the first.
  template <bool kFirst>
  __device__ __forceinline__ void meet(bool own_tokens) {
    Products weights, gradients;
    wait_for_stage();
    const auto& stage = shared_.stages[turn_.at];
    fence_registers();
    multiply(queries_, tile_operand(stage.keys), weights);
    end_batch();
    multiply(d_outs_, tile_operand(stage.values), gradients);
    end_batch();
    if constexpr (!kFirst) add_late();
    wait_for_products<kFirst ? 1 : 2>();
    settle(weights);
#pragma unroll
    for (int i = 0; i < kSums; ++i) weights[i] = power_of_two(fmaf(weights[i], pass_.power, -lse_[i / 2 % 2]));
    if (own_tokens) hide<false>(weights);
    wait_for_products<kFirst ? 0 : 1>();
    settle(gradients);
#pragma unroll
    for (int i = 0; i < kSums; ++i) gradients[i] = weights[i] * (gradients[i] - delta_[i / 2 % 2]);
    if constexpr (!kFirst) {
      wait_for_products<0>();
      free_late();
    }
    round_weights(gradients, rounded_);
    settle_all(rounded_);
    late_ = turn_.at;
    starts_ = kFirst;
    turn_.advance();
  }

  // The products of the weights of the stage before.
  __device__ __forceinline__ void add_late() {
    add_rows<kPanels>(rounded_, tile_operand(shared_.stages[late_].keys), !starts_, sums_);
    end_batch();
  }

  __device__ __forceinline__ static void multiply(const RowOperands<kPanels>& own, uint64_t other, Products& products) {
#pragma unroll
    for (int depth = 0; depth < kColumnDepths; ++depth) {
      add_row_products(products, own[depth], columns_of<kTileTokens>(other, depth), depth > 0);
    }
  }

  __device__ __forceinline__ void free_late() {
    settle_all<kPanels>(sums_);
    settle_all(rounded_);
    release(shared_.empty[late_]);
  }

  __device__ void keep(int line, int tile) {
    const MixedAttentionBackwardArgs& args = pass_.args;
    const int64_t entry = line / args.heads, head = line % args.heads, token = int64_t{tile} * kTileTokens;
    scale_all<kPanels>(args.scale, sums_);
    rotate_back<kPanels>(args.cos, args.sin, static_cast<int>(args.dim), token, args.tokens, sums_);
    keep_rows<kPanels>(sums_, args, args.dq, entry * args.tokens + token, args.tokens - token, head * args.dim,
                       args.dq_factor);
  }

  QueryShared<Shape>& shared_;
  const BackwardPass& pass_;
  const int group_;
  Turn<Shape::kOwns> own_turn_;
  Turn<Shape::kStages> turn_;
  int late_ = 0;         // the stage whose products of weights are still to be added
  bool starts_ = false;  // it is the first of an item
  RowOperands<kPanels> queries_, d_outs_;
  float lse_[2], delta_[2];  // of the rows
  Sums<kPanels> sums_;
  Weights rounded_ = {};
};

// ---------------------------------------------------------------- dk and dv

template <class Shape>
struct KeyShared {
  struct Own {
    uint8_t keys[Shape::kTileBytes], values[Shape::kTileBytes];
  };
  struct Stage {
    uint8_t queries[Shape::kTileBytes], d_outs[Shape::kTileBytes];
  };
  alignas(1024) Own own[Shape::kOwns][Shape::kGroups];
  alignas(1024) Stage stages[Shape::kStages];
  alignas(16) Marks marks[Shape::kStages];
  Barrier own_full[Shape::kOwns], own_empty[Shape::kOwns], full[Shape::kStages], empty[Shape::kStages];
};

template <class Shape>
__device__ void bring_queries(KeyShared<Shape>& shared, const BackwardPass& pass) {
  constexpr int kPanels = Shape::kPanels;
  const auto heads = static_cast<int>(pass.args.heads), kv_heads = static_cast<int>(pass.args.kv_heads);
  const int group = heads / kv_heads;
  Work work(pass.schedule);
  Turn<Shape::kOwns> own_turn;
  Turn<Shape::kStages> turn;
  while (work.next()) {
    const int entry = work.line() / kv_heads, kv_head = work.line() % kv_heads, first = work.rank() * Shape::kGroups;
    shared.own_empty[own_turn.at].wait(own_turn.parity() ^ 1);
    Barrier& own_full = shared.own_full[own_turn.at];
    own_full.arrive_expecting(sizeof(shared.own[0]));
    for (int i = 0; i < Shape::kGroups; ++i) {  // beyond the sequence zeros
      auto& own = shared.own[own_turn.at][i];
      const int token = (first + i) * kTileTokens;
      copy_head<kPanels, kTileTokens>(own.keys, pass.keys, kv_head, token, entry, own_full);
      copy_head<kPanels, kTileTokens>(own.values, pass.values, kv_head, token, entry, own_full);
    }
    own_turn.advance();
    for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
      const Marks* const marks = pass.marks + (int64_t{entry} * heads + head) * pass.tiles;
      for (int tile = first; tile < pass.tiles; ++tile, turn.advance()) {
        shared.empty[turn.at].wait(turn.parity() ^ 1);
        Barrier& full = shared.full[turn.at];
        full.arrive_expecting(sizeof(shared.stages[0]) + sizeof(shared.marks[0]));
        auto& stage = shared.stages[turn.at];
        copy_head<kPanels, kTileTokens>(stage.queries, pass.queries, head, tile * kTileTokens, entry, full);
        copy_head<kPanels, kTileTokens>(stage.d_outs, pass.d_outs, head, tile * kTileTokens, entry, full);
        copy_in_bulk(&shared.marks[turn.at], marks + tile, sizeof(Marks), full);
      }
    }
  }
}

// A group's 64 keys.
template <class Shape>
class GroupKeys {
 public:
  __device__ GroupKeys(KeyShared<Shape>& shared, const BackwardPass& pass, int group)
      : shared_(shared), pass_(pass), group_(group) {}

  __device__ void run() {
    Work work(pass_.schedule);
    while (work.next()) {
      first_ = work.rank() * Shape::kGroups;
      tile_ = first_ + group_;
      shared_.own_full[own_turn_.at].wait(own_turn_.parity());
      const int heads = static_cast<int>(pass_.args.heads / pass_.args.kv_heads), steps = pass_.tiles - tile_;
      if (steps > 0) {
        meet_all(heads * steps);
        release(shared_.own_empty[own_turn_.at]);
        keep(work.line());
      } else {
        pass_over(heads * (pass_.tiles - first_));
        release(shared_.own_empty[own_turn_.at]);
      }
      own_turn_.advance();
    }
  }

 private:
  static constexpr int kPanels = Shape::kPanels, kColumnDepths = kPanels * kPanelColumns / kProductDepth;
  static constexpr bool kDeferred = kPanels == 1;

  // Stages that only other groups need.
  __device__ __forceinline__ void pass_over(int stages) {
    for (; stages > 0; --stages, turn_.advance()) {
      wait_for_stage();
      release(shared_.empty[turn_.at]);
    }
  }

  __device__ __forceinline__ void wait_for_stage() const { shared_.full[turn_.at].wait(turn_.parity()); }

  // `steps` tiles of queries, head by head.
  __device__ __forceinline__ void meet_all(int steps) {
    other_ = tile_;
    late_ = -1;
    pass_over(group_);
    if constexpr (kDeferred) meet<true>();
#pragma unroll 1
    for (int step = kDeferred ? 1 : 0; step < steps; ++step) {
      if (other_ == pass_.tiles) {
        pass_over(group_);
        other_ = tile_;
      }
      meet<false>();
    }
    if constexpr (kDeferred) {
      fence_registers();
      add_late();
    }
    wait_for_products<0>();
    free_late();
  }

  // One stage. Its products of weights run beside the next one's: of one panel all of them, after the next scores; of
  // two, which leave no registers for that, only those for dk, before.
  template <bool kFirst>
  __device__ __forceinline__ void meet() {
    Products weights, gradients;
    wait_for_stage();
    const auto& stage = shared_.stages[turn_.at];
    const Marks& marks = shared_.marks[turn_.at];
    const auto& own = shared_.own[own_turn_.at][group_];
    const uint64_t queries = tile_operand(stage.queries), d_outs = tile_operand(stage.d_outs);
    const bool adds = late_ >= 0;
    fence_registers();
    multiply(tile_operand(own.keys), queries, weights);
    end_batch();
    multiply(tile_operand(own.values), d_outs, gradients);
    end_batch();
    if constexpr (kFirst) {
      wait_for_products<1>();
    } else if constexpr (kDeferred) {
      add_late();
      wait_for_products<2>();
    } else {
      wait_for_products<2>();
      free_late();
      wait_for_products<1>();
    }
    settle(weights);
#pragma unroll
    for (int i = 0; i < kSums; i += 4) {
      const float2 lse = marks_of(marks.lse, i);
      weights[i] = power_of_two(fmaf(weights[i], pass_.power, -lse.x));
      weights[i + 1] = power_of_two(fmaf(weights[i + 1], pass_.power, -lse.y));
      weights[i + 2] = power_of_two(fmaf(weights[i + 2], pass_.power, -lse.x));
      weights[i + 3] = power_of_two(fmaf(weights[i + 3], pass_.power, -lse.y));
    }
    if (other_ == tile_) hide<true>(weights);
    if constexpr (!kDeferred) add_weights(weights, rounded_weights_, d_outs, adds, value_sums_);
    wait_for_products<kFirst || !kDeferred ? 0 : 1>();
    settle(gradients);
#pragma unroll
    for (int i = 0; i < kSums; i += 4) {
      const float2 delta = marks_of(marks.delta, i);
      gradients[i] = weights[i] * (gradients[i] - delta.x);
      gradients[i + 1] = weights[i + 1] * (gradients[i + 1] - delta.y);
      gradients[i + 2] = weights[i + 2] * (gradients[i + 2] - delta.x);
      gradients[i + 3] = weights[i + 3] * (gradients[i + 3] - delta.y);
    }
    if constexpr (kDeferred) {
      if constexpr (!kFirst) {
        wait_for_products<0>();
        free_late();
      }
      round_weights(weights, rounded_weights_);
      round_weights(gradients, rounded_gradients_);
      settle_all(rounded_weights_);
      settle_all(rounded_gradients_);
      starts_ = kFirst;
    } else {
      add_weights(gradients, rounded_gradients_, queries, adds, key_sums_);
    }
    late_ = turn_.at;
    turn_.advance();
    ++other_;
  }

  __device__ __forceinline__ static void add_weights(const Products& weights, Weights& rounded, uint64_t rows,
                                                     bool adds, Sums<kPanels>& sums) {
    round_weights(weights, rounded);
    settle_all(rounded);
    fence_registers();
    add_rows<kPanels>(rounded, rows, adds, sums);
    end_batch();
  }

  // The products of the weights of the stage before.
  __device__ __forceinline__ void add_late() {
    const auto& stage = shared_.stages[late_];
    add_rows<kPanels>(rounded_weights_, tile_operand(stage.d_outs), !starts_, value_sums_);
    add_rows<kPanels>(rounded_gradients_, tile_operand(stage.queries), !starts_, key_sums_);
    end_batch();
  }

  __device__ __forceinline__ static void multiply(uint64_t own, uint64_t other, Products& products) {
#pragma unroll
    for (int depth = 0; depth < kColumnDepths; ++depth) {
      add_row_products(products, columns_of<kTileTokens>(own, depth), columns_of<kTileTokens>(other, depth), depth > 0);
    }
  }

  // Of the queries of products i and i + 1, which those of i + 2 and i + 3 share.
  __device__ __forceinline__ static float2 marks_of(const float (&marks)[kTileTokens], int i) {
    return *reinterpret_cast<const float2*>(&marks[i / 4 * 8 + LanePlace::column()]);
  }

  __device__ __forceinline__ void free_late() {
    settle_all<kPanels>(key_sums_);
    settle_all<kPanels>(value_sums_);
    settle_all(rounded_weights_);
    settle_all(rounded_gradients_);
    if (late_ >= 0) release(shared_.empty[late_]);
  }

  __device__ void keep(int line) {
    const MixedAttentionBackwardArgs& args = pass_.args;
    const int64_t entry = line / args.kv_heads, head = line % args.kv_heads, token = int64_t{tile_} * kTileTokens;
    const int64_t first = entry * args.tokens + token, count = args.tokens - token, column = head * args.dim;
    keep_rows<kPanels>(value_sums_, args, args.dv, first, count, column, args.dv_factor);
    scale_all<kPanels>(args.scale, key_sums_);
    rotate_back<kPanels>(args.cos, args.sin, static_cast<int>(args.dim), token, args.tokens, key_sums_);
    keep_rows<kPanels>(key_sums_, args, args.dk, first, count, column, args.dk_factor);
  }

  KeyShared<Shape>& shared_;
  const BackwardPass& pass_;
  const int group_;
  Turn<Shape::kOwns> own_turn_;
  Turn<Shape::kStages> turn_;
  int first_ = 0, tile_ = 0, other_ = 0;  // the item's first tile, the own one, that of the stage
  int late_ = 0;                          // the stage whose products of weights run late
  bool starts_ = false;                   // it is the first of an item
  Sums<kPanels> key_sums_, value_sums_;
  Weights rounded_weights_ = {}, rounded_gradients_ = {};
};

// ---------------------------------------------------------------- kernels

// By one thread: barriers of rings that a thread fills and kGroups groups empty.
template <class Shape, class Shared>
__device__ void init_rings(Shared& shared) {
  const auto init = [](auto& full, auto& empty) {
    for (Barrier& each : full) each.init(1);
    for (Barrier& each : empty) each.init(Shape::kGroups * kGroupWarps);
  };
  init(shared.own_full, shared.own_empty);
  init(shared.full, shared.empty);
  publish_barriers();
}

template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1) add_query_gradients(const __grid_constant__ BackwardPass pass) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  auto& shared = shared_of_block<QueryShared<Shape>>();
  if (threadIdx.x == 0) init_rings<Shape>(shared);
  __syncthreads();
  wait_for_inputs();
  const unsigned group = group_of_thread();
  if (group == Shape::kGroups) {
    give_registers<24>();
    if (threadIdx.x % kGroupThreads == 0) bring_keys(shared, pass);
  } else {
    take_registers<240>();
    GroupQueries<Shape>(shared, pass, static_cast<int>(group)).run();
  }
#endif
}

template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1) add_key_gradients(const __grid_constant__ BackwardPass pass) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  auto& shared = shared_of_block<KeyShared<Shape>>();
  if (threadIdx.x == 0) init_rings<Shape>(shared);
  __syncthreads();
  wait_for_inputs();
  const unsigned group = group_of_thread();
  if (group == Shape::kGroups) {
    give_registers<24>();
    if (threadIdx.x % kGroupThreads == 0) bring_queries(shared, pass);
  } else {
    take_registers<240>();
    GroupKeys<Shape>(shared, pass, static_cast<int>(group)).run();
  }
#endif
}

// ---------------------------------------------------------------- launches

template <class Shape, class Shared>
void launch(const Exec& exec, void (*kernel)(BackwardPass), BackwardPass& pass, int64_t heads, int64_t line_rows) {
  constexpr int kBytes = kSharedBytes<Shared>;
  static_assert(kBytes <= 227 * 1024);
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes), kName);
  const MixedAttentionBackwardArgs& args = pass.args;
  const int64_t line_bytes = 2 * line_rows * args.dim * static_cast<int64_t>(sizeof(bf16));
  pass.schedule = Schedule(args.batch * heads, ceil_div(pass.tiles, Shape::kGroups), 1, line_bytes);
  const auto blocks = std::min<unsigned>(pass.schedule.items, static_cast<unsigned>(multiprocessors(exec)));
  launch_early(exec, kName, kernel, blocks, Shape::kThreads, kBytes, pass);
}

template <class Queries, class Keys>
void run(const Exec& exec, const MixedAttentionBackwardArgs& args) {
  const int64_t tiles = ceil_div(args.tokens, kTileTokens);
  const Room marks(exec, static_cast<size_t>(args.batch * args.heads * tiles) * sizeof(Marks), kName);
  if (!marks) return;
  const auto map = [&](const bf16* rows, int64_t heads, int64_t stride) {
    return map_of_heads(exec, kName, rows, args.batch, heads, args.tokens, args.dim, stride, kTileTokens);
  };
  BackwardPass pass = {args,
                       {},
                       map(args.q, args.heads, args.q_stride),
                       map(args.d_out, args.heads, args.heads * args.dim),
                       map(args.out, args.heads, args.heads * args.dim),
                       map(args.k, args.kv_heads, args.k_stride),
                       map(args.v, args.kv_heads, args.v_stride),
                       marks.as<Marks>(),
                       args.scale * kLog2E,
                       static_cast<int>(tiles)};
  launch<Queries, QueryShared<Queries>>(exec, add_query_gradients<Queries>, pass, args.heads, args.tokens);
  launch<Keys, KeyShared<Keys>>(exec, add_key_gradients<Keys>, pass, args.kv_heads,
                                args.tokens * (args.heads / args.kv_heads));
}

}  // namespace

void mixed_attention_backward(const Exec& exec, const MixedAttentionBackwardArgs& args) noexcept {
  if (args.batch * args.tokens == 0 || args.heads == 0) return;
  if (args.dim <= kPanelColumns) {
    run<GradientShape<1, 2, 6, 2>, GradientShape<1, 2, 6, 2>>(exec, args);
  } else {
    run<GradientShape<2, 2, 3, 1>, GradientShape<2, 2, 4, 1>>(exec, args);
  }
}

}  // namespace tern::cuda
