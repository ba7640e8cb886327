// SPDX-License-Identifier: Apache-2.0
// The best token of a row whose scores are known by bounds, in three kernels that overlap: the greatest lower bound of
// each slice of the row, unless leaders are known; then each block takes a part of the row, computes the leader's score
// for itself, which costs less than to wait for another block's, and the scores of those of its tokens that may reach
// it; then the parts' best.
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "devices/cuda/dot_tile.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/linear_bf16_weights.h"
#include "devices/cuda/score_bits.cuh"
#include "devices/cuda/score_entries.h"
#include "devices/cuda/span_sums.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {
namespace {

// ---------------------------------------------------------------- the leader

constexpr int kSliceThreads = 256;

__device__ RowBits bits_of(const BestScoresArgs& args, int64_t row) {
  return args.query == nullptr ? RowBits() : RowBits(args.query[row], args.bits);
}

template <int kWarps>
struct LeaderMemory {
  LeaderKey keys[kWarps];
  LeadingBound leader;
};

// The leader of those that the threads of a block have, for all of them. `memory` is shared.
template <int kWarps>
__device__ LeadingBound leader_of_block(LeaderMemory<kWarps>& memory, const LeadingBound& own) {
  const unsigned lane = threadIdx.x % kWarp;
  const LeaderKey key = leader_key(own), of_warp = greatest_of_lanes(key);
  if (lane == 0) memory.keys[threadIdx.x / kWarp] = of_warp;
  __syncthreads();
  const LeaderKey greatest = greatest_of_lanes(lane < kWarps ? memory.keys[lane] : 0);
  if (greatest == 0) return {-INFINITY, -INFINITY, -1};
  if (key == greatest) memory.leader = own;
  __syncthreads();
  return memory.leader;
}

// Of scores, leaders [rows, kLeadingBounds]: of slices of `slice` tokens.
__global__ void __launch_bounds__(kSliceThreads)
    greatest_lows(BestScoresArgs args, int64_t slice, LeadingBound* __restrict__ leaders) {
  __shared__ LeaderMemory<kSliceThreads / kWarp> memory;
  let_next_start();
  wait_for_inputs();
  for (int64_t at = blockIdx.x; at < args.rows * kLeadingBounds; at += gridDim.x) {
    const int64_t row = at / kLeadingBounds, first = at % kLeadingBounds * slice;
    const RowBits bits = bits_of(args, row);
    LeadingBound own = {-INFINITY, -INFINITY, -1};
    for (int64_t i = first + threadIdx.x; i < min(first + slice, args.n); i += kSliceThreads) {
      const auto id = static_cast<uint32_t>(i);
      if (!bits.allowed(id)) continue;
      const int64_t value = row * args.n + i;
      const LeadingBound of_token = {bits.score_below(args.low[value], id), bits.score_above(args.high[value], id),
                                     static_cast<int32_t>(i)};
      if (leader_key(of_token) > leader_key(own)) own = of_token;
    }
    own = leader_of_block(memory, own);
    if (threadIdx.x == 0) leaders[at] = own;
    __syncthreads();
  }
}

// ---------------------------------------------------------------- exact values

constexpr int kThreads = 512, kWarps = kThreads / kWarp;
constexpr int kPart = 2 * kThreads;  // tokens of a block

// Tokens of a row whose values are computed by a block, in shared memory (weight_pairs.cuh).
struct BlockPairs {
  const uint32_t* ids;
  float* values;
  int64_t size;
  const float* row;

  __device__ int64_t count() const { return size; }
  __device__ bool has(int64_t) const { return true; }
  __device__ const float* x(int64_t) const { return row; }
  __device__ int64_t id(int64_t i) const { return ids[i]; }
  __device__ void put(int64_t i, float y) const { values[i] = y; }
};

// How linear computes them.
template <bool kWhole>
struct OnTensorCores {
  using Weight = bf16;
  using Memory = SpanSums<kWarps>::Memory;

  __device__ static void multiply(Memory& memory, const BlockPairs& pairs, const Weight* w, int64_t k) {
    pair_tiles<kWhole, kWarps>(memory, pairs, 0, kResultRows, w, static_cast<int>(k));
  }
};

template <bool kWhole, class T>
struct ByLanes {
  using Weight = T;
  struct Memory {};

