// SPDX-License-Identifier: Apache-2.0
// Gradients of keys and values of attention in bf16 by groups of four warps, each with its tile of keys. compute_90a.
#pragma once

#include "devices/cuda/mixed_attention_gradients.cuh"

namespace tern::cuda {

// What gradients of a tile's tokens are multiplied by at last.
struct Factors {
  float queries[kTileTokens], keys[kTileTokens], values[kTileTokens];
};

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
  Marks marks[Shape::kStages];
  Factors factors[Shape::kOwns][Shape::kGroups];
  Item items[Shape::kOwns];
  Barrier known[Shape::kOwns];  // items
  Barrier own_full[Shape::kOwns], own_empty[Shape::kOwns], full[Shape::kStages], empty[Shape::kStages];
};

// The tile of queries that is met at a step of an item, for each head: from the last one down; or, where blocks turn
// around, at every second item of a line up, which begins with what was met last, but for the own tiles, which are
// last.
template <class Shape>
__device__ int query_tile(const Item& item, int tiles, int step) {
  const bool up = Shape::kTurnsAround && item.first / Shape::kGroups % 2 == 1;
  const int others = tiles - item.first - Shape::kGroups;
  return up && step < others ? item.first + Shape::kGroups + step : tiles - 1 - step;
}

// By one thread: the items that next() gives and their own tiles, after each of which brought() is called.
template <class Shape, class Items>
__device__ void bring_own(KeyShared<Shape>& shared, const BackwardPass& pass, Items&& items) {
  const CachePolicy policy = items.policy();
  for (Turn<Shape::kOwns> own_turn;; own_turn.advance()) {
    const Item item = items.next();
    Barrier& own_full = announce(shared, own_turn, item);
    if (item.ends()) return own_full.arrive();
    own_full.arrive_expecting(sizeof(shared.own[0]));
    for (int i = 0; i < Shape::kGroups; ++i) {  // beyond the sequence zeros
      auto& own = shared.own[own_turn.at][i];
      const int token = (item.first + i) * kTileTokens;
      copy_head<Shape::kPanels, kTileTokens>(own.keys, pass.keys, item.head, token, item.entry, own_full, policy);
      copy_head<Shape::kPanels, kTileTokens>(own.values, pass.values, item.head, token, item.entry, own_full, policy);
    }
    items.brought();
  }
}

// By one thread: the tiles of queries that these items meet.
template <class Shape>
__device__ void bring_queries(KeyShared<Shape>& shared, const BackwardPass& pass, CachePolicy policy) {
  constexpr int kPanels = Shape::kPanels;
  const auto heads = static_cast<int>(pass.args.heads);
  Turn<Shape::kStages> turn;
  for (Turn<Shape::kOwns> own_turn;; own_turn.advance()) {
    shared.known[own_turn.at].wait(own_turn.parity());
    const Item item = shared.items[own_turn.at];
    if (item.ends()) return;
    for (int head = item.head * pass.group; head < (item.head + 1) * pass.group; ++head) {
      const Marks* const marks = pass.marks + (int64_t{item.entry} * heads + head) * pass.tiles;
      for (int step = 0; step < pass.tiles - item.first; ++step, turn.advance()) {
        const int tile = query_tile<Shape>(item, pass.tiles, step);
        shared.empty[turn.at].wait(turn.parity() ^ 1);
        Barrier& full = shared.full[turn.at];
        full.arrive_expecting(sizeof(shared.stages[0]) + sizeof(shared.marks[0]));
        auto& stage = shared.stages[turn.at];
        copy_head<kPanels, kTileTokens>(stage.queries, pass.queries, head, tile * kTileTokens, item.entry, full,
                                        policy);
        copy_head<kPanels, kTileTokens>(stage.d_outs, pass.d_outs, head, tile * kTileTokens, item.entry, full, policy);
        copy_in_bulk(&shared.marks[turn.at], marks + tile, sizeof(Marks), full);
      }
    }
  }
}

