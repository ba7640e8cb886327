// SPDX-License-Identifier: Apache-2.0
// Looking through rows of scores. The leaders of a row are those of its groups, a thread's share of a first walk over
// it, with the greatest scores: the least of k group maxima is at most the k-th best score, and with several times as
// many groups as leaders it seldom is much less. Then a second walk takes all that may reach the floor. Drawing by all
// weights adds them up by parts, then finds the part that a number falls into, then the token.
#include <cfloat>
#include <cmath>
#include <cstdint>

#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/matmul_entries.h"
#include "devices/cuda/row_sums.cuh"
#include "devices/cuda/score_bits.cuh"
#include "devices/cuda/score_entries.h"
#include "devices/cuda/tables.h"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {
namespace {

constexpr int kEach = 16;  // elements of a thread in a walk

// ---------------------------------------------------------------- scores of a row

// kEach elements of a row for each thread of a block, from `begin` on, in registers: quads a block's width apart where
// quads are aligned, else elements.
template <bool kQuads>
class Share {
 public:
  __device__ Share(const float* row, uint32_t begin, uint32_t n) : row_(row), begin_(begin), n_(n) {
#pragma unroll
    for (int q = 0; q < kEach / 4; ++q) {
      float4 quad = {};
      if constexpr (kQuads) {
        if (at(4 * q) < n) quad = __ldg(reinterpret_cast<const float4*>(row + at(4 * q)));
      } else {
        const auto element = [&](int e) { return at(e) < n ? __ldg(row + at(e)) : 0.0f; };
        quad = {element(4 * q), element(4 * q + 1), element(4 * q + 2), element(4 * q + 3)};
      }
      values_[4 * q] = quad.x;
      values_[4 * q + 1] = quad.y;
      values_[4 * q + 2] = quad.z;
      values_[4 * q + 3] = quad.w;
    }
  }

  // Calls each(value, score, i) for the allowed ones, with a bound of the score; those for which it is true are bits of
  // the result. Without penalties, which few rows have, in registers.
  template <class Bound, class Each>
  __device__ uint32_t visit(const RowBits& bits, const Bound& bound, const Each& each) const {
    uint32_t chosen = 0;
    if (bits.penalizes()) {
#pragma unroll 1
      for (int e = 0; e < kEach; ++e) {
        const uint32_t i = at(e);
        if (i < n_ && bits.allowed(i) && each(row_[i], bound(row_[i], i), i)) chosen |= 1u << e;
      }
    } else {
#pragma unroll
      for (int e = 0; e < kEach; ++e) {
        const uint32_t i = at(e);
        if (i < n_ && bits.allowed(i) && each(values_[e], values_[e], i)) chosen |= 1u << e;
      }
    }
    return chosen;
  }

  // A bit for each element that is in the row.
  __device__ uint32_t present() const {
    uint32_t bits = 0;
#pragma unroll
    for (int e = 0; e < kEach; ++e) bits |= (at(e) < n_ ? 1u : 0u) << e;
    return bits;
  }

  // Calls each(value, i) for those of `chosen`.
  template <class Each>
  __device__ void visit(uint32_t chosen, const Each& each) const {
    for (; chosen != 0; chosen &= chosen - 1) {
      const uint32_t i = at(__ffs(static_cast<int>(chosen)) - 1);
      each(row_[i], i);
    }
  }

 private:
  __device__ uint32_t at(int e) const {
    const unsigned threads = blockDim.x;
    return begin_ + (kQuads ? (e / 4 * threads + threadIdx.x) * 4 + e % 4 : e * threads + threadIdx.x);
  }