  __device__ static void multiply(Memory&, const BlockPairs& pairs, const Weight* w, int64_t k) {
    pair_dots<kWhole>(pairs, 0, kWarps, w, k);
  }
};

// ---------------------------------------------------------------- the best

// Order of unsigned integers that is that of scores; 0 for NaN and -Inf. Zeros are one.
using Key = unsigned long long;
__device__ Key score_key(double score) {
  if (!(score > -INFINITY)) return 0;
  const auto bits = static_cast<Key>(__double_as_longlong(score + 0.0));
  return bits >> 63 != 0 ? ~bits : bits | Key{1} << 63;
}

// A token, or the best of some.
struct Entrant {
  Key key = 0;  // 0: none
  uint32_t id = 0;
  float value = 0.0f;

  __device__ bool beats(const Entrant& other) const { return key > other.key || (key == other.key && id < other.id); }
};

// What a block has found in its part of a row.
struct PartResult {
  Entrant best;
  int32_t computed = 0, spoiled = 0;

  __device__ void add(const PartResult& other) {
    if (other.best.beats(best)) best = other.best;
    computed += other.computed;
    spoiled |= other.spoiled;
  }
  // Over the lanes of a warp, in all of them.
  __device__ void fold() {
#pragma unroll
    for (int distance = kWarp / 2; distance > 0; distance /= 2) {
      const auto theirs = [&](auto x) { return __shfl_xor_sync(kAllLanes, x, distance); };
      add({{theirs(best.key), theirs(best.id), theirs(best.value)}, theirs(computed), theirs(spoiled)});
    }
  }
};

template <class Products>
struct BlockMemory {
  typename Products::Memory products;
  uint32_t ids[1 + kPart];  // the leader, and what may be better
  float values[1 + kPart];
  LeaderMemory<kWarps> leader;
  int count;
};

// A block's part of a row.
template <class Products>
class Part {
 public:
  __device__ Part(BlockMemory<Products>& memory, const BestScoresArgs& args, const typename Products::Weight* w,
                  int64_t row, int64_t part)
      : memory_(memory), args_(args), w_(w), row_(row), first_(part * kPart + threadIdx.x), bits_(bits_of(args, row)) {
    // Asked for before anything is waited for.
#pragma unroll
    for (int e = 0; e < kEach; ++e) high_[e] = id(e) < args.n ? args.high[row * args.n + id(e)] : -INFINITY;
  }

  // For the first warp of the block. leaders [kLeadingBounds].
  __device__ PartResult run(const LeadingBound* leaders) {
    static_assert(kThreads == kLeadingBounds);
    const LeadingBound leader = leader_of_block(memory_.leader, leaders[threadIdx.x]);
    if (leader.column < 0) return {{}, 0, 1};
    leader_ = static_cast<uint32_t>(leader.column);
    // The leader's score is about in the middle of its bounds: so it is computed together with those that reach an
    // eighth below it. Others that may reach the score itself are few, if any.
    const float middle = 0.5f * (leader.low + leader.high), guess = middle - 0.125f * (leader.high - middle);
    const float expected = limit_below(guess);
    PartResult result = compute(expected, INFINITY);
    const float limit = limit_below(bits_.score_below(memory_.values[0], leader_));
    if (!(memory_.values[0] < INFINITY)) return {{}, 0, 1};
    if (!(expected <= limit)) result.add(compute(limit, expected));
    return result;
  }

 private:
  static constexpr int kEach = kPart / kThreads;

  __device__ int64_t id(int e) const { return first_ + e * kThreads; }

  // At most this score, and above -Inf.
  __device__ static float limit_below(float score) { return fmaxf(nextafterf(score, -INFINITY), -FLT_MAX); }

