// SPDX-License-Identifier: Apache-2.0
// One block walks one row: how its threads share the row, and sums and extremes over it.
//
// Thread t has the quads (four neighbouring elements) t, t + threads, t + 2·threads, …, and the row's length alone says
// how many threads there are (a block may have more, which then have none). Nothing else decides what is added to what,
// not even whether a quad is one load or four: a row gives the same bits at any address, alone or beside others, in
// every kernel that walks it.
#pragma once

#include <cmath>
#include <cstdint>

#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/numbers.cuh"
#include "devices/cuda/shared_address.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {

inline constexpr int kMostRowThreads = 1024;
inline constexpr int kMostHoldingThreads = 512;  // for a row that they keep in registers

// Quads that a thread can keep in registers where a kernel needs a row more than once: 1, 2, 4 or 8, or 0 for a row
// that is too long.
inline int held_quads(int64_t cols) {
  const int64_t each = ceil_div(cols, 4 * kMostHoldingThreads);
  return each <= 1 ? 1 : each <= 2 ? 2 : each <= 4 ? 4 : each <= 8 ? 8 : 0;
}

// Whole warps.
inline unsigned row_threads(int64_t cols) {
  const int held = held_quads(cols);
  if (held == 0) return kMostRowThreads;
  const int64_t threads = round_up(ceil_div(cols, 4 * held), kWarp);
  return static_cast<unsigned>(threads > 0 ? threads : kWarp);
}

// Kernels loop over the rows that a grid cannot count.
template <class Args>
void launch_rows(const Exec& exec, const char* name, int64_t rows, int64_t cols, void (*kernel)(Args),
                 const Args& args) {
  if (rows == 0) return;
  kernel<<<blocks_for(rows, 1), row_threads(cols), 0, stream_of(exec)>>>(args);
  launched(exec, name);
}

// ---------------------------------------------------------------- quads

template <class Fn, class... Quads>
__device__ float4 map_quads(const Fn& fn, const Quads&... quads) {
  return make_float4(fn(quads.x...), fn(quads.y...), fn(quads.z...), fn(quads.w...));
}

template <class T, class Fn>
__device__ auto fold_quad(const T& quad, const Fn& fn) {
  return fn(fn(quad.x, quad.y), fn(quad.z, quad.w));
}

inline __device__ float sum_of(const float4& quad) {
  return fold_quad(quad, [](float a, float b) { return a + b; });
}

// acc + a·b, fused.
inline __device__ float4 add_products(const float4& acc, const float4& a, const float4& b) {
  return map_quads([](float sum, float p, float q) { return fmaf(p, q, sum); }, acc, a, b);
}

// A row in memory, T float or const float, four elements at a time: `at` is a multiple of 4 below the row's end.
template <class T>
class Row {
 public:
  __device__ Row(T* data, int64_t cols)
      : data_(data), cols_(cols), aligned_(reinterpret_cast<uintptr_t>(data) % sizeof(float4) == 0) {}

  // Elements beyond the end are `fill`.
  __device__ float4 quad(int64_t at, float fill = 0.0f) const {
    if (whole(at)) return *reinterpret_cast<const float4*>(data_ + at);
    const auto element = [&](int64_t i) { return i < cols_ ? data_[i] : fill; };
    return make_float4(element(at), element(at + 1), element(at + 2), element(at + 3));
  }

  // Elements beyond the end are dropped.
  __device__ void put(int64_t at, const float4& quad) const {
    if (whole(at)) {
      *reinterpret_cast<float4*>(data_ + at) = quad;
      return;
    }
    data_[at] = quad.x;
    if (at + 1 < cols_) data_[at + 1] = quad.y;
    if (at + 2 < cols_) data_[at + 2] = quad.z;
    if (at + 3 < cols_) data_[at + 3] = quad.w;
  }

 private:
  __device__ bool whole(int64_t at) const { return aligned_ && at + 4 <= cols_; }

  T* data_;
  int64_t cols_;
  bool aligned_;
};

// Calls each(at) for the thread's quads in ascending order.
template <class Each>
__device__ void for_quads(int64_t cols, const Each& each) {
  for (int64_t at = int64_t{4} * threadIdx.x; at < cols; at += int64_t{4} * blockDim.x) each(at);
}