  const float* row_;
  uint32_t begin_, n_;
  float values_[kEach];
};

bool has_quads(const float* values, int64_t n) { return n % 4 == 0 && is_aligned(values, sizeof(float4)); }

// ---------------------------------------------------------------- leaders

constexpr int kGroupThreads = 128, kLeaderThreads = 1024;
constexpr int kMostGroups = 8192;  // of a row: what one block holds in registers
constexpr int kHeld = kMostGroups / kLeaderThreads;

// A block of the first walk has this many shares in a row, and its threads a group each.
int64_t shares_each(int64_t n) { return ceil_div(n, int64_t{kMostGroups} * kEach); }

__host__ __device__ inline int64_t group_span(int64_t shares) { return shares * kGroupThreads * kEach; }

// The key of a group's greatest score.
template <bool kQuads>
__device__ uint32_t greatest_key(const LeadingScoresArgs& args, const RowBits& bits, int64_t row, int64_t block,
                                 int64_t shares) {
  uint32_t greatest = 0;
  for (int64_t s = 0; s < shares; ++s) {
    const int64_t begin = block * group_span(shares) + s * (kGroupThreads * kEach);
    if (begin >= args.n) break;
    const Share<kQuads> share(args.low + row * args.n, static_cast<uint32_t>(begin), static_cast<uint32_t>(args.n));
    const auto below = [&](float value, uint32_t i) { return bits.score_below(value, i); };
    share.visit(bits, below, [&](float, float score, uint32_t) {
      greatest = max(greatest, key_of(score));
      return false;
    });
  }
  return greatest;
}

// keys [rows, blocks of a row, threads].
template <bool kQuads>
__global__ void __launch_bounds__(kGroupThreads)
    group_keys(LeadingScoresArgs args, int64_t blocks, int64_t shares, uint32_t* __restrict__ keys) {
  wait_for_inputs();
  for (int64_t at = blockIdx.x; at < args.rows * blocks; at += gridDim.x) {
    const int64_t row = at / blocks;
    const RowBits bits(args.query[row], args.bits);
    keys[at * kGroupThreads + threadIdx.x] = greatest_key<kQuads>(args, bits, row, at % blocks, shares);
  }
}

// The count-th greatest of a block's keys, count <= their number. Keys of 0 are there without end.
__device__ uint32_t key_of_rank(const uint32_t (&keys)[kHeld], int count, BlockReducer& reduce) {
  if (count == 1) {
    uint32_t greatest = 0;
#pragma unroll
    for (const uint32_t key : keys) greatest = max(greatest, key);
    return reduce.max(greatest);
  }
  uint32_t rank = 0;  // the greatest number that `count` keys reach, bit by bit
  for (uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
    int reach = 0;
#pragma unroll
    for (const uint32_t key : keys) reach += key >= (rank | bit);
    if (reduce.sum(reach) >= count) rank |= bit;
  }
  return rank;
}

// The element of a group of group_keys, by one thread: it walks as that one did.
__device__ int64_t element_of(const LeadingScoresArgs& args, const RowBits& bits, int64_t row, int64_t group,
                              int64_t shares, bool quads, uint32_t key) {
  const float* const low = args.low + row * args.n;
  const int64_t begin = group / kGroupThreads * group_span(shares), thread = group % kGroupThreads;
  for (int64_t s = 0; s < shares; ++s) {
    for (int e = 0; e < kEach; ++e) {
      const int64_t in_share = quads ? (e / 4 * kGroupThreads + thread) * 4 + e % 4 : e * kGroupThreads + thread;
      const int64_t i = begin + s * (kGroupThreads * kEach) + in_share;
      if (i >= args.n) continue;
      const auto token = static_cast<uint32_t>(i);
      if (bits.allowed(token) && key_of(bits.score_below(low[i], token)) == key) return i;
    }
  }
  return -1;
}

// A block for each row.
__global__ void __launch_bounds__(kLeaderThreads) take_leaders(LeadingScoresArgs args, int64_t groups, int64_t shares,
                                                               bool quads, const uint32_t* __restrict__ keys) {
  wait_for_inputs();
  __shared__ BlockReducer::Memory memory;
  __shared__ int taken;
  BlockReducer reduce(memory);
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const ScoreQuery query = args.query[row];
    const RowBits bits(query, args.bits);
    uint32_t held[kHeld];
#pragma unroll
    for (int j = 0; j < kHeld; ++j) {
      const int64_t group = int64_t{j} * kLeaderThreads + threadIdx.x;
      held[j] = group < groups ? keys[row * groups + group] : 0;
    }
    if (threadIdx.x == 0) taken = 0;
    const auto count = static_cast<int>(query.leaders);
    const uint32_t least = key_of_rank(held, count, reduce);
    __syncthreads();
    // All that are greater, then as many of the least as are wanted.
    const auto take = [&](auto wanted) {
#pragma unroll
      for (int j = 0; j < kHeld; ++j) {
        if (held[j] == 0 || !wanted(held[j])) continue;
        const int place = atomicAdd(&taken, 1);
        if (place >= count) continue;
        const int64_t group = int64_t{j} * kLeaderThreads + threadIdx.x;
        const int64_t id = element_of(args, bits, row, group, shares, quads, held[j]);
        args.found[query.first_leader + place] = {static_cast<int32_t>(row), static_cast<int32_t>(id),
                                                  args.low[row * args.n + id]};
      }
      __syncthreads();
    };
    take([&](uint32_t key) { return key > least; });
    take([&](uint32_t key) { return key == least; });
    for (int place = taken + static_cast<int>(threadIdx.x); place < count; place += kLeaderThreads) {
      args.found[query.first_leader + place] = {static_cast<int32_t>(row), -1, 0.0f};
    }
    __syncthreads();
  }
}