  // Computes the leader and the tokens whose bounds are not below `limit`, but for those that are not below `end`.
  __device__ PartResult compute(float limit, float end) {
    if (threadIdx.x == 0) {
      memory_.ids[0] = leader_;
      memory_.count = 1;
    }
    __syncthreads();
#pragma unroll
    for (int e = 0; e < kEach; ++e) {
      const auto token = static_cast<uint32_t>(id(e));
      if (id(e) >= args_.n || token == leader_ || !bits_.allowed(token)) continue;
      const float above = bits_.score_above(high_[e], token);
      const bool is_later = end < INFINITY && !(above < end);
      if (!(above < limit) && !is_later) memory_.ids[atomicAdd(&memory_.count, 1)] = token;
    }
    __syncthreads();
    const int count = memory_.count;
    Products::multiply(memory_.products, {memory_.ids, memory_.values, count, args_.x + row_ * args_.k}, w_, args_.k);
    __syncthreads();
    PartResult result;
    if (threadIdx.x >= kWarp) return result;
    for (int i = threadIdx.x; i < count; i += kWarp) {
      const float exact = memory_.values[i];
      const Key key = score_key(bits_.score(exact, memory_.ids[i]));
      result.add({{key, memory_.ids[i], exact}, i > 0 ? 1 : 0, exact < INFINITY ? 0 : 1});
    }
    result.fold();
    return result;
  }

  BlockMemory<Products>& memory_;
  const BestScoresArgs& args_;
  const typename Products::Weight* w_;
  int64_t row_, first_;
  RowBits bits_;
  uint32_t leader_ = 0;
  float high_[kEach];
};

// results [rows, parts].
template <class Products>
__global__ void __launch_bounds__(kThreads)
    best_of_survivors(BestScoresArgs args, const typename Products::Weight* __restrict__ w, int64_t parts,
                      const LeadingBound* __restrict__ leaders, PartResult* __restrict__ results) {
  __shared__ BlockMemory<Products> memory;
  let_next_start();
  wait_for_inputs();
  for (int64_t at = blockIdx.x; at < args.rows * parts; at += gridDim.x) {
    const int64_t row = at / parts;
    const PartResult result = Part<Products>(memory, args, w, row, at % parts).run(leaders + row * kLeadingBounds);
    if (threadIdx.x == 0) results[at] = result;
    __syncthreads();
  }
}

// A warp for each row.
__global__ void __launch_bounds__(kWarp)
    best_of_parts(BestScoresArgs args, int64_t parts, const PartResult* __restrict__ results) {
  wait_for_inputs();
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    PartResult all;
#pragma unroll 4
    for (int64_t part = threadIdx.x; part < parts; part += kWarp) all.add(results[row * parts + part]);
    all.fold();
    if (threadIdx.x != 0) continue;
    const bool found = all.spoiled == 0 && all.best.key != 0;
    args.best[row] = {found ? int64_t{all.best.id} : -1, all.computed + 1, all.best.value};
    args.ids[row] = found ? all.best.id : 0;
  }
}

}  // namespace

void best_scores(const Exec& exec, const BestScoresArgs& args) noexcept {
  if (args.rows == 0) return;
  constexpr const char* kName = "best_scores";
  const int64_t parts = ceil_div(args.n, kPart), leading = args.leaders ? 0 : args.rows * kLeadingBounds;
  const Room found(exec, static_cast<size_t>(leading) * sizeof(LeadingBound), kName);
  const Room results(exec, static_cast<size_t>(args.rows * parts) * sizeof(PartResult), kName);
  if ((!args.leaders && !found) || !results) return;
  const LeadingBound* const leaders = args.leaders ? args.leaders : found.as<LeadingBound>();
  if (!args.leaders) {
    launch_early(exec, kName, greatest_lows, blocks_for(leading, 1), kSliceThreads, 0, args,
                 ceil_div(args.n, kLeadingBounds), found.as<LeadingBound>());
  }
  const auto find = [&]<class Products>(std::type_identity<Products>) {
    launch_early(exec, kName, best_of_survivors<Products>, blocks_for(args.rows * parts, 1), kThreads, 0, args,
                 static_cast<const typename Products::Weight*>(args.w), parts, leaders, results.as<PartResult>());
  };
  if (suits_tensor_cores(args.w_dtype, args.k)) {
    whole_lines(args.x, args.w, args.k) ? find(std::type_identity<OnTensorCores<true>>())
                                        : find(std::type_identity<OnTensorCores<false>>());
  } else {
    with_weights(args.w_dtype, args.w, [&]<class T>(const T* w) {
      whole_runs(args.x, w, args.k) ? find(std::type_identity<ByLanes<true, T>>())
                                    : find(std::type_identity<ByLanes<false, T>>());
    });
  }
  launch_early(exec, kName, best_of_parts, blocks_for(args.rows, 1), kWarp, 0, args, parts,
               static_cast<const PartResult*>(results.as<PartResult>()));
}

}  // namespace tern::cuda