// A row and how many of the block's threads share it, row_threads(cols).
struct RowWalk {
  int64_t cols;
  unsigned threads;
};

// The same with the number of the quad, each(i, at): i < kHeld = held_quads(cols) is known to the compiler, and always
// 0 where kHeld is.
template <int kHeld, class Each>
__device__ void for_held_quads(const RowWalk& row, const Each& each) {
  if constexpr (kHeld == 0) {
    for_quads(row.cols, [&](int64_t at) { each(0, at); });
  } else {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {
      const unsigned at = 4 * (threadIdx.x + i * row.threads);
      if (at < row.cols && threadIdx.x < row.threads) each(i, int64_t{at});
    }
  }
}

// A row that a thread holds with 0 in the quads that it has beyond the row's end: they are taken for quads of the row,
// which changes no sum or extreme of magnitudes and spares a branch for each.
struct HeldWalk {};
template <int kHeld, class Each>
__device__ void for_held_quads(const HeldWalk&, const Each& each) {
  static_assert(kHeld > 0);
#pragma unroll
  for (int i = 0; i < kHeld; ++i) each(i, int64_t{0});
}

// ---------------------------------------------------------------- reductions

// Reductions over the block, by all of its threads and with the result for all of them.
class BlockReducer {
 public:
  using Memory = uint32_t[2][kWarp];

  // `memory` is shared.
  __device__ explicit BlockReducer(Memory& memory) : memory_(memory) {}

  __device__ float sum(float x) {
    return across(x, 0.0f, [](float v) { return sum_of_lanes(v); });
  }
  // Without NaNs, unless all are.
  __device__ float max(float x) {
    return across(x, -INFINITY, [](float v) { return max_of_lanes(v); });
  }
  __device__ int sum(int x) {
    return across(x, 0, [](int v) { return __reduce_add_sync(kAllLanes, v); });
  }
  __device__ uint32_t max(uint32_t x) {
    return across(x, uint32_t{0}, [](uint32_t v) { return __reduce_max_sync(kAllLanes, v); });
  }

 private:
  // Reductions take turns with two sets of slots: whoever writes one has passed the barrier of the reduction before,
  // which all threads reach after they have read what is overwritten now.
  template <class T, class Fold>
  __device__ T across(T x, T nothing, const Fold& fold) {
    x = fold(x);
    if (blockDim.x == kWarp) return x;
    static_assert(sizeof(T) == sizeof(uint32_t));
    T* const slots = reinterpret_cast<T*>(memory_[turn_]);
    turn_ ^= 1;
    const unsigned lane = threadIdx.x % kWarp;
    if (lane == 0) slots[threadIdx.x / kWarp] = x;
    __syncthreads();
    return fold(lane < blockDim.x / kWarp ? slots[lane] : nothing);
  }

  Memory& memory_;
  int turn_ = 0;
};

// The same of at most 16 warps, with the same bits, where time counts: after the barrier each thread folds what the
// warps have left for itself, as BlockReducer's lanes do. Addresses are at hand before, as numbers: of a reference the
// compiler would find them again each time.
class NarrowReducer {
 public:
  static constexpr int kWarps = 16;
  struct alignas(16) Memory {
    uint32_t at[2][kWarps];
  };

  // `memory` is shared; of the first `warps` warps of the block. Others may watch.
  __device__ NarrowReducer(Memory& memory, int warps)
      : slots_(static_cast<int>(shared_address(&memory))),
        own_(slots_ + static_cast<int>(threadIdx.x / kWarp % kWarps * sizeof(uint32_t))) {
    const unsigned of_warp = threadIdx.x % kWarps;
    if (threadIdx.x < 2 * kWarps && of_warp >= static_cast<unsigned>(warps))
      memory.at[threadIdx.x / kWarps][of_warp] = 0;
    have_ready(slots_);
    have_ready(own_);
  }

  __device__ float sum(float x) {
    leave(__float_as_uint(sum_of_lanes(x)));
    const Gathered of = gather();
    float s[kWarps / 2];
#pragma unroll
    for (int i = 0; i < 8; ++i) s[i] = __uint_as_float(of.warp[i]) + __uint_as_float(of.warp[i + 8]);
#pragma unroll
    for (int i = 0; i < 4; ++i) s[i] += s[i + 4];
    return (s[0] + s[2]) + (s[1] + s[3]);
  }
  __device__ uint32_t max(uint32_t x) {
    leave(__reduce_max_sync(kAllLanes, x));
    return watch_max();
  }

