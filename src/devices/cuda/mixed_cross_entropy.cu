// SPDX-License-Identifier: Apache-2.0
// Cross entropy of rows of bf16 logits against one class each, whose gradient takes the logits' place. A block has a
// row, which is read once: a thread keeps as many octets of it as there is room for in registers, then in shared
// memory. Only what does not fit into both is read again.
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/row_groups.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "mixed_cross_entropy";
constexpr int64_t kIgnoredTarget = -100;
// Octets of a thread in registers, which leave room for two blocks of the most threads. 8 in one block, or in two of
// half as many threads, took 2 to 12 % longer, 4 in one block of 1024 threads up to 5 %.
constexpr int kHeld = 4;
constexpr int kMostThreads = 512;

constexpr float kLog2E = 1.4426950408889634f, kLn2 = 0.693147180559945f;

__device__ float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// exp(x) / 2^origin, of an exponent that is rounded once.
__device__ float exponential(float x, float origin) { return power_of_two(fmaf(x, kLog2E, -origin)); }

// Of two pairs of bf16 each; a NaN only where both are.
__device__ uint32_t greater_pair(uint32_t a, uint32_t b) {
  uint32_t greater;
  asm("max.bf16x2 %0, %1, %2;" : "=r"(greater) : "r"(a), "r"(b));
  return greater;
}

__device__ uint32_t greatest_pair(const uint4& octet) {
  return greater_pair(greater_pair(octet.x, octet.y), greater_pair(octet.z, octet.w));
}

__device__ float greatest_of(uint32_t pair) { return fmaxf(low_of(pair), high_of(pair)); }

// `sum` = Σ exp(x) over 2^origin of what was added, where the origin is that of exp(max), rounded, and 0 as long as max
// is -inf, so that -inf adds nothing. NaNs leave max alone and make the sum NaN, and so does +inf.
struct Exponentials {
  float max = -INFINITY, sum = 0.0f;

  __device__ float origin() const { return max == -INFINITY ? 0.0f : max * kLog2E; }

  __device__ void raise_max(float to) {
    if (!(to > max)) return;
    sum *= power_of_two(max * kLog2E - to * kLog2E);
    max = to;
  }
  // Where max is at least the greatest of x.
  __device__ void add(const Octet& x) {
    const float from = origin();
    sum += sum_of(map_pack<kOctet>([from](float v) { return exponential(v, from); }, x));
  }
  // By a whole warp.
  __device__ Exponentials of_lanes() const {
    Exponentials all = *this;
    all.raise_max(max_of_lanes(max));
    all.sum = sum_of_lanes(all.sum);
    return all;
  }
  // The logarithm of Σ exp(x - max): what the origin lost in rounding comes back.
  __device__ float log_of_sum() const { return logf(sum) - fmaf(max, kLog2E, -origin()) * kLn2; }
};

// A row of which each thread of the block has the octets threadIdx.x + n·blockDim.x: kHeld in registers, then `shared`
// in shared memory.
class KeptRow {
 public:
  // Reads what is kept; what lies beyond the row's end is -inf.
  __device__ KeptRow(const bf16* row, int64_t octets, int shared, uint4* memory)
      : row_(row), octets_(octets), shared_(shared), memory_(memory + threadIdx.x) {
#pragma unroll
    for (int n = 0; n < kHeld; ++n) held_[n] = at(n) < octets ? load(n) : nothing();
    for (int n = 0; n < shared; ++n) {
      if (at(kHeld + n) >= octets) break;
      __pipeline_memcpy_async(slot(n), reinterpret_cast<const uint4*>(row) + at(kHeld + n), sizeof(uint4));
    }
    __pipeline_commit();
  }

  __device__ Exponentials exponentials() const {
    Exponentials all;
    uint32_t greatest = greatest_pair(held_[0]);
#pragma unroll
    for (int n = 1; n < kHeld; ++n) greatest = greater_pair(greatest, greatest_pair(held_[n]));
    all.raise_max(greatest_of(greatest));
#pragma unroll
    for (const uint4& octet : held_) all.add(octet_of(octet));
    __pipeline_wait_prior(0);
    for_others([&](int64_t, const uint4& octet) {
      all.raise_max(greatest_of(greatest_pair(octet)));
      all.add(octet_of(octet));
    });
    return all;
  }

