// SPDX-License-Identifier: Apache-2.0
// Gradients of attention of mixed-precision training on GPUs of compute capability 9.0.
//
// Where mixed_attention_lines.cu does not take them: one kernel for dq, which also makes D, one for dk and dv. A
// block's items are kGroups tiles of 64 rows of a head, one for each of its groups of four warps: queries, or keys. One
// thread brings the tiles that they meet to a ring of stages in shared memory: those of keys, ascending; or, head by
// head of the group, those of queries, descending, so that groups do not end together. No two blocks add to the same
// sums.
//
// On an H200 with 32 x 1024 tokens x 12 heads of 64 dq takes 189 us, dk and dv 235; 264 with the own rows in shared
// memory, marks that were asked for behind products and factors that were read for each tile. Lost: three groups for
// dq, whose queries then stay in shared memory (5 % longer); two blocks of one group each (dq 7 % longer, dk and dv 1 %
// shorter).
#include "devices/cuda/mixed_attention_gradients.cuh"
#include "devices/cuda/mixed_attention_keys.cuh"
#include "devices/cuda/mixed_entries.h"

namespace tern::cuda {
namespace {

constexpr const char* kName = "mixed_attention_backward";

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
  float lse[Shape::kOwns][Shape::kGroups][kTileTokens];  // as powers of 2
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
    Barrier& own_full = announce(shared, own_turn, item);
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

// Of the lane's rows of [first, first + count). Rows beyond the sequence's have what its last one has.
__device__ __forceinline__ void load_scales(const float* q_scale, int64_t first, int count, float (&scales)[2]) {
#pragma unroll
  for (int row = 0; row < 2; ++row) scales[row] = q_scale[first + min(LanePlace::row() + 8 * row, count - 1)];
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
        const auto count = tokens_of(pass_.args, tile);
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
    load_scales(args.q_scale, item.entry * args.tokens + int64_t{tile} * kTileTokens, count, q_scale_);
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
        marks.scores[LanePlace::row() + 8 * row] = -lse_[row] / pass_.power;
        marks.gradients[LanePlace::row() + 8 * row] = -delta_[row];
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
    multiply<kPanels>(queries_, tile_operand(stage.keys), false, weights);
    end_batch();
    multiply<kPanels>(d_outs_, tile_operand(stage.values), false, gradients);
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
    const RowFactors by = {1.0f / q_scale_[0], 1.0f / q_scale_[1]};
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
  float q_scale_[2];
  Turns<kPanels> turns_;
  Sums<kPanels> sums_;
  Weights rounded_ = {};
};

// ---------------------------------------------------------------- kernels

template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1) add_query_gradients(const __grid_constant__ BackwardPass pass) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  auto& shared = shared_of_block<QueryShared<Shape>>();
  if (threadIdx.x == 0) init_rings<Shape>(shared, Shape::kGroups, kGroupWarps);
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

struct Items : Work {
  using Work::Work;
  __device__ static CachePolicy policy() { return CachePolicy::evict_normal(); }
  __device__ void brought() {}
};

// A group's results, straight to memory.
template <class Shape>
class KeyResults {
 public:
  static constexpr bool kDirect = true;
  static constexpr int kPanels = Shape::kPanels;
  __device__ explicit KeyResults(const BackwardPass& pass) : args_(pass.args) {}

  __device__ __forceinline__ void take(const Weights&) {}
  __device__ __forceinline__ void pass_on() {}
  __device__ __forceinline__ void pass_over() {}
  __device__ __forceinline__ void pass_over_item() {}
  __device__ __forceinline__ void end() {}

  __device__ __forceinline__ void prepare(int tile) {
    if constexpr (kPanels == 1) load_turns(tile);  // of two panels there are no registers for them yet
  }

  __device__ __forceinline__ void keep(const Item& item, int tile, const uint8_t*, Sums<kPanels>& dk,
                                       const Sums<kPanels>& dv, const KeyFactors& by) {
    const int64_t first = item.entry * args_.tokens + int64_t{tile} * kTileTokens, column = item.head * args_.dim;
    keep_rows<kPanels>(dv, args_, args_.dv, first, tokens_of(args_, tile), column, by.values);
    if constexpr (kPanels > 1) load_turns(tile);
    scale_all<kPanels>(args_.scale, dk);
    rotate_back<kPanels>(turns_, static_cast<int>(args_.dim), dk);
    keep_rows<kPanels>(dk, args_, args_.dk, first, tokens_of(args_, tile), column, by.keys);
  }

 private:
  __device__ __forceinline__ void load_turns(int tile) {
    turns_.load(args_, int64_t{tile} * kTileTokens, tokens_of(args_, tile));
  }

  const MixedAttentionBackwardArgs& args_;
  Turns<kPanels> turns_;
};

template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1) add_key_gradients(const __grid_constant__ BackwardPass pass) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  auto& shared = shared_of_block<KeyShared<Shape>>();
  if (threadIdx.x == 0) init_rings<Shape>(shared, Shape::kGroups, kGroupThreads);
  __syncthreads();
  wait_for_inputs();
  const unsigned group = group_of_thread();
  if (group == Shape::kGroups) {
    give_registers<24>();
    bring_all(shared, pass, Items(pass.schedule, pass.taken));
  } else {
    take_registers<240>();
    GroupKeys<Shape, KeyResults<Shape>>(shared, pass, static_cast<int>(group), KeyResults<Shape>(pass)).run();
  }
#endif
}

// ---------------------------------------------------------------- launches

template <class Queries, class Keys>
void run(const Exec& exec, const MixedAttentionBackwardArgs& args) {
  const int64_t tiles = ceil_div(args.tokens, kTileTokens);
  const Room marks(exec, static_cast<size_t>(args.batch * args.heads * tiles) * sizeof(Marks), kName);
  const Room taken(exec, 2 * sizeof(unsigned), kName);
  if (!marks || !taken) return;
  launch_early(exec, kName, clear_taken, 1, kWarp, 0, taken.as<unsigned>(), 2u);
  BackwardPass pass = backward_pass(exec, kName, args, marks.as<Marks>(), taken.as<unsigned>());
  const int64_t row_bytes = 2 * args.dim * static_cast<int64_t>(sizeof(bf16));
  pass.schedule =
      Schedule(args.batch, args.heads, tiles, Queries::kGroups, true, args.tokens * row_bytes, multiprocessors(exec));
  launch_pass<Queries, QueryShared<Queries>>(exec, kName, add_query_gradients<Queries>, pass);
  pass.schedule = Schedule(args.batch, args.kv_heads, tiles, Keys::kGroups, false, args.tokens * pass.group * row_bytes,
                           multiprocessors(exec));
  ++pass.taken;
  launch_pass<Keys, KeyShared<Keys>>(exec, kName, add_key_gradients<Keys>, pass);
}

}  // namespace

void mixed_attention_backward(const Exec& exec, const MixedAttentionBackwardArgs& args) noexcept {
  if (args.batch * args.tokens == 0 || args.heads == 0) return;
  if (mixed_attention_backward_by_lines(exec, args)) return;
  if (args.dim <= kPanelColumns) {
    run<GradientShape<1, 2, 6, 2>, GradientShape<1, 2, 6, 2>>(exec, args);
  } else {
    run<GradientShape<2, 2, 3, 1>, GradientShape<2, 2, 4, 1>>(exec, args);
  }
}

}  // namespace tern::cuda
