// SPDX-License-Identifier: Apache-2.0
// Gradients of attention of mixed-precision training on GPUs of compute capability 9.0.
//
// One kernel for dq, which also makes D, one for dk and dv. A block's items are kGroups tiles of 64 rows of a head, one
// for each of its groups of four warps: queries, or keys. One thread brings the tiles that they meet to a ring of
// stages in shared memory: those of keys, ascending; or, head by head of the group, those of queries, descending, so
// that groups do not end together. No two blocks add to the same sums.
//
// On an H200 with 32 x 1024 tokens x 12 heads of 64 dq takes 189 us, dk and dv 235; 264 with the own rows in shared
// memory, marks that were asked for behind products and factors that were read for each tile. Lost: three groups for
// dq, whose queries then stay in shared memory (5 % longer); two blocks of one group each (dq 7 % longer, dk and dv 1 %
// shorter).
#include <utility>

#include "devices/cuda/mixed_attention.cuh"
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/mixed_ratio.cuh"

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
  Marks* marks;      // [entry][head][tiles]
  unsigned* taken;   // of Work
  float power;       // of 2, of a score of 1
  int tiles, group;  // of a sequence; heads that share a key head
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

// Rows of a tile, in shared memory or in registers, times those of another one.
template <int kPanels>
__device__ __forceinline__ void multiply(uint64_t own, uint64_t other, Products& products) {
#pragma unroll
  for (int depth = 0; depth < kPanels * kPanelColumns / kProductDepth; ++depth) {
    add_row_products(products, columns_of<kTileTokens>(own, depth), columns_of<kTileTokens>(other, depth), depth > 0);
  }
}

template <int kPanels>
__device__ __forceinline__ void multiply(const RowOperands<kPanels>& own, uint64_t other, Products& products) {
#pragma unroll
  for (int depth = 0; depth < kPanels * kPanelColumns / kProductDepth; ++depth) {
    add_row_products(products, own[depth], columns_of<kTileTokens>(other, depth), depth > 0);
  }
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

// What ends the gradients of the lane's rows of a tile, asked for before these are there. Rows beyond the sequence's
// have what its last one has.
using RowFactors = float[2];

// Of the rows [first, first + count).
template <int kRows>
__device__ __forceinline__ void load_factors(const float* q_scale, int64_t first, int count, float (&factors)[kRows]) {
#pragma unroll
  for (int row = 0; row < kRows; ++row) factors[row] = q_scale[first + min(LanePlace::row() + 8 * row, count - 1)];
}

template <int kPanels>
struct Turns {
  static constexpr int kBlocks = kPanels * kPanelColumns / 16;  // of 8 columns, of half a head
  float2 cos[2][kBlocks], sin[2][kBlocks];

  // Of the tokens [first, first + count).
  __device__ __forceinline__ void load(const MixedAttentionBackwardArgs& args, int64_t first, int count) {
    const int half = static_cast<int>(args.dim / 2);
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const int64_t at = (first + min(LanePlace::row() + 8 * row, count - 1)) * half + LanePlace::column();
#pragma unroll
      for (int block = 0; block < kBlocks; ++block) {
        const bool there = 8 * block < half;
        cos[row][block] = there ? *reinterpret_cast<const float2*>(args.cos + at + 8 * block) : float2{};
        sin[row][block] = there ? *reinterpret_cast<const float2*>(args.sin + at + 8 * block) : float2{};
      }
    }
  }
};

