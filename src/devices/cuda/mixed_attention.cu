// SPDX-License-Identifier: Apache-2.0
// Attention of mixed-precision training on GPUs of compute capability 9.0.
//
// A block's items are kGroups tiles of 64 queries of a head, one for each of its groups of four warps. One thread
// brings queries, and keys and values, 128 at a time, to rings of stages in shared memory. A group has its queries,
// scores, weights and sums in registers: scores of a step are multiplied while the products of the weights of the step
// before still run, and these run on while the new scores become weights.
//
// Weights are powers of 2 above a maximum that follows the scores' only when these leave it by more than kSlack: sums
// stay as exact, for all but their common factor is the same, and are seldom scaled.
//
// On an H100 with 32 x 1024 tokens x 12 heads of 64 lost: two groups whose queries are in registers instead of three (5
// % longer); sections of 16 MB instead of 6 (1 %, and 8 % with 64 x 512 tokens x 6 heads). While queries and keys came
// here unrotated, which took 205 us with a kernel for the keys, all other ways to rotate them took 225 to 372.
#include <algorithm>
#include <cmath>
#include <limits>

#include "devices/cuda/mixed_attention.cuh"
#include "devices/cuda/mixed_entries.h"

namespace tern::cuda {
namespace {

constexpr const char* kName = "mixed_attention";

struct AttentionPass {
  MixedAttentionArgs args;
  Schedule schedule;
  CUtensorMap queries, keys, values;
  unsigned* taken;  // of Work
  float power;      // of 2, of a score of 1
  bool negated;
  int group;  // heads that share a key head
};

// ---------------------------------------------------------------- attention

template <int kPanels_, int kGroups_, int kStages_, int kQueryStages_, int kRegisters_>
struct AttentionShape {
  static constexpr int kPanels = kPanels_, kGroups = kGroups_, kStages = kStages_, kQueryStages = kQueryStages_;
  static constexpr int kRegisters = kRegisters_;  // of a thread that multiplies, and of the others
  static constexpr int kHelperRegisters = kGroups == 2 ? 24 : 32;
  static_assert((kGroups * kRegisters + kHelperRegisters) * kGroupThreads <= 65536);
  static constexpr int kThreads = (kGroups + 1) * kGroupThreads;  // one group gives its registers to the others
};

constexpr int kStepHalves = 2, kStepTokens = kStepHalves * kTileTokens;

template <class Shape>
struct Shared {
  static constexpr int kTileBytes = Shape::kPanels * kPanelBytes, kOperandBytes = kStepHalves * kTileBytes;

  alignas(1024) uint8_t keys[Shape::kStages][kOperandBytes], values[Shape::kStages][kOperandBytes];
  alignas(1024) uint8_t queries[Shape::kQueryStages][Shape::kGroups][kTileBytes];
  Item items[Shape::kQueryStages];
  Barrier queries_full[Shape::kQueryStages], queries_empty[Shape::kQueryStages];
  Barrier keys_full[Shape::kStages], keys_empty[Shape::kStages];
  Barrier values_full[Shape::kStages], values_empty[Shape::kStages];
};

// Steps that an item of tiles from `first` on takes.
template <class Shape>
__device__ int steps_of(int first) {
  return (first + Shape::kGroups + kStepHalves - 1) / kStepHalves;
}

template <class Shape>
__device__ void bring(Shared<Shape>& shared, const AttentionPass& pass) {
  Work work(pass.schedule, pass.taken);
  Turn<Shape::kStages> turn;
  Turn<Shape::kQueryStages> query_turn;
  while (true) {
    const Item item = work.next();
    const int at = query_turn.at;
    Barrier& queries_full = shared.queries_full[at];
    shared.queries_empty[at].wait(query_turn.parity() ^ 1);
    shared.items[at] = item;
    if (item.ends()) return queries_full.arrive();
    queries_full.arrive_expecting(sizeof(shared.queries[0]));
    for (int i = 0; i < Shape::kGroups; ++i) {
      copy_head<Shape::kPanels, kTileTokens>(shared.queries[at][i], pass.queries, item.head,
                                             max(item.first + i, 0) * kTileTokens, item.entry, queries_full);
    }
    query_turn.advance();
    const int steps = steps_of<Shape>(item.first);
    for (int step = 0; step < steps; ++step, turn.advance()) {
      const auto bring = [&](uint8_t* to, const CUtensorMap& map, const Barrier& empty, Barrier& full) {
        empty.wait(turn.parity() ^ 1);
        full.arrive_expecting(Shared<Shape>::kOperandBytes);
        copy_head<Shape::kPanels, kStepTokens>(to, map, item.head / pass.group, step * kStepTokens, item.entry, full);
      };
      bring(shared.keys[turn.at], pass.keys, shared.keys_empty[turn.at], shared.keys_full[turn.at]);
      bring(shared.values[turn.at], pass.values, shared.values_empty[turn.at], shared.values_full[turn.at]);
    }
  }
}

// A group's 64 queries.
template <class Shape>
class GroupQueries {
 public:
  __device__ GroupQueries(Shared<Shape>& shared, const AttentionPass& pass, int group)
      : shared_(shared), pass_(pass), group_(group) {}