  // Calls each(at, octet) for all of the thread's octets.
  template <class Each>
  __device__ void for_all(const Each& each) const {
#pragma unroll
    for (int n = 0; n < kHeld; ++n) {
      if (at(n) < octets_) each(at(n), held_[n]);
    }
    for_others(each);
  }

 private:
  __device__ static int64_t at(int n) { return threadIdx.x + int64_t{n} * blockDim.x; }
  __device__ static uint4 nothing() {
    constexpr uint32_t kPair = 0xff80ff80;  // -inf twice
    return {kPair, kPair, kPair, kPair};
  }
  __device__ uint4 load(int n) const { return reinterpret_cast<const uint4*>(row_)[at(n)]; }
  __device__ uint4* slot(int n) const { return memory_ + n * static_cast<int>(blockDim.x); }

  // Of those that are not in registers.
  template <class Each>
  __device__ void for_others(const Each& each) const {
    int n = kHeld;
    for (; n < kHeld + shared_ && at(n) < octets_; ++n) each(at(n), *slot(n - kHeld));
    for (; at(n) < octets_; ++n) each(at(n), load(n));
  }

  const bf16* row_;
  int64_t octets_;
  int shared_;
  uint4* memory_;
  uint4 held_[kHeld];
};

__global__ void __launch_bounds__(kMostThreads, 2)
    losses_and_gradients(const __grid_constant__ MixedCrossEntropyArgs args, int shared) {
  extern __shared__ uint4 memory[];
  __shared__ Exponentials of_warps[2][kMostThreads / kWarp];
  const int lane = threadIdx.x % kWarp, warps = blockDim.x / kWarp;
  const int64_t octets = args.classes / kOctet;
  int turn = 0;
  let_next_start();
  wait_for_inputs();
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    bf16* const logits = args.logits + row * args.classes;
    const int64_t target = args.targets[row];
    if (target == kIgnoredTarget) {
      for (int64_t at = threadIdx.x; at < octets; at += blockDim.x) put_halves(logits, static_cast<int>(at), {});
      if (threadIdx.x == 0) args.loss[row] = 0.0f;
      continue;
    }
    const float hit = number_of(logits[target]);
    const KeptRow kept(logits, octets, shared, memory);
    const Exponentials of_warp = kept.exponentials().of_lanes();
    // As in BlockReducer, rows take turns with two sets of slots.
    if (lane == 0) of_warps[turn][threadIdx.x / kWarp] = of_warp;
    __syncthreads();
    const Exponentials all = (lane < warps ? of_warps[turn][lane] : Exponentials()).of_lanes();
    turn ^= 1;
    if (threadIdx.x == 0) args.loss[row] = all.log_of_sum() - (hit - all.max);
    const float scale = args.scale, factor = scale / all.sum, origin = all.max * kLog2E;
    kept.for_all([&](int64_t at, const uint4& octet) {
      Octet d = map_pack<kOctet>([=](float v) { return exponential(v, origin) * factor; }, octet_of(octet));
      if (at == target / kOctet) {
#pragma unroll
        for (int i = 0; i < kOctet; ++i) d.at[i] -= i == target % kOctet ? scale : 0.0f;
      }
      put_halves(logits, static_cast<int>(at), d);
    });
  }
}

}  // namespace

void mixed_cross_entropy(const Exec& exec, const MixedCrossEntropyArgs& args) noexcept {
  if (args.rows == 0) return;
  const int64_t octets = args.classes / kOctet;
  const auto threads =
      static_cast<unsigned>(std::clamp<int64_t>(round_up(ceil_div(octets, kHeld), kWarp), kWarp, kMostThreads));
  const int64_t most_bytes = is_hopper(exec) ? 224 << 10 : 96 << 10;
  const int64_t each = static_cast<int64_t>(threads * sizeof(uint4));  // that one octet of each thread has
  const int64_t shared = std::clamp<int64_t>(ceil_div(octets, threads) - kHeld, 0, most_bytes / each);
  const auto bytes = static_cast<size_t>(shared * each);
  keep_error(
      exec,
      cudaFuncSetAttribute(losses_and_gradients, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
      kName);
  launch_early(exec, kName, losses_and_gradients, blocks_for(args.rows, 1), threads, bytes, args,
               static_cast<int>(shared));
}

}  // namespace tern::cuda