// By a warp: the own tiles' factors.
template <class Shape>
__device__ void bring_factors(KeyShared<Shape>& shared, const BackwardPass& pass) {
  const MixedAttentionBackwardArgs& args = pass.args;
  const float dk_factor = number_of(args.dk_factor), dv_factor = number_of(args.dv_factor);
  for (Turn<Shape::kOwns> own_turn;; own_turn.advance()) {
    shared.own_empty[own_turn.at].wait(own_turn.parity() ^ 1);
    shared.known[own_turn.at].wait(own_turn.parity());
    const Item item = shared.items[own_turn.at];
    if (item.ends()) return shared.own_full[own_turn.at].arrive();
    constexpr int kRows = Shape::kGroups * kTileTokens / kWarp;  // of a lane
    const int lane = static_cast<int>(lane_of_thread());
    const int left = static_cast<int>(args.tokens) - item.first * kTileTokens;
    const float* const from = args.q_scale + item.entry * args.tokens + int64_t{item.first} * kTileTokens;
    float q_scale[kRows];
#pragma unroll
    for (int i = 0; i < kRows; ++i) q_scale[i] = i * kWarp + lane < left ? from[i * kWarp + lane] : 1.0f;
#pragma unroll
    for (int i = 0; i < kRows; ++i) {
      const int row = i * kWarp + lane;
      Factors& to = shared.factors[own_turn.at][row / kTileTokens];
      to.queries[row % kTileTokens] = 1.0f / q_scale[i];
      to.keys[row % kTileTokens] = dk_factor / q_scale[i];
      to.values[row % kTileTokens] = dv_factor / q_scale[i];
    }
    shared.own_full[own_turn.at].arrive();
  }
}

// Those of the lane's rows.
struct KeyFactors {
  RowFactors keys, values;
};

// A warp for each, of the group that multiplies nothing.
template <class Shape, class Items>
__device__ void bring_all(KeyShared<Shape>& shared, const BackwardPass& pass, Items&& items) {
  const unsigned warp = threadIdx.x % kGroupThreads / kWarp, lane = lane_of_thread();
  if (warp == 0 && lane == 0) bring_queries(shared, pass, items.policy());
  if (warp == 1) bring_factors(shared, pass);
  if (warp == 2 && lane == 0) bring_own(shared, pass, items);
}

// A group's 64 keys. `results` is told
//   take(gradients)                       those of the scores of each stage, keys by queries,
//   pass_on()                             when it may take its time with these: after the next stage's products began,
//   pass_over()                           of each stage that has none,
//   prepare(tile)                         before the last products of an item are done,
//   keep(item, tile, values, dk, dv, by)  the sums, and where the own values are, which it may overwrite,
//   pass_over_item()                      of an item without a tile for the group,
//   end()                                 before the block ends.
// kDirect: it has no use for shared memory and few registers.
template <class Shape, class Results>
class GroupKeys {
 public:
  __device__ GroupKeys(KeyShared<Shape>& shared, const BackwardPass& pass, int group, const Results& results)
      : shared_(shared), pass_(pass), group_(group), results_(results), column_(LanePlace::column()) {
    asm volatile("" : "+r"(column_));  // it stays in its register: to ask for the thread takes a while
  }

  __device__ void run() {
    while (true) {
      shared_.own_full[own_turn_.at].wait(own_turn_.parity());
      const Item item = shared_.items[own_turn_.at];
      if (item.ends()) return results_.end();
      const int first = item.first, steps = pass_.tiles - first - group_;
      tile_ = first + group_;
      if (steps > 0) {
        if constexpr (kDeferred) begin();
        meet_all(pass_.group * steps);
        keep(item);
        pass_over(group_);
      } else {
        pass_over(pass_.group * (pass_.tiles - first));
        results_.pass_over_item();
        shared_.own_empty[own_turn_.at].arrive();
      }
      own_turn_.advance();
    }
  }

 private:
  static constexpr int kPanels = Shape::kPanels;
  static constexpr bool kDeferred = kPanels == 1, kHoldsValues = kDeferred && Results::kDirect;

  // Own rows go to registers: shared memory, which products read from at its full rate where both operands are there,
  // is the bound else.
  __device__ __forceinline__ void begin() {
    clear(key_sums_);
    clear(value_sums_);
    const auto& own = shared_.own[own_turn_.at][group_];
    load_operands<kPanels>(own.keys, keys_);
    if constexpr (kHoldsValues) load_operands<kPanels>(own.values, values_);
  }

  __device__ __forceinline__ static void clear(Sums<kPanels>& sums) {
#pragma unroll
    for (auto& panel : sums) {
#pragma unroll
      for (int i = 0; i < kSums; ++i) panel[i] = 0.0f;
    }
  }

  // Stages that only other groups need.
  __device__ __forceinline__ void pass_over(int stages) {
    for (; stages > 0; --stages, turn_.advance()) {
      wait_for_stage();
      shared_.empty[turn_.at].arrive();
      results_.pass_over();
    }
  }

  __device__ __forceinline__ void wait_for_stage() const { shared_.full[turn_.at].wait(turn_.parity()); }