void leading_scores(const Exec& exec, const LeadingScoresArgs& args) noexcept {
  if (args.rows == 0) return;
  const int64_t shares = shares_each(args.n), blocks = ceil_div(args.n, group_span(shares));
  const int64_t groups = blocks * kGroupThreads;
  const Room keys(exec, static_cast<size_t>(args.rows * groups) * sizeof(uint32_t), "leading_scores");
  if (!keys) return;
  const bool quads = has_quads(args.low, args.n);
  launch_early(exec, "leading_scores", quads ? group_keys<true> : group_keys<false>, blocks_for(args.rows * blocks, 1),
               kGroupThreads, 0, args, blocks, shares, keys.as<uint32_t>());
  launch_early(exec, "leading_scores", take_leaders, blocks_for(args.rows, 1), kLeaderThreads, 0, args, groups, shares,
               quads, static_cast<const uint32_t*>(keys.as<uint32_t>()));
}

// ---------------------------------------------------------------- survivors

constexpr int kPartThreads = kScorePart / kEach, kPartWarps = kPartThreads / kWarp;
static_assert(kPartThreads % kWarp == 0);

struct Least {
  float score;
  bool spoiled;
};

// Of a row's leaders, for all threads of a block. `memory` is shared.
__device__ Least least_of_leaders(const SurvivingScoresArgs& args, const ScoreQuery& query, const RowBits& bits,
                                  BlockReducer& reduce) {
  float least = INFINITY;
  bool spoiled = false;
  const auto count = static_cast<int>(query.leaders);
  for (int i = count == 1 ? 0 : static_cast<int>(threadIdx.x); i < count; i += kPartThreads) {
    const FoundScore leader = args.leaders[query.first_leader + i];
    const float score = leader.id < 0 ? -INFINITY : bits.score_below(leader.value, static_cast<uint32_t>(leader.id));
    spoiled |= leader.id >= 0 && !(leader.value < INFINITY);
    least = fminf(least, score);
  }
  if (count == 1) return {least, spoiled};
  return {-reduce.max(-least), __syncthreads_or(spoiled) != 0};
}

// Σ over a block, in a fixed order, for its first thread.
__device__ double sum_of_block(double x) {
  __shared__ double warps[kPartWarps];
  x = sum_of_lanes(x);
  if (threadIdx.x % kWarp == 0) warps[threadIdx.x / kWarp] = x;
  __syncthreads();
  double sum = 0.0;
  if (threadIdx.x == 0) {
    for (const double warp : warps) sum += warp;
  }
  __syncthreads();
  return sum;
}

