// SPDX-License-Identifier: Apache-2.0
// Gradients of attention of mixed-precision training on GPUs of compute capability 9.0, all in one kernel: for heads of
// up to 64 columns whose lines, key heads of sequences, come in full rounds of all multiprocessors.
//
// A block takes a line. Two of its groups add up dk and dv as where dq has a kernel of its own
// (mixed_attention_keys.cuh), which would do two of its three products and all powers of 2 again. They leave the
// gradients of scores, keys by queries, in shared memory, from where a third group multiplies them by the keys. Its
// sums go from one pair of key tiles to the next through memory, in the order of its own lanes: each lane adds to what
// it has written itself, always in the same order, and where the last pair that a query sees is met, the sums become
// its gradient.
//
// On an H200 with 32 x 1024 tokens x 12 heads of 64 this takes 308 us and its marks 30, two kernels 424; a step of
// training of 110 M parameters is 2.1 % shorter. What blocks have at one time, 34 MB of sums, as much of queries and of
// their gradients, does not fit the L2 cache: 369 us and 1.14 GB of memory traffic where the cache treats all alike,
// 352 and 0.95 where it lets results and what is read once go first, 316 and 0.77 with all but the sums, 312 and 0.71
// with blocks that turn around. Lost: keeping 3, 6 or 9 of the tiles that are met most in the cache (0 to 9 % longer),
// marks that come twice so that no register is copied (7 % longer: shared memory reads them twice). With other lengths,
// whole steps beside those with two kernels: 2048 tokens in 1.45 rounds 0 %, 3072 in one round 0.8 % shorter, 4096 in
// 0.73 rounds 2.2 % longer.
#include "devices/cuda/bf16_tile.cuh"
#include "devices/cuda/mixed_attention_gradients.cuh"
#include "devices/cuda/mixed_attention_keys.cuh"
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/tensor_map.h"

namespace tern::cuda {
namespace {

constexpr const char* kName = "mixed_attention_backward";

struct Shape : GradientShape<1, 2, 4, 2> {
  static constexpr int kThreads = (kGroups + 2) * kGroupThreads;  // one group for queries
  static constexpr bool kTurnsAround = true;
};

constexpr int kLaneQuads = kSums / 4;  // of four sums of dq, of a tile
using TileSums = float4[kLaneQuads][kGroupThreads];
constexpr int64_t kMostSumsBytes = int64_t{128} << 20;  // of all blocks; more were not tried

struct LinesPass : BackwardPass {
  CUtensorMap dq, dk, dv, cos, sin;
  TileSums* sums;  // [block][head of a key head][tiles]
};

// ---------------------------------------------------------------- marks

// By 8 threads for each query; blocks take a tile of a head. That a norm's backward pass, which has both operands at
// hand, makes D saves 13 us of 30 of a layer of 32 x 1024 tokens x 12 heads of 64, and nothing of the whole step.
__global__ void __launch_bounds__(kGroupThreads) mark_queries(const __grid_constant__ BackwardPass pass) {
  let_next_start();
  wait_for_inputs();
  if (blockIdx.x == 0 && threadIdx.x == 0) *pass.taken = 0;
  const MixedAttentionBackwardArgs& args = pass.args;
  constexpr unsigned kLanes = kPanelColumns / 8, kRows = kGroupThreads / kLanes;
  const auto tiles = static_cast<unsigned>(pass.tiles), heads = static_cast<unsigned>(args.heads);
  const unsigned line = blockIdx.x / tiles, tile = blockIdx.x % tiles, column = threadIdx.x % kLanes * 8;
  Marks& marks = pass.marks[blockIdx.x];
#pragma unroll
  for (unsigned i = 0; i < kTileTokens / kRows; ++i) {
    const unsigned row = i * kRows + threadIdx.x / kLanes;
    const int64_t token = int64_t{tile} * kTileTokens + row;
    float delta = 0.0f;
    if (token < args.tokens && column < args.dim) {
      const int64_t at = ((line / heads * args.tokens + token) * heads + line % heads) * args.dim + column;
      const uint4 outs = *reinterpret_cast<const uint4*>(args.out + at);
      const uint4 d_outs = *reinterpret_cast<const uint4*>(args.d_out + at);
      const auto add = [&delta](uint32_t x, uint32_t y) {
        delta = fmaf(low_of(x), low_of(y), fmaf(high_of(x), high_of(y), delta));
      };
      add(d_outs.x, outs.x);
      add(d_outs.y, outs.y);
      add(d_outs.z, outs.z);
      add(d_outs.w, outs.w);
    }
    delta = sum_of_lanes<kLanes>(delta);
    if (threadIdx.x % kLanes == 0) {
      const float lse =
          token < args.tokens ? args.lse[line * args.tokens + token] * kLog2E : __int_as_float(0x7f800000);
      marks.scores[row] = -lse / pass.power;
      marks.gradients[row] = -delta;
    }
  }
}

// ---------------------------------------------------------------- shared memory

// Gradients of scores on their way from the groups of keys to the one of queries.
struct ScoreGradients {
  static constexpr int kCount = 2;
  alignas(1024) uint8_t keys_by_queries[kCount][Shape::kGroups][kPanelBytes];
  Barrier full[kCount], empty[kCount];
};

// cos and sin of the item's tokens: rows of 32 columns, in the order of tensor maps.
struct ItemTurns {
  alignas(1024) uint8_t cos[Shape::kGroups][kPanelBytes], sin[Shape::kGroups][kPanelBytes];
  Barrier full, empty;
};

struct Shared {
  KeyShared<Shape> keys;
  ScoreGradients gradients;
  ItemTurns turns;
  alignas(1024) uint8_t key_results[Shape::kGroups][kPanelBytes];