  __device__ void run() {
    while (true) {
      shared_.queries_full[query_turn_.at].wait(query_turn_.parity());
      const Item item = shared_.items[query_turn_.at];
      if (item.ends()) return;
      const int tile = item.first + group_;
      int steps = steps_of<Shape>(item.first);
      if (tile >= 0) {
        begin();
        meet_all(tile);
        keep(item, tile);
        steps -= tile / kStepHalves + 1;
      }
      if (kQueriesStay || tile < 0) shared_.queries_empty[query_turn_.at].arrive();
      query_turn_.advance();
      for (; steps > 0; --steps) pass_over();
    }
  }

 private:
  static constexpr int kPanels = Shape::kPanels, kSums = kPanelColumns / 2;  // of a lane, of a panel
  static constexpr int kColumnDepths = kPanels * kPanelColumns / kProductDepth;
  static constexpr int kTileDepths = kTileTokens / kProductDepth;
  static constexpr bool kQueriesStay = Shape::kGroups > 2;  // in shared memory: there are no registers for them
  static constexpr float kSlack = 8;                        // how far weights may exceed 1, as a power of 2

  __device__ void begin() {
    if constexpr (!kQueriesStay) {
      load_operands<kPanels>(shared_.queries[query_turn_.at][group_], queries_);
      shared_.queries_empty[query_turn_.at].arrive();
    }
#pragma unroll
    for (auto& panel : sums_) {
#pragma unroll
      for (float& sum : panel) sum = 0.0f;
    }
    weight_sums_[0] = weight_sums_[1] = 0.0f;
  }

  // Steps before the tile's own see all of their keys; that one only the tiles up to it.
  __device__ void meet_all(int tile) {
    const int whole = tile / kStepHalves;
    if (whole == 0) {
      tile % kStepHalves == 0 ? meet<true, 1, true>() : meet<true, 2, true>();
    } else {
      meet<true, 2, false>();
#pragma unroll 1
      for (int step = 1; step < whole; ++step) meet<false, 2, false>();
      tile % kStepHalves == 0 ? meet<false, 1, true>() : meet<false, 2, true>();
    }
    shared_.values_full[value_turn_.at].wait(value_turn_.parity());
    fence_registers();
    tile % kStepHalves == 0 ? add_values<1>() : add_values<2>();
    end_batch();
    end_value_step();
  }

  // The next step's scores and, unless it is the first, the products of the weights of the step before with the values.
  // Of the last of kHalves tiles, keys behind their query are not seen where kOwn.
  template <bool kFirst, int kHalves, bool kOwn>
  __device__ __forceinline__ void meet() {
    float scores[kHalves * kSums];
    shared_.keys_full[key_turn_.at].wait(key_turn_.parity());
    fence_registers();
    multiply<kHalves>(scores);
    end_batch();
    if constexpr (!kFirst) {
      shared_.values_full[value_turn_.at].wait(value_turn_.parity());
      fence_registers();
      add_values<kStepHalves>();
      end_batch();
    }
    wait_for_products<kFirst ? 0 : 1>();
    settle(scores);
    release(shared_.keys_empty[key_turn_.at]);
    key_turn_.advance();
    if (pass_.negated) negate(scores);
    if constexpr (kOwn) hide<kHalves>(scores);
    float factors[2];
    const bool scaled = follow<kFirst, kHalves>(scores, factors);
    weigh<kHalves>(scores);
    if constexpr (!kFirst) {
      end_value_step();
      if (scaled) scale_sums(factors);
    }
    round_weights(scores, weights_);
#pragma unroll
    for (auto& each : weights_) settle(each);
  }