template <bool kQuads>
__device__ void take_part(const SurvivingScoresArgs& args, int64_t row, int64_t part, int64_t parts,
                          BlockReducer& reduce) {
  __shared__ int block_count;
  __shared__ int64_t block_place;
  const ScoreQuery query = args.query[row];
  const RowBits bits(query, args.bits);
  const Share<kQuads> share(args.high + row * args.n, static_cast<uint32_t>(part * kScorePart),
                            static_cast<uint32_t>(args.n));
  const Least least = least_of_leaders(args, query, bits, reduce);
  ScoreSummary& summary = args.summary[row];
  if (part == 0 && threadIdx.x == 0) {
    summary.least = least.score;
    if (least.spoiled) summary.spoiled = 1;
  }
  if (least.spoiled) return;
  const double floor = static_cast<double>(least.score) - query.drop;
  // At most the floor, and above -Inf.
  const float limit = fmaxf(nextafterf(static_cast<float>(floor), -INFINITY), -FLT_MAX);
  bool spoiled = false;
  const auto above = [&](float value, uint32_t i) { return bits.score_above(value, i); };
  const uint32_t kept = share.visit(bits, above, [&](float value, float score, uint32_t) {
    spoiled |= args.exact && !(value < INFINITY);
    return !(score < limit);
  });
  if (query.temperature > 0.0) {
    const auto weight = [&](float value, uint32_t i) {
      const double exponent = (bits.score(value, i) - static_cast<double>(least.score)) / query.temperature;
      return exponent < -48.0 ? 0x1p-70 : exp(exponent);
    };
    double rest = 0.0;
    share.visit(share.present() & ~kept, [&](float value, uint32_t i) {
      if (bits.allowed(i) && value > -INFINITY) rest += weight(value, i);
    });
    rest = sum_of_block(rest);
    if (threadIdx.x == 0) args.rest[row * parts + part] = rest;
  }
  if (__syncthreads_or(spoiled) != 0 && threadIdx.x == 0) summary.spoiled = 1;
  if (__syncthreads_or(kept != 0) == 0) return;
  if (threadIdx.x == 0) block_count = 0;
  __syncthreads();
  int64_t place = kept != 0 ? atomicAdd(&block_count, __popc(kept)) : 0;
  __syncthreads();
  if (threadIdx.x == 0) {
    const auto add = [](int64_t& to, int64_t x) {
      return static_cast<int64_t>(
          atomicAdd(reinterpret_cast<unsigned long long*>(&to), static_cast<unsigned long long>(x)));
    };
    const int64_t before = add(summary.survivors, block_count);
    block_place = before + block_count <= args.most ? add(*args.count, block_count) : -1;
  }
  __syncthreads();
  if (block_place >= 0) {
    place += block_place;
    share.visit(kept, [&](float value, uint32_t i) {
      args.found[place++] = {static_cast<int32_t>(row), static_cast<int32_t>(i), value};
    });
  }
  __syncthreads();  // before the next part writes what this one shared
}

template <bool kQuads>
__global__ void __launch_bounds__(kPartThreads, 3) take_survivors(SurvivingScoresArgs args, int64_t parts) {
  wait_for_inputs();
  __shared__ BlockReducer::Memory memory;
  BlockReducer reduce(memory);
  for (int64_t at = blockIdx.x; at < args.rows * parts; at += gridDim.x) {
    take_part<kQuads>(args, at / parts, at % parts, parts, reduce);
  }
}

void surviving_scores(const Exec& exec, const SurvivingScoresArgs& args) noexcept {
  if (args.rows == 0) return;
  const int64_t parts = score_parts(args.n);
  launch_early(exec, "surviving_scores", has_quads(args.high, args.n) ? take_survivors<true> : take_survivors<false>,
               blocks_for(args.rows * parts, 1), kPartThreads, 0, args, parts);
}

// ---------------------------------------------------------------- drawing by weights

// Of the tokens of a row.
class Weights {
 public:
  __device__ Weights(const DrawnScoresArgs& args, const ScoreQuery& query)
      : bits_(query, args.bits), temperature_(query.temperature) {
    const FoundScore leader = args.leaders[query.first_leader];
    led_ = leader.id >= 0;
    if (led_) best_ = bits_.score(leader.value, static_cast<uint32_t>(leader.id));
  }

  __device__ const RowBits& bits() const { return bits_; }
  __device__ bool led() const { return led_; }
  __device__ double of_allowed(float value, uint32_t i) const {
    return exp((bits_.score(value, i) - best_) / temperature_);
  }
  __device__ double of(float value, uint32_t i) const { return bits_.allowed(i) ? of_allowed(value, i) : 0.0; }

 private:
  RowBits bits_;
  double temperature_, best_ = 0.0;
  bool led_;
};

// sums [rows, parts].
template <bool kQuads>
__global__ void __launch_bounds__(kPartThreads, 2)
    sum_weights(DrawnScoresArgs args, int64_t parts, double* __restrict__ sums) {
  wait_for_inputs();
  for (int64_t at = blockIdx.x; at < args.rows * parts; at += gridDim.x) {
    const int64_t row = at / parts;
    const Share<kQuads> share(args.values + row * args.n, static_cast<uint32_t>(at % parts * kScorePart),
                              static_cast<uint32_t>(args.n));
    const Weights weights(args, args.query[row]);
    double sum = 0.0;
    if (weights.led()) {
      share.visit(
          weights.bits(), [](float value, uint32_t) { return value; },
          [&](float value, float, uint32_t i) {
            sum += weights.of_allowed(value, i);
            return false;
          });
    }
    sum = sum_of_block(sum);
    if (threadIdx.x == 0) sums[at] = sum;
  }
}