  __device__ void init() {
    for (Barrier& each : gradients.full) each.init(Shape::kGroups * kGroupWarps);
    for (Barrier& each : gradients.empty) each.init(kGroupWarps);
    turns.full.init(1);
    turns.empty.init((Shape::kGroups + 1) * kGroupWarps);
    init_rings<Shape>(keys, Shape::kGroups + 1, kGroupThreads);
  }
};

// ---------------------------------------------------------------- results

// A group's results, by way of shared memory.
class GroupResults {
 public:
  __device__ GroupResults(ItemTurns& turns, const MixedAttentionBackwardArgs& args, unsigned group)
      : turns_(turns), dim_(static_cast<int>(args.dim)), scale_(args.scale), group_(group) {}

  __device__ bool copies() const { return threadIdx.x % kGroupThreads == 0; }

  // The sums times `by`, a tile of the head, to memory by way of `panel`. The thread that copies() may wait for its
  // reads.
  __device__ __forceinline__ void keep(const Sums<1>& sums, const RowFactors& by, uint8_t* panel,
                                       const CUtensorMap& map, int entry, int head, int tile) const {
    Products products;
#pragma unroll
    for (int i = 0; i < kSums; ++i) products[i] = sums[0][i] * by[i / 2 % 2];
    Weights rounded;
    round_weights(products, rounded);
    store_operands(rounded, panel);
    publish_to_copies();
    sync_groups<1>(1 + group_);
    if (!copies()) return;
    store_box(map, 0, head, tile * kTileTokens, entry, panel, CachePolicy::evict_first());
    end_stores();
  }

  // Gradients of rotated heads become those of heads before, times the scale of scores. `tile` is of the item.
  __device__ __forceinline__ void rotate_back_scaled(int tile, Sums<1>& sums) {
    scale_all<1>(scale_, sums);
    turns_.full.wait(parity_);
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float2 cos[Turns<1>::kBlocks], sin[Turns<1>::kBlocks];
#pragma unroll
      for (int block = 0; block < Turns<1>::kBlocks; ++block) {
        cos[block] = turn_at(turns_.cos[tile], row, block);
        sin[block] = turn_at(turns_.sin[tile], row, block);
      }
      rotate_row_back<1>(cos, sin, dim_, row, sums);
      settle_all<1>(sums);  // before the next row's are read, for which there are no registers
    }
  }