  template <int kHalves>
  __device__ __forceinline__ void multiply(float (&scores)[kHalves * kSums]) {
    const uint64_t keys = tile_operand(shared_.keys[key_turn_.at]);
#pragma unroll
    for (int depth = 0; depth < kColumnDepths; ++depth) {
      const uint64_t columns = columns_of<kStepTokens>(keys, depth);
      if constexpr (kQueriesStay) {
        const uint64_t queries = tile_operand(shared_.queries[query_turn_.at][group_]);
        add_row_products(scores, columns_of<kTileTokens>(queries, depth), columns, depth > 0);
      } else {
        add_row_products(scores, queries_[depth], columns, depth > 0);
      }
    }
  }

  template <int kHalves>
  __device__ __forceinline__ void add_values() {
    const uint64_t values = tile_operand(shared_.values[value_turn_.at]);
#pragma unroll
    for (int depth = 0; depth < kHalves * kTileDepths; ++depth) {
#pragma unroll
      for (int panel = 0; panel < kPanels; ++panel) {
        add_weighted_rows(sums_[panel], weights_[depth],
                          values + panel * (kStepHalves * kPanelBytes / 16) + depth * kRowsStep, true);
      }
    }
  }

  __device__ __forceinline__ void end_value_step() {
    wait_for_products<0>();
#pragma unroll
    for (auto& panel : sums_) settle(panel);
#pragma unroll
    for (auto& each : weights_) settle(each);
    release(shared_.values_empty[value_turn_.at]);
    value_turn_.advance();
  }

  // A step that only other groups of the block need.
  __device__ void pass_over() {
    shared_.keys_full[key_turn_.at].wait(key_turn_.parity());
    release(shared_.keys_empty[key_turn_.at]);
    key_turn_.advance();
    shared_.values_full[value_turn_.at].wait(value_turn_.parity());
    release(shared_.values_empty[value_turn_.at]);
    value_turn_.advance();
  }

  template <int kCount>
  __device__ __forceinline__ static void negate(float (&scores)[kCount]) {
    __syncwarp();  // so that a branch around it stays one
#pragma unroll
    for (int i = 0; i < kCount; ++i) scores[i] = -scores[i];
  }

  // Of the last tile.
  template <int kHalves>
  __device__ __forceinline__ static void hide(float (&scores)[kHalves * kSums]) {
#pragma unroll
    for (int i = 0; i < kSums; ++i) {
      const int query = LanePlace::row() + i / 2 % 2 * 8, key = i / 4 * 8 + LanePlace::column() + i % 2;
      if (key > query) scores[(kHalves - 1) * kSums + i] = -std::numeric_limits<float>::infinity();
    }
  }

  // Whether sums have to be scaled, then by these factors.
  template <bool kFirst, int kHalves>
  __device__ __forceinline__ bool follow(const float (&scores)[kHalves * kSums], float (&factors)[2]) {
    float most[2];
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      most[row] = scores[2 * row];
#pragma unroll
      for (int i = 2 * row; i < kHalves * kSums; i += 4) most[row] = fmaxf(most[row], fmaxf(scores[i], scores[i + 1]));
      most[row] = max_of_lanes<4>(most[row]) * pass_.power;
    }
    if constexpr (kFirst) {
      most_[0] = most[0];
      most_[1] = most[1];
      return false;
    } else {
      if (!__any_sync(kAllLanes, most[0] > most_[0] + kSlack || most[1] > most_[1] + kSlack)) return false;
#pragma unroll
      for (int row = 0; row < 2; ++row) {
        most[row] = fmaxf(most[row], most_[row]);
        factors[row] = power_of_two(most_[row] - most[row]);
        most_[row] = most[row];
        weight_sums_[row] *= factors[row];
      }
      return true;
    }
  }

  template <int kHalves>
  __device__ __forceinline__ void weigh(float (&scores)[kHalves * kSums]) {
#pragma unroll
    for (int i = 0; i < kHalves * kSums; ++i) {
      scores[i] = power_of_two(fmaf(scores[i], pass_.power, -most_[i / 2 % 2]));
      weight_sums_[i / 2 % 2] += scores[i];
    }
  }

  __device__ __forceinline__ void scale_sums(const float (&factors)[2]) {
#pragma unroll
    for (auto& panel : sums_) {
#pragma unroll
      for (int i = 0; i < kSums; ++i) panel[i] *= factors[i / 2 % 2];
    }
  }