  // `steps` tiles of queries, head by head, all but what is to be passed over after the last head's.
  __device__ __forceinline__ void meet_all(int steps) {
    left_ = pass_.tiles - tile_ + group_;
    late_ = -1;
    if constexpr (kDeferred) meet<true>();
#pragma unroll 1
    for (int step = kDeferred ? 1 : 0; step < steps; ++step) {
      if (left_ == group_) {
        results_.pass_on();
        pass_over(group_);
        left_ = pass_.tiles - tile_ + group_;
      }
      meet<false>();
    }
    if constexpr (kDeferred) {
      fence_registers();
      add_late();
      results_.pass_on();
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
    begin_with(marks.scores, weights);
    begin_with(marks.gradients, gradients);
    fence_registers();
    if constexpr (kDeferred) {
      multiply<kPanels>(keys_, queries, true, weights);
    } else {
      multiply<kPanels>(tile_operand(own.keys), queries, true, weights);
    }
    end_batch();
    if constexpr (kHoldsValues) {
      multiply<kPanels>(values_, d_outs, true, gradients);
    } else {
      multiply<kPanels>(tile_operand(own.values), d_outs, true, gradients);
    }
    end_batch();
    if constexpr (kFirst) {
      wait_for_products<1>();
    } else if constexpr (kDeferred) {
      add_late();
      results_.pass_on();
      wait_for_products<2>();
    } else {
      wait_for_products<2>();
      free_late();
      wait_for_products<1>();
    }
    settle(weights);
#pragma unroll
    for (int i = 0; i < kSums; ++i) weights[i] = power_of_two(weights[i] * pass_.power);
    if (left_ == group_ + 1) hide<true>(weights);  // the own tokens
    if constexpr (!kDeferred) add_weights(weights, rounded_weights_, d_outs, adds, value_sums_);
    wait_for_products<kFirst || !kDeferred ? 0 : 1>();
    settle(gradients);
#pragma unroll
    for (int i = 0; i < kSums; ++i) gradients[i] *= weights[i];
    if constexpr (kDeferred) {
      if constexpr (!kFirst) {
        wait_for_products<0>();
        free_late();
      }
      round_weights(weights, rounded_weights_);
      round_weights(gradients, rounded_gradients_);
      settle_all(rounded_weights_);
      settle_all(rounded_gradients_);
      results_.take(rounded_gradients_);
    } else {
      add_weights(gradients, rounded_gradients_, queries, adds, key_sums_);
    }
    late_ = turn_.at;
    turn_.advance();
    --left_;
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
    add_rows<kPanels>(rounded_weights_, tile_operand(stage.d_outs), true, value_sums_);
    add_rows<kPanels>(rounded_gradients_, tile_operand(stage.queries), true, key_sums_);
    end_batch();
  }

  // Each row with the marks of the columns' queries.
  __device__ __forceinline__ void begin_with(const float (&marks)[kTileTokens], Products& products) const {
#pragma unroll
    for (int i = 0; i < kSums; i += 4) {
      const auto pair = *reinterpret_cast<const float2*>(&marks[2 * i + column_]);
      products[i] = products[i + 2] = pair.x;
      products[i + 1] = products[i + 3] = pair.y;
    }
    settle(products);
  }

  __device__ __forceinline__ void free_late() {
    settle_all<kPanels>(key_sums_);
    settle_all<kPanels>(value_sums_);
    settle_all(rounded_weights_);
    settle_all(rounded_gradients_);
    if (late_ >= 0) shared_.empty[late_].arrive();
  }

  __device__ __forceinline__ void keep(const Item& item) {
    results_.prepare(tile_);
    finish();
    const Factors& factors = shared_.factors[own_turn_.at][group_];
    const int row = LanePlace::row();
    const KeyFactors by = {{factors.keys[row], factors.keys[row + 8]}, {factors.values[row], factors.values[row + 8]}};
    if constexpr (Results::kDirect) shared_.own_empty[own_turn_.at].arrive();
    results_.keep(item, tile_, shared_.own[own_turn_.at][group_].values, key_sums_, value_sums_, by);
    if constexpr (!Results::kDirect) shared_.own_empty[own_turn_.at].arrive();
  }

  KeyShared<Shape>& shared_;
  const BackwardPass& pass_;
  const int group_;
  Results results_;
  int column_;  // of LanePlace
  Turn<Shape::kOwns> own_turn_;
  Turn<Shape::kStages> turn_;
  int tile_ = 0, left_ = 0;             // the own tile; tiles of a head that are left
  int late_ = 0;                        // the stage whose products of weights run late
  RowOperands<kPanels> keys_, values_;  // where kDeferred, kHoldsValues
  Sums<kPanels> key_sums_, value_sums_;
  Weights rounded_weights_ = {}, rounded_gradients_ = {};
};

}  // namespace tern::cuda