  // The group is done with the item's turns.
  __device__ __forceinline__ void release_turns() {
    turns_.full.wait(parity_);  // or a group without a use for them could be an item ahead
    release(turns_.empty);
    parity_ ^= 1;
  }

 private:
  __device__ __forceinline__ static float2 turn_at(const uint8_t* panel, int row_half, int block) {
    const unsigned row = static_cast<unsigned>(LanePlace::row() + 8 * row_half), lane = lane_of_thread();
    return *reinterpret_cast<const float2*>(
        panel + piece_of_panels(row, static_cast<unsigned>(block) * 2 + lane % 4 / 2) + lane % 2 * 8);
  }

  ItemTurns& turns_;
  const int dim_;
  const float scale_;
  const unsigned group_;
  unsigned parity_ = 0;
};

// ---------------------------------------------------------------- dk and dv

// Of a group of keys.
class KeyResults {
 public:
  static constexpr bool kDirect = false;
  __device__ KeyResults(Shared& shared, const LinesPass& pass, int group)
      : shared_(shared), pass_(pass), results_(shared.turns, pass.args, group), group_(group) {}

  __device__ __forceinline__ void take(const Weights& gradients) {
    wait();
    store_operands(gradients, shared_.gradients.keys_by_queries[turn_.at][group_]);
    waiting_ = true;
  }

  // Later, for what was stored takes a while to be there.
  __device__ __forceinline__ void pass_on() {
    if (!waiting_) return;
    publish_to_copies();
    give();
    waiting_ = false;
  }

  __device__ __forceinline__ void pass_over() {
    wait();
    give();
  }

  __device__ __forceinline__ void pass_over_item() { results_.release_turns(); }

  __device__ __forceinline__ void prepare(int) {}

  __device__ __forceinline__ void keep(const Item& item, int tile, uint8_t* values, Sums<1>& dk, const Sums<1>& dv,
                                       const KeyFactors& by) {
    sync_groups<1>(1 + group_);  // all have read the values
    results_.keep(dv, by.values, values, pass_.dv, item.entry, item.head, tile);
    results_.rotate_back_scaled(group_, dk);
    results_.release_turns();
    results_.keep(dk, by.keys, shared_.key_results[group_], pass_.dk, item.entry, item.head, tile);
    if (results_.copies()) wait_for_reads();
  }

  __device__ __forceinline__ void end() {
    if (results_.copies()) wait_for_stores();
  }

 private:
  __device__ __forceinline__ void wait() const { shared_.gradients.empty[turn_.at].wait(turn_.parity() ^ 1); }
  __device__ __forceinline__ void give() {
    release(shared_.gradients.full[turn_.at]);
    turn_.advance();
  }

  Shared& shared_;
  const LinesPass& pass_;
  GroupResults results_;
  const int group_;
  Turn<ScoreGradients::kCount> turn_;
  bool waiting_ = false;
};

// ---------------------------------------------------------------- dq

// The group of queries: all tiles in the order of the groups of keys.
class AllQueries {
 public:
  __device__ AllQueries(Shared& shared, const LinesPass& pass)
      : shared_(shared),
        pass_(pass),
        results_(shared.turns, pass.args, Shape::kGroups),
        all_sums_(pass.sums + int64_t{blockIdx.x} * pass.group * pass.tiles) {}

  __device__ void run() {
    const int tiles = pass_.tiles, heads = pass_.group;
    while (true) {
      shared_.keys.own_full[own_turn_.at].wait(own_turn_.parity());
      const Item item = shared_.keys.items[own_turn_.at];
      if (item.ends()) break;
      for (int head = 0; head < heads; ++head) {
#pragma unroll 1
        for (int step = 0; step < tiles - item.first; ++step) meet(item, head, query_tile<Shape>(item, tiles, step));
      }
      results_.release_turns();
      shared_.keys.own_empty[own_turn_.at].arrive();
      own_turn_.advance();
    }
    if (results_.copies()) wait_for_stores();
  }