  // After one more reduction by a copy of this.
  __device__ void pass() { turn_ ^= kTurn; }

  // What the others have at the same time.
  __device__ void watch_sum() {
    __syncthreads();
    pass();
  }
  __device__ uint32_t watch_max() {
    const Gathered of = gather();
    uint32_t most[kWarps / 2];
#pragma unroll
    for (int i = 0; i < 8; ++i) most[i] = ::max(of.warp[i], of.warp[i + 8]);
#pragma unroll
    for (int i = 0; i < 4; ++i) most[i] = ::max(most[i], most[i + 4]);
    return ::max(::max(most[0], most[2]), ::max(most[1], most[3]));
  }

 private:
  static constexpr int kTurn = sizeof(Memory) / 2;

  struct Gathered {
    uint32_t warp[kWarps];
  };

  // All lanes have the same.
  __device__ void leave(uint32_t of_warp) {
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(own_ + turn_), "r"(of_warp) : "memory");
  }
  __device__ Gathered gather() {
    const int slots = slots_ + turn_;
    pass();
    __syncthreads();
    Gathered all;
#pragma unroll
    for (int i = 0; i < kWarps; i += 4) {
      asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
                   : "=r"(all.warp[i]), "=r"(all.warp[i + 1]), "=r"(all.warp[i + 2]), "=r"(all.warp[i + 3])
                   : "r"(slots + i * static_cast<int>(sizeof(uint32_t)))
                   : "memory");
    }
    return all;
  }

  int slots_, own_;
  int turn_ = 0;  // bytes
};

// ---------------------------------------------------------------- root mean square

// 1 / √(squares / cols + eps) of rows of `cols` elements, each operation rounded as IEEE 754 has it, like on every
// other device, but in a third of the time that three general operations take one after the other. (Compared on an H200
// for all 2^32 sums, 29 lengths of rows, and eps of 0 and 1e-5.)
class InverseRms {
 public:
  __host__ __device__ InverseRms(int64_t cols, float eps)
      : cols_(static_cast<float>(cols)), of_cols_(1.0f / cols_), eps_(eps) {}

  // With its numbers at hand before what follows.
  __device__ static InverseRms ready(int64_t cols, float eps) {
    InverseRms rms(cols, eps);
    have_ready(rms.cols_);
    have_ready(rms.of_cols_);
    have_ready(rms.eps_);
    return rms;
  }

  __device__ float operator()(float squares) const {
    bool exact;
    const float inverse = of_plain(squares, exact);
    return exact ? inverse : 1.0f / sqrtf(squares / cols_ + eps_);
  }

  // The same, if it is exact, which only what is very small, very large or not finite may not be, and one root in 2^23.
  __device__ float of_plain(float squares, bool& exact) const {
    // By the rounded reciprocal of the divisor and two corrections, the last of which rounds as a division does
    // (Markstein, Computation of elementary functions on the IBM RISC System/6000, 1990).
    const float x = corrected(corrected(squares * of_cols_, squares), squares) + eps_;
    // The approximate 1 / √x is where both the root and its reciprocal begin. Roots whose bits are all ones are those
    // whose reciprocals this does not round as a division does.
    float inverse;
    asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(x));
    const float first = x * inverse, root = fmaf(fmaf(-first, first, x), 0.5f * inverse, first);
    inverse = fmaf(fmaf(-root, inverse, 1.0f), inverse, inverse);
    inverse = fmaf(fmaf(-root, inverse, 1.0f), inverse, inverse);
    constexpr uint32_t kMantissa = 0x7fffffu;
    exact = is_plain(squares) && is_plain(x) && (~__float_as_uint(root) & kMantissa) != 0;
    return inverse;
  }

 private:
  __device__ float corrected(float mean, float squares) const {
    return fmaf(fmaf(-mean, cols_, squares), of_cols_, mean);
  }

  float cols_, of_cols_, eps_;
};

inline __device__ float4 normalized(const float4& x, float inv, const float4& weight) {
  return map_quads([inv](float v, float w) { return v * inv * w; }, x, weight);
}

}  // namespace tern::cuda
