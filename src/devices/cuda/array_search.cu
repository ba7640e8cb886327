// SPDX-License-Identifier: Apache-2.0
// Looking things up in sorted arrays, and for what is not 0.
#include <algorithm>
#include <type_traits>

#include "device/element_bytes.h"
#include "devices/cuda/array_entries.h"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/order_keys.cuh"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/strided.cuh"
#include "devices/cuda/truth_mask.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;

// ---------------------------------------------------------------- sorted arrays

template <class Key>
struct Search {
  OrderKey<Key> key;
  bool right;
  int64_t n;
  const Key* sorted;
  const int64_t* sorter;

  // How many come before a value: by halving.
  __device__ int64_t place_of(Key value) const {
    int64_t first = 0;
    for (int64_t left = n; left > 0;) {
      const int64_t half = left / 2, middle = first + half;
      const Key at = key.of(sorted[sorter != nullptr ? sorter[middle] : middle]);
      const bool is_before = right ? at <= value : at < value;
      first = is_before ? middle + 1 : first;
      left = is_before ? left - half - 1 : half;
    }
    return first;
  }
};

template <class Key>
__global__ void __launch_bounds__(kThreads)
    search_places(const __grid_constant__ Search<Key> search, int64_t count, const Key* values, int64_t* y) {
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    y[i] = search.place_of(search.key.of(values[i]));
  }
}

// Elements of `parts` numbers, two of complex ones.
template <class Key>
__global__ void __launch_bounds__(kThreads)
    mark_changes(OrderKey<Key> key, int parts, int64_t count, const Key* x, uint8_t* y) {
  for (int64_t k = thread_of_grid(); k < count; k += threads_of_grid()) {
    bool differs = k == 0;
    for (int64_t i = k * parts; !differs && i < (k + 1) * parts; ++i) {
      differs = key.of(x[i]) != key.of(x[i - parts]) || key.is_nan(x[i]);
    }
    y[k] = differs ? 1 : 0;
  }
}

// Calls fn(Key{}) with the unsigned type of a real dtype's size.
template <class Fn>
void with_key(DType dtype, const Fn& fn) {
  with_bytes(size_of(dtype), [&](auto bits) {
    if constexpr (!std::is_same_v<decltype(bits), Sixteen>) fn(bits);
  });
}

// ---------------------------------------------------------------- what is not 0

struct Axes {
  int rank;
  Divisor extent[8];
};

// A warp looks at neighbours, kSteps times as many as it has lanes.
constexpr int kSteps = static_cast<int>(kNonzeroBlock) / kThreads;

// A block of threads takes a block of elements: first it counts those of each warp, then it writes their places.
template <class Bits>
__global__ void __launch_bounds__(kThreads)
    write_nonzero(TruthMask mask, const __grid_constant__ Axes axes, int64_t count, const Bits* x, const int64_t* place,
                  int64_t total, int64_t* y) {
  __shared__ int counts[kWarps];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  for (int64_t block = blockIdx.x; block * kNonzeroBlock < count; block += gridDim.x) {
    const int64_t begin = block * kNonzeroBlock + warp * kWarp * kSteps + lane;
    unsigned found[kSteps];
    int of_warp = 0;
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      const int64_t i = begin + step * kWarp;
      found[step] = __ballot_sync(kAllLanes, i < count && mask.is_true(x[i]));
      of_warp += __popc(found[step]);
    }
    if (lane == 0) counts[warp] = of_warp;
    __syncthreads();
    int64_t next = place[block];
    for (int w = 0; w < warp; ++w) next += counts[w];
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      if (found[step] >> lane & 1) {
        const int64_t to = next + __popc(found[step] & ((1u << lane) - 1));
        int64_t index = begin + step * kWarp;
        for (int axis = axes.rank - 1; axis > 0; --axis) {
          const int64_t quotient = axes.extent[axis].quotient(index);
          y[axis * total + to] = index - quotient * axes.extent[axis].divisor();
          index = quotient;
        }
        y[to] = index;
      }
      next += __popc(found[step]);
    }
    __syncthreads();  // before the next block counts
  }
}

}  // namespace

void array_search_sorted(const Exec& exec, const SearchSortedArgs& args) noexcept {
  if (args.count == 0) return;
  with_key(args.dtype, [&](auto key) {
    using Key = decltype(key);
    const Search<Key> search = {OrderKey<Key>(args.dtype), args.right, args.n, static_cast<const Key*>(args.sorted),
                                args.sorter};
    search_places<<<blocks_for(args.count, kThreads), kThreads, 0, stream_of(exec)>>>(
        search, args.count, static_cast<const Key*>(args.values), args.y);
  });
  launched(exec, "search_sorted");
}

void array_mark_starts(const Exec& exec, const MarkStartsArgs& args) noexcept {
  if (args.count == 0) return;
  const DType part = args.dtype == DType::c64 ? DType::f32 : args.dtype == DType::c128 ? DType::f64 : args.dtype;
  with_key(part, [&](auto key) {
    using Key = decltype(key);
    mark_changes<<<blocks_for(args.count, kThreads), kThreads, 0, stream_of(exec)>>>(
        OrderKey<Key>(part), is_complex(args.dtype) ? 2 : 1, args.count, static_cast<const Key*>(args.x), args.y);
  });
  launched(exec, "mark_starts");
}

void array_nonzero(const Exec& exec, const NonzeroArgs& args) noexcept {
  const int64_t count = count_of(args.shape);
  if (count == 0 || args.total == 0) return;
  Axes axes = {args.shape.rank, {}};
  for (int axis = 0; axis < axes.rank; ++axis) axes.extent[axis] = Divisor(args.shape.at[axis]);
  with_bytes(size_of(args.dtype), [&](auto bits) {
    using Bits = decltype(bits);
    write_nonzero<<<blocks_for(count, kNonzeroBlock), kThreads, 0, stream_of(exec)>>>(
        TruthMask(args.dtype), axes, count, static_cast<const Bits*>(args.x), args.place, args.total, args.y);
  });
  launched(exec, "nonzero");
}

}  // namespace tern::cuda