 private:
  __device__ __forceinline__ void meet(const Item& item, int head, int tile) {
    const bool starts = item.first == 0, ends = tile < item.first + Shape::kGroups;
    TileSums& kept = all_sums_[head * pass_.tiles + tile];
    float(&sums)[kSums] = sums_[0];
    const unsigned lane = threadIdx.x % kGroupThreads;
    if (ends && !starts) {
#pragma unroll
      for (int i = 0; i < kLaneQuads; ++i) {
        const float4 quad = __ldcg(&kept[i][lane]);
        sums[4 * i] = quad.x, sums[4 * i + 1] = quad.y, sums[4 * i + 2] = quad.z, sums[4 * i + 3] = quad.w;
      }
    }
    shared_.gradients.full[turn_.at].wait(turn_.parity());
    settle(sums);
    fence_registers();
    const auto& own = shared_.keys.own[own_turn_.at];
    auto& gradients = shared_.gradients.keys_by_queries[turn_.at];
    add_keys(gradients[0], own[0].keys, ends && !starts);
    if (tile > item.first) add_keys(gradients[1], own[1].keys, true);
    end_batch();
    wait_for_products<0>();
    settle(sums);
    if (ends) {
      results_.rotate_back_scaled(tile - item.first, sums_);
      sync_groups<1>(1 + Shape::kGroups);  // all have read the gradients, whose place the results take
      const float(&factors)[kTileTokens] = shared_.keys.factors[own_turn_.at][tile - item.first].queries;
      const RowFactors by = {factors[LanePlace::row()], factors[LanePlace::row() + 8]};
      results_.keep(sums_, by, gradients[0], pass_.dq, item.entry, item.head * pass_.group + head, tile);
      if (results_.copies()) wait_for_reads();
    }
    release(shared_.gradients.empty[turn_.at]);
    turn_.advance();
    if (ends) return;
#pragma unroll
    for (int i = 0; i < kLaneQuads; ++i) {
      const float4 quad = {sums[4 * i], sums[4 * i + 1], sums[4 * i + 2], sums[4 * i + 3]};
      if (starts) {
        __stcg(&kept[i][lane], quad);
      } else {
        asm volatile(
            "red.relaxed.gpu.global.add.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(&kept[i][lane])),
            "f"(quad.x), "f"(quad.y), "f"(quad.z), "f"(quad.w)
            : "memory");
      }
    }
  }

  __device__ __forceinline__ void add_keys(const uint8_t* gradients, const uint8_t* keys, bool adds) {
#pragma unroll
    for (int depth = 0; depth < kTileDepths; ++depth) {
      add_columns_by_rows(sums_[0], tile_operand(gradients) + depth * kRowsStep, tile_operand(keys) + depth * kRowsStep,
                          depth > 0 || adds);
    }
  }

  Shared& shared_;
  const LinesPass& pass_;
  GroupResults results_;
  TileSums* const all_sums_;
  Turn<Shape::kOwns> own_turn_;
  Turn<ScoreGradients::kCount> turn_;
  Sums<1> sums_;
};

// ---------------------------------------------------------------- kernel

// The items of whole lines, one line after the other, and their turns.
class WholeLines {
 public:
  __device__ WholeLines(Shared& shared, const LinesPass& pass)
      : shared_(shared), pass_(pass), work_(pass.schedule, pass.taken) {}

  __device__ Item next() {
    item_.first += Shape::kGroups;
    if (item_.ends() || item_.first >= pass_.tiles) item_ = work_.next();
    return item_;
  }

  // What blocks have at the same time does not fit the cache beside their sums of dq, which are read and written.
  __device__ static CachePolicy policy() { return CachePolicy::evict_first(); }