// Gradients of rotated heads become those of heads before.
template <int kPanels>
__device__ __forceinline__ void rotate_back(const Turns<kPanels>& turns, int dim, Sums<kPanels>& sums) {
  with_half_blocks<kPanels>(dim, [&](auto half_blocks) {
    constexpr int kHalf = decltype(half_blocks)::value, kBlocks = kPanelColumns / 8;
#pragma unroll
    for (int row = 0; row < 2; ++row) {
#pragma unroll
      for (int block = 0; block < kHalf; ++block) {
        const float2 c = turns.cos[row][block], s = turns.sin[row][block];
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

__device__ __forceinline__ void divide(float factor, const RowFactors& q_scale, RowFactors& by) {
#pragma unroll
  for (int row = 0; row < 2; ++row) by[row] = factor / q_scale[row];
}

// Rows from `first` on, of which there are `count`, times `by`.
template <int kPanels>
__device__ __forceinline__ void keep_rows(const Sums<kPanels>& sums, const MixedAttentionBackwardArgs& args, bf16* to,
                                          int64_t first, int count, int64_t column_of_head, const RowFactors& by) {
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    if (LanePlace::row() + 8 * row >= count) continue;
    bf16* const head = to + (first + LanePlace::row() + 8 * row) * args.d_stride + column_of_head;
#pragma unroll
    for (int i = 2 * row; i < kPanels * kSums; i += 4) {
      const int column = i / 4 * 8 + LanePlace::column();
      const float* const pair = &sums[i / kSums][i % kSums];
      if (column < args.dim)
        *reinterpret_cast<uint32_t*>(head + column) = bf16_pair(pair[0] * by[row], pair[1] * by[row]);
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
  float lse[Shape::kOwns][Shape::kGroups][kTileTokens];  // as Marks have it
  Item items[Shape::kOwns];
  Barrier known[Shape::kOwns];  // items
  Barrier own_full[Shape::kOwns], own_empty[Shape::kOwns], full[Shape::kStages], empty[Shape::kStages];
};

template <class Shape>
__device__ void bring_keys(QueryShared<Shape>& shared, const BackwardPass& pass) {
  constexpr int kPanels = Shape::kPanels;
  Work work(pass.schedule, pass.taken);
  Turn<Shape::kOwns> own_turn;
  Turn<Shape::kStages> turn;
  while (true) {
    const Item item = work.next();
    shared.own_empty[own_turn.at].wait(own_turn.parity() ^ 1);
    shared.items[own_turn.at] = item;
    shared.known[own_turn.at].arrive();
    Barrier& own_full = shared.own_full[own_turn.at];
    if (item.ends()) return own_full.arrive();
    own_full.arrive_expecting(sizeof(shared.own[0]));
    for (int i = 0; i < Shape::kGroups; ++i) {
      auto& own = shared.own[own_turn.at][i];
      const int token = max(item.first + i, 0) * kTileTokens;
      copy_head<kPanels, kTileTokens>(own.queries, pass.queries, item.head, token, item.entry, own_full);
      copy_head<kPanels, kTileTokens>(own.d_outs, pass.d_outs, item.head, token, item.entry, own_full);
      copy_head<kPanels, kTileTokens>(own.outs, pass.outs, item.head, token, item.entry, own_full);
    }
    own_turn.advance();
    for (int tile = 0; tile < item.first + Shape::kGroups; ++tile, turn.advance()) {
      shared.empty[turn.at].wait(turn.parity() ^ 1);
      Barrier& full = shared.full[turn.at];
      full.arrive_expecting(sizeof(shared.stages[0]));
      auto& stage = shared.stages[turn.at];
      copy_head<kPanels, kTileTokens>(stage.keys, pass.keys, item.head / pass.group, tile * kTileTokens, item.entry,
                                      full);
      copy_head<kPanels, kTileTokens>(stage.values, pass.values, item.head / pass.group, tile * kTileTokens, item.entry,
                                      full);
    }
  }
}

// By a warp, beside that: the own queries' lse.
template <class Shape>
__device__ void bring_lse(QueryShared<Shape>& shared, const BackwardPass& pass) {
  const auto tokens = static_cast<int>(pass.args.tokens);
  for (Turn<Shape::kOwns> own_turn;; own_turn.advance()) {
    shared.own_empty[own_turn.at].wait(own_turn.parity() ^ 1);
    shared.known[own_turn.at].wait(own_turn.parity());
    const Item item = shared.items[own_turn.at];
    if (item.ends()) return shared.own_full[own_turn.at].arrive();
    const int first = item.first * kTileTokens;
    const float* const lse = pass.args.lse + int64_t{item.line} * tokens;
    float* const to = shared.lse[own_turn.at][0];
    for (int i = static_cast<int>(lane_of_thread()); i < Shape::kGroups * kTileTokens; i += kWarp) {
      const int token = first + i;
      to[i] = token < tokens ? lse[max(token, 0)] * kLog2E : __int_as_float(0x7f800000);
    }
    shared.own_full[own_turn.at].arrive();
  }
}

// A group's 64 queries.
template <class Shape>
class GroupQueries {
 public:
  __device__ GroupQueries(QueryShared<Shape>& shared, const BackwardPass& pass, int group)
      : shared_(shared), pass_(pass), group_(group) {}

  __device__ void run() {
    while (true) {
      shared_.own_full[own_turn_.at].wait(own_turn_.parity());
      const Item item = shared_.items[own_turn_.at];
      if (item.ends()) return;
      const int tile = item.first + group_;
      if (tile >= 0) {
        const auto count = static_cast<int>(min(pass_.args.tokens - int64_t{tile} * kTileTokens, int64_t{kTileTokens}));
        begin(item, tile, count);
        meet_all(tile + 1);
        keep(item, tile, count);
      } else {
        shared_.own_empty[own_turn_.at].arrive();
      }
      own_turn_.advance();
      for (int met = tile + 1 > 0 ? tile + 1 : 0; met < item.first + Shape::kGroups; ++met) {
        wait_for_stage();
        release(shared_.empty[turn_.at]);
        turn_.advance();
      }
    }
  }

 private:
  static constexpr int kPanels = Shape::kPanels, kColumnDepths = kPanels * kPanelColumns / kProductDepth;
  static constexpr bool kTurnsStay = kPanels == 1;  // in registers, where they come while products run

  __device__ void begin(const Item& item, int tile, int count) {
    const MixedAttentionBackwardArgs& args = pass_.args;
    load_factors(args.q_scale, item.entry * args.tokens + int64_t{tile} * kTileTokens, count, q_scale_);
    if constexpr (kTurnsStay) turns_.load(args, int64_t{tile} * kTileTokens, count);
    const auto& own = shared_.own[own_turn_.at][group_];
#pragma unroll
    for (int row = 0; row < 2; ++row) lse_[row] = shared_.lse[own_turn_.at][group_][LanePlace::row() + 8 * row];
    load_operands<kPanels>(own.queries, queries_);
    load_operands<kPanels>(own.d_outs, d_outs_);
    RowOperands<kPanels> outs;
    load_operands<kPanels>(own.outs, outs);
    shared_.own_empty[own_turn_.at].arrive();
    delta_[0] = delta_[1] = 0.0f;
#pragma unroll
    for (int depth = 0; depth < kColumnDepths; ++depth) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const uint32_t x = d_outs_[depth][i], y = outs[depth][i];
        delta_[i % 2] = fmaf(low_of(x), low_of(y), fmaf(high_of(x), high_of(y), delta_[i % 2]));
      }
    }
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      delta_[row] = sum_of_lanes<4>(delta_[row]);
      if (lane_of_thread() % 4 == 0) {
        Marks& marks = pass_.marks[int64_t{item.line} * pass_.tiles + tile];
        marks.lse[LanePlace::row() + 8 * row] = lse_[row];
        marks.delta[LanePlace::row() + 8 * row] = delta_[row];
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
  }

  __device__ __forceinline__ void finish() {
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
    multiply<kPanels>(queries_, tile_operand(stage.keys), weights);
    end_batch();
    multiply<kPanels>(d_outs_, tile_operand(stage.values), gradients);
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

  __device__ __forceinline__ void free_late() {
    settle_all<kPanels>(sums_);
    settle_all(rounded_);
    release(shared_.empty[late_]);
  }

  __device__ void keep(const Item& item, int tile, int count) {
    const MixedAttentionBackwardArgs& args = pass_.args;
    const int64_t token = int64_t{tile} * kTileTokens;
    RowFactors by;
    divide(1.0f, q_scale_, by);
    if constexpr (!kTurnsStay) turns_.load(args, token, count);
    finish();
    scale_all<kPanels>(args.scale, sums_);
    rotate_back<kPanels>(turns_, static_cast<int>(args.dim), sums_);
    keep_rows<kPanels>(sums_, args, args.dq, item.entry * args.tokens + token, count, item.head * args.dim, by);
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
  RowFactors q_scale_;
  Turns<kPanels> turns_;
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
  Item items[Shape::kOwns];
  Barrier own_full[Shape::kOwns], own_empty[Shape::kOwns], full[Shape::kStages], empty[Shape::kStages];
};

template <class Shape>
__device__ void bring_queries(KeyShared<Shape>& shared, const BackwardPass& pass) {
  constexpr int kPanels = Shape::kPanels;
  const auto heads = static_cast<int>(pass.args.heads);
  Work work(pass.schedule, pass.taken);
  Turn<Shape::kOwns> own_turn;
  Turn<Shape::kStages> turn;
  while (true) {
    const Item item = work.next();
    shared.own_empty[own_turn.at].wait(own_turn.parity() ^ 1);
    shared.items[own_turn.at] = item;
    Barrier& own_full = shared.own_full[own_turn.at];
    if (item.ends()) return own_full.arrive();
    own_full.arrive_expecting(sizeof(shared.own[0]));
    for (int i = 0; i < Shape::kGroups; ++i) {  // beyond the sequence zeros
      auto& own = shared.own[own_turn.at][i];
      const int token = (item.first + i) * kTileTokens;
      copy_head<kPanels, kTileTokens>(own.keys, pass.keys, item.head, token, item.entry, own_full);
      copy_head<kPanels, kTileTokens>(own.values, pass.values, item.head, token, item.entry, own_full);
    }
    own_turn.advance();
    for (int head = item.head * pass.group; head < (item.head + 1) * pass.group; ++head) {
      const Marks* const marks = pass.marks + (int64_t{item.entry} * heads + head) * pass.tiles;
      for (int tile = pass.tiles - 1; tile >= item.first; --tile, turn.advance()) {
        shared.empty[turn.at].wait(turn.parity() ^ 1);
        Barrier& full = shared.full[turn.at];
        full.arrive_expecting(sizeof(shared.stages[0]) + sizeof(shared.marks[0]));
        auto& stage = shared.stages[turn.at];
        copy_head<kPanels, kTileTokens>(stage.queries, pass.queries, head, tile * kTileTokens, item.entry, full);
        copy_head<kPanels, kTileTokens>(stage.d_outs, pass.d_outs, head, tile * kTileTokens, item.entry, full);
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
      : shared_(shared),
        pass_(pass),
        group_(group),
        dk_factor_(number_of(pass.args.dk_factor)),
        dv_factor_(number_of(pass.args.dv_factor)) {}

  __device__ void run() {
    while (true) {
      shared_.own_full[own_turn_.at].wait(own_turn_.parity());
      const Item item = shared_.items[own_turn_.at];
      if (item.ends()) return;
      const int first = item.first, steps = pass_.tiles - first - group_;
      tile_ = first + group_;
      if (steps > 0) {
        if constexpr (kDeferred) begin(item);
        meet_all(pass_.group * steps);
        keep(item);
        pass_over(group_);
      } else {
        pass_over(pass_.group * (pass_.tiles - first));
        shared_.own_empty[own_turn_.at].arrive();
      }
      own_turn_.advance();
    }
  }

 private:
  static constexpr int kPanels = Shape::kPanels;
  static constexpr bool kDeferred = kPanels == 1;

  // Own rows go to registers: shared memory, which products read from at its full rate where both operands are there,
  // is the bound else.
  __device__ __forceinline__ void begin(const Item& item) {
    load_scales(item);
    const auto& own = shared_.own[own_turn_.at][group_];
    load_operands<kPanels>(own.keys, keys_);
    load_operands<kPanels>(own.values, values_);
    shared_.own_empty[own_turn_.at].arrive();
  }

  // Stages that only other groups need.
  __device__ __forceinline__ void pass_over(int stages) {
    for (; stages > 0; --stages, turn_.advance()) {
      wait_for_stage();
      shared_.empty[turn_.at].arrive();
    }
  }

  __device__ __forceinline__ void wait_for_stage() const { shared_.full[turn_.at].wait(turn_.parity()); }

  // `steps` tiles of queries, head by head, all but what is to be passed over after the last head's.
  __device__ __forceinline__ void meet_all(int steps) {
    other_ = pass_.tiles - 1;
    late_ = -1;
    if constexpr (kDeferred) meet<true>();
#pragma unroll 1
    for (int step = kDeferred ? 1 : 0; step < steps; ++step) {
      if (other_ < tile_) {
        pass_over(group_);
        other_ = pass_.tiles - 1;
      }
      meet<false>();
    }
    if constexpr (kDeferred) {
      fence_registers();
      add_late();
    }
  }

  __device__ __forceinline__ void finish() {
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
    // Asked for before the products, which keep shared memory busy.
    float2 lses[kSums / 4];
    if constexpr (kDeferred) {
#pragma unroll
      for (int i = 0; i < kSums; i += 4) lses[i / 4] = marks_of(marks.lse, i);
    }
    fence_registers();
    if constexpr (kDeferred) {
      multiply<kPanels>(keys_, queries, weights);
      end_batch();
      multiply<kPanels>(values_, d_outs, gradients);
    } else {
      multiply<kPanels>(tile_operand(own.keys), queries, weights);
      end_batch();
      multiply<kPanels>(tile_operand(own.values), d_outs, gradients);
    }
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
    float2 deltas[kSums / 4];
    if constexpr (kDeferred) {
#pragma unroll
      for (int i = 0; i < kSums; i += 4) deltas[i / 4] = marks_of(marks.delta, i);
    }
#pragma unroll
    for (int i = 0; i < kSums; i += 4) {
      const float2 lse = kDeferred ? lses[i / 4] : marks_of(marks.lse, i);
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
      const float2 delta = kDeferred ? deltas[i / 4] : marks_of(marks.delta, i);
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
    --other_;
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

  // Of the queries of products i and i + 1, which those of i + 2 and i + 3 share.
  __device__ __forceinline__ static float2 marks_of(const float (&marks)[kTileTokens], int i) {
    return *reinterpret_cast<const float2*>(&marks[i / 4 * 8 + LanePlace::column()]);
  }

  __device__ __forceinline__ void free_late() {
    settle_all<kPanels>(key_sums_);
    settle_all<kPanels>(value_sums_);
    settle_all(rounded_weights_);
    settle_all(rounded_gradients_);
    if (late_ >= 0) shared_.empty[late_].arrive();
  }

  __device__ __forceinline__ void load_scales(const Item& item) {
    const MixedAttentionBackwardArgs& args = pass_.args;
    const int64_t token = int64_t{tile_} * kTileTokens;
    load_factors(args.q_scale, item.entry * args.tokens + token,
                 static_cast<int>(min(args.tokens - token, int64_t{kTileTokens})), q_scale_);
  }

  __device__ void keep(const Item& item) {
    const MixedAttentionBackwardArgs& args = pass_.args;
    const int64_t token = int64_t{tile_} * kTileTokens;
    const int64_t first = item.entry * args.tokens + token, column = item.head * args.dim;
    const auto count = static_cast<int>(min(args.tokens - token, int64_t{kTileTokens}));
    Turns<kPanels> turns;
    RowFactors values_by, keys_by;
    const auto divide_all = [&] {
      divide(dv_factor_, q_scale_, values_by);
      divide(dk_factor_, q_scale_, keys_by);
    };
    if constexpr (kDeferred) {
      divide_all();  // before the loads of turns, which a wait for anything loaded may wait for
      turns.load(args, token, count);
    }
    finish();
    if constexpr (!kDeferred) {
      shared_.own_empty[own_turn_.at].arrive();
      load_scales(item);
      divide_all();
    }
    keep_rows<kPanels>(value_sums_, args, args.dv, first, count, column, values_by);
    if constexpr (!kDeferred) turns.load(args, token, count);
    scale_all<kPanels>(args.scale, key_sums_);
    rotate_back<kPanels>(turns, static_cast<int>(args.dim), key_sums_);
    keep_rows<kPanels>(key_sums_, args, args.dk, first, count, column, keys_by);
  }

  KeyShared<Shape>& shared_;
  const BackwardPass& pass_;
  const int group_;
  const float dk_factor_, dv_factor_;
  Turn<Shape::kOwns> own_turn_;
  Turn<Shape::kStages> turn_;
  int tile_ = 0, other_ = 0;  // the own tile, that of the stage
  int late_ = 0;              // the stage whose products of weights run late
  bool starts_ = false;       // it is the first of an item
  RowFactors q_scale_;
  RowOperands<kPanels> keys_, values_;  // where kDeferred
  Sums<kPanels> key_sums_, value_sums_;
  Weights rounded_weights_ = {}, rounded_gradients_ = {};
};

// ---------------------------------------------------------------- kernels

// By one thread: barriers of rings that a thread fills, with others the own tiles, and kGroups groups empty. At those
// of what threads read and write themselves each one arrives, elsewhere one of a warp.
template <class Shape, class Shared>
__device__ void init_rings(Shared& shared, int own_bringers, int emptiers_of_group) {
  const auto init = [](auto& full, auto& empty, int bringers, int emptiers) {
    for (Barrier& each : full) each.init(bringers);
    for (Barrier& each : empty) each.init(Shape::kGroups * emptiers);
  };
  init(shared.own_full, shared.own_empty, own_bringers, kGroupThreads);
  init(shared.full, shared.empty, 1, emptiers_of_group);
  publish_barriers();
}

template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1) add_query_gradients(const __grid_constant__ BackwardPass pass) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  auto& shared = shared_of_block<QueryShared<Shape>>();
  if (threadIdx.x == 0) {
    for (Barrier& known : shared.known) known.init(1);
    init_rings<Shape>(shared, 1 + kWarp, kGroupWarps);
  }
  __syncthreads();
  wait_for_inputs();
  const unsigned group = group_of_thread();
  if (group == Shape::kGroups) {
    give_registers<24>();
    if (threadIdx.x % kGroupThreads == 0) bring_keys(shared, pass);
    if (threadIdx.x % kGroupThreads / kWarp == 1) bring_lse(shared, pass);
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
  if (threadIdx.x == 0) init_rings<Shape>(shared, 1, kGroupThreads);
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
void launch(const Exec& exec, void (*kernel)(BackwardPass), BackwardPass& pass, int64_t heads, bool last_first,
            int64_t line_rows) {
  constexpr int kBytes = kSharedBytes<Shared>;
  static_assert(kBytes <= 227 * 1024);
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes), kName);
  const MixedAttentionBackwardArgs& args = pass.args;
  const int64_t line_bytes = 2 * line_rows * args.dim * static_cast<int64_t>(sizeof(bf16));
  pass.schedule =
      Schedule(args.batch, heads, pass.tiles, Shape::kGroups, last_first, line_bytes, multiprocessors(exec));
  const auto blocks = std::min<unsigned>(pass.schedule.items, static_cast<unsigned>(multiprocessors(exec)));
  launch_early(exec, kName, kernel, blocks, Shape::kThreads, kBytes, pass);
}

template <class Queries, class Keys>
void run(const Exec& exec, const MixedAttentionBackwardArgs& args) {
  const int64_t tiles = ceil_div(args.tokens, kTileTokens);
  const Room marks(exec, static_cast<size_t>(args.batch * args.heads * tiles) * sizeof(Marks), kName);
  const Room taken(exec, 2 * sizeof(unsigned), kName);
  if (!marks || !taken) return;
  launch_early(exec, kName, clear_taken, 1, kWarp, 0, taken.as<unsigned>(), 2u);
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
                       taken.as<unsigned>(),
                       args.scale * kLog2E,
                       static_cast<int>(tiles),
                       static_cast<int>(args.heads / args.kv_heads)};
  launch<Queries, QueryShared<Queries>>(exec, add_query_gradients<Queries>, pass, args.heads, true, args.tokens);
  ++pass.taken;
  launch<Keys, KeyShared<Keys>>(exec, add_key_gradients<Keys>, pass, args.kv_heads, false, args.tokens * pass.group);
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