  __device__ void keep(const Item& item, int tile) {
    const MixedAttentionArgs& args = pass_.args;
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const int64_t token = int64_t{tile} * kTileTokens + LanePlace::row() + 8 * row;
      const float sum = sum_of_lanes<4>(weight_sums_[row]), factor = 1.0f / sum;
      if (token >= args.tokens) continue;
      if (lane_of_thread() % 4 == 0) args.lse[item.line * args.tokens + token] = (most_[row] + log2f(sum)) * kLn2;
      bf16* const out = args.out + ((item.entry * args.tokens + token) * args.heads + item.head) * args.dim;
#pragma unroll
      for (int panel = 0; panel < kPanels; ++panel) {
#pragma unroll
        for (int i = 2 * row; i < kSums; i += 4) {
          const int column = panel * kPanelColumns + i / 4 * 8 + LanePlace::column();
          if (column >= args.dim) continue;
          *reinterpret_cast<uint32_t*>(out + column) =
              bf16_pair(sums_[panel][i] * factor, sums_[panel][i + 1] * factor);
        }
      }
    }
  }

  Shared<Shape>& shared_;
  const AttentionPass& pass_;
  const int group_;
  Turn<Shape::kQueryStages> query_turn_;
  Turn<Shape::kStages> key_turn_, value_turn_;
  RowOperands<kPanels> queries_;
  uint32_t weights_[kStepHalves * kTileDepths][4];
  float sums_[kPanels][kSums];
  float most_[2], weight_sums_[2];  // of the rows; `most_` as a power of 2
};

template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1) attend(const __grid_constant__ AttentionPass pass) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  Shared<Shape>& shared = shared_of_block<Shared<Shape>>();
  if (threadIdx.x == 0) {
    for (int i = 0; i < Shape::kStages; ++i) {
      for (Barrier* full : {&shared.keys_full[i], &shared.values_full[i]}) full->init(1);
      for (Barrier* empty : {&shared.keys_empty[i], &shared.values_empty[i]}) empty->init(Shape::kGroups * kGroupWarps);
    }
    for (Barrier& full : shared.queries_full) full.init(1);
    for (Barrier& empty : shared.queries_empty) empty.init(Shape::kGroups * kGroupThreads);
    publish_barriers();
  }
  __syncthreads();
  wait_for_inputs();
  const unsigned group = group_of_thread();
  if (group == Shape::kGroups) {
    give_registers<Shape::kHelperRegisters>();
    if (threadIdx.x % kGroupThreads == 0) bring(shared, pass);
  } else {
    take_registers<Shape::kRegisters>();
    GroupQueries<Shape>(shared, pass, static_cast<int>(group)).run();
  }
#endif
}

// ---------------------------------------------------------------- launches

template <class Shape>
void launch(const Exec& exec, const MixedAttentionArgs& args, unsigned* taken) {
  constexpr int kBytes = kSharedBytes<Shared<Shape>>;
  static_assert(kBytes <= 227 * 1024);
  const int64_t line_bytes = 2 * args.tokens * args.dim * static_cast<int64_t>(sizeof(bf16));
  const Schedule schedule(args.batch, args.heads, ceil_div(args.tokens, kTileTokens), Shape::kGroups, true, line_bytes,
                          multiprocessors(exec));
  const auto map = [&](const bf16* rows, int64_t heads, int64_t stride, int box_tokens) {
    return map_of_heads(exec, kName, rows, args.batch, heads, args.tokens, args.dim, stride, box_tokens);
  };
  const AttentionPass pass = {args,
                              schedule,
                              map(args.q, args.heads, args.q_stride, kTileTokens),
                              map(args.k, args.kv_heads, args.k_stride, kStepTokens),
                              map(args.v, args.kv_heads, args.v_stride, kStepTokens),
                              taken,
                              std::max(std::abs(args.scale) * kLog2E, std::numeric_limits<float>::min()),
                              args.scale < 0,
                              static_cast<int>(args.heads / args.kv_heads)};
  const auto kernel = attend<Shape>;
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes), kName);
  const auto blocks = std::min<unsigned>(schedule.items, static_cast<unsigned>(multiprocessors(exec)));
  launch_early(exec, kName, kernel, blocks, Shape::kThreads, kBytes, pass);
}

}  // namespace

void mixed_attention(const Exec& exec, const MixedAttentionArgs& args) noexcept {
  if (args.batch * args.tokens * args.heads == 0) return;
  const Room taken(exec, sizeof(unsigned), kName);
  if (!taken) return;
  launch_early(exec, kName, clear_taken, 1, kWarp, 0, taken.as<unsigned>(), 1u);
  if (args.dim <= kPanelColumns) {
    launch<AttentionShape<1, 3, 4, 2, 160>>(exec, args, taken.as<unsigned>());
  } else {
    launch<AttentionShape<2, 2, 3, 1, 240>>(exec, args, taken.as<unsigned>());
  }
}

}  // namespace tern::cuda