// Where sums that begin with `before` pass a target: at an item, whose own number takes them to `through`.
struct Passed {
  double before, through;
  int64_t item;  // -1: nowhere
};

struct PassMemory {
  double warps[kPartWarps], total;
  int thread;
  Passed passed;
};

// Σ before + of(0) + of(1) + … up to of(count - 1), the number of each item, by a block: the sum of all, and where it
// passes target(all). Each thread adds up neighbours, then all threads' sums are added up in a fixed order.
template <class Of, class Target>
__device__ Passed pass(PassMemory& memory, int64_t count, double before, const Of& of, const Target& target) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int64_t each = ceil_div(count, kPartThreads), first = threadIdx.x * each;
  const int64_t end = first + each < count ? first + each : count;
  double own = 0.0;
  for (int64_t i = first; i < end; ++i) own += of(i);
#pragma unroll
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const double lower = __shfl_up_sync(kAllLanes, own, distance);
    if (lane >= distance) own += lower;
  }
  const double lower = __shfl_up_sync(kAllLanes, own, 1);
  if (lane == kWarp - 1) memory.warps[warp] = own;
  if (threadIdx.x == 0) {
    memory.thread = kPartThreads;
    memory.passed.item = -1;
  }
  __syncthreads();
  double base = before, all = before;
#pragma unroll
  for (int w = 0; w < kPartWarps; ++w) {
    if (w == warp) base = all;
    all += memory.warps[w];
  }
  if (threadIdx.x == 0) memory.total = all;
  const double begin = lane == 0 ? base : base + lower, goal = target(all);
  if (begin <= goal && goal < base + own) atomicMin(&memory.thread, static_cast<int>(threadIdx.x));
  __syncthreads();
  if (memory.thread == static_cast<int>(threadIdx.x)) {
    double at = begin;
    for (int64_t i = first; i < end; ++i) {
      const double next = at + of(i);
      if (goal < next) {
        memory.passed = {at, next, i};
        break;
      }
      at = next;
    }
  }
  __syncthreads();
  const Passed passed = memory.passed;
  __syncthreads();  // before the memory is used again
  return passed;
}

// A block for each row: the part, then the token in it.
__global__ void __launch_bounds__(kPartThreads)
    draw_in_parts(DrawnScoresArgs args, int64_t parts, const double* __restrict__ sums) {
  wait_for_inputs();
  __shared__ PassMemory memory;
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const ScoreQuery query = args.query[row];
    const Weights weights(args, query);
    const Passed part = pass(
        memory, parts, 0.0, [&](int64_t p) { return sums[row * parts + p]; },
        [&](double all) { return query.number * all; });
    const double total = memory.total;
    Passed token = {0.0, 0.0, -1};
    if (part.item >= 0) {
      const int64_t first = part.item * kScorePart, left = args.n - first;
      const float* const values = args.values + row * args.n;
      token = pass(
          memory, left < kScorePart ? left : kScorePart, part.before,
          [&](int64_t i) { return weights.of(values[first + i], static_cast<uint32_t>(first + i)); },
          [&](double) { return query.number * total; });
      if (token.item >= 0) token.item += first;
    }
    if (threadIdx.x == 0) args.drawn[row] = {token.before, token.through, total, token.item};
  }
}

void drawn_scores(const Exec& exec, const DrawnScoresArgs& args) noexcept {
  if (args.rows == 0) return;
  const int64_t parts = score_parts(args.n);
  const Room sums(exec, static_cast<size_t>(args.rows * parts) * sizeof(double), "drawn_scores");
  if (!sums) return;
  launch_early(exec, "drawn_scores", has_quads(args.values, args.n) ? sum_weights<true> : sum_weights<false>,
               blocks_for(args.rows * parts, 1), kPartThreads, 0, args, parts, sums.as<double>());
  launch_early(exec, "drawn_scores", draw_in_parts, blocks_for(args.rows, 1), kPartThreads, 0, args, parts,
               static_cast<const double*>(sums.as<double>()));
}

constexpr ScoreKernels kTable = {.leading_scores = leading_scores,
                                 .linear_pairs = linear_pairs,
                                 .surviving_scores = surviving_scores,
                                 .best_scores = best_scores,
                                 .drawn_scores = drawn_scores};
static_assert(complete(kTable));

}  // namespace

const ScoreKernels kScores = kTable;

}  // namespace tern::cuda