  // The turns, which are needed last; the item before needs its own until its end.
  __device__ void brought() {
    ItemTurns& turns = shared_.turns;
    turns.empty.wait(parity_ ^ 1);
    parity_ ^= 1;
    turns.full.arrive_expecting(sizeof(turns.cos) + sizeof(turns.sin));
    for (int i = 0; i < Shape::kGroups; ++i) {
      const int token = (item_.first + i) * kTileTokens;
      copy_box(turns.cos[i], pass_.cos, 0, token, turns.full);
      copy_box(turns.sin[i], pass_.sin, 0, token, turns.full);
    }
  }

 private:
  Shared& shared_;
  const LinesPass& pass_;
  Work work_;
  Item item_ = {-1, 0, 0, 0};
  unsigned parity_ = 0;
};

__global__ void __launch_bounds__(Shape::kThreads, 1) add_gradients(const __grid_constant__ LinesPass pass) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  auto& shared = shared_of_block<Shared>();
  if (threadIdx.x == 0) shared.init();
  __syncthreads();
  wait_for_inputs();
  const unsigned group = group_of_thread();
  if (group == Shape::kGroups + 1) {
    give_registers<24>();
    bring_all(shared.keys, pass, WholeLines(shared, pass));
  } else if (group == Shape::kGroups) {
    give_registers<72>();
    AllQueries(shared, pass).run();
  } else {
    take_registers<208>();
    const auto tile = static_cast<int>(group);
    GroupKeys<Shape, KeyResults>(shared.keys, pass, tile, {shared, pass, tile}).run();
  }
#endif
}

}  // namespace

bool mixed_attention_backward_by_lines(const Exec& exec, const MixedAttentionBackwardArgs& args) noexcept {
  const int64_t lines = args.batch * args.kv_heads, at_once = multiprocessors(exec), blocks = std::min(lines, at_once);
  const int64_t tiles = ceil_div(args.tokens, kTileTokens), group = args.heads / args.kv_heads, half = args.dim / 2;
  const int64_t sums_bytes = blocks * group * tiles * static_cast<int64_t>(sizeof(TileSums));
  const bool busy = 7 * lines >= 6 * at_once * ceil_div(lines, at_once);  // nearly all blocks have as much to do
  if (args.dim > kPanelColumns || !busy || sums_bytes > kMostSumsBytes) return false;
  const Room marks(exec, static_cast<size_t>(args.batch * args.heads * tiles) * sizeof(Marks), kName);
  const Room sums(exec, static_cast<size_t>(sums_bytes), kName);
  const Room taken(exec, sizeof(unsigned), kName);
  if (!marks || !sums || !taken) return true;
  const auto map = [&](bf16* rows, int64_t heads) {
    return map_of_heads(exec, kName, rows, args.batch, heads, args.tokens, args.dim, args.d_stride, kTileTokens);
  };
  const auto turns = [&](const float* rows) {
    return make_map(exec, kName, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, rows, half, args.tokens, half * 4, kPanelRowBytes / 4,
                    kTileTokens, CU_TENSOR_MAP_SWIZZLE_128B);
  };
  LinesPass pass = {backward_pass(exec, kName, args, marks.as<Marks>(), taken.as<unsigned>()),
                    map(args.dq, args.heads),
                    map(args.dk, args.kv_heads),
                    map(args.dv, args.kv_heads),
                    turns(args.cos),
                    turns(args.sin),
                    sums.as<TileSums>()};
  launch_early(exec, kName, mark_queries, static_cast<unsigned>(args.batch * args.heads * tiles), kGroupThreads, 0,
               static_cast<const BackwardPass&>(pass));
  const int64_t line_bytes = 2 * args.tokens * group * args.dim * static_cast<int64_t>(sizeof(bf16));
  pass.schedule =
      Schedule(args.batch, args.kv_heads, tiles, static_cast<int>(tiles), false, line_bytes, multiprocessors(exec));
  launch_pass<Shape, Shared>(exec, kName, add_gradients, pass);
  return true;
}

}  // namespace tern::cuda
