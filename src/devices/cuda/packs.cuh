// SPDX-License-Identifier: Apache-2.0
// Elementwise work on contiguous elements: in packs of up to 16 bytes where all pointers allow it, else one by one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "devices/cuda/launch.h"

namespace tern::cuda {

inline constexpr int kPackThreads = 256;

// Neighbours that are loaded or stored at once.
template <class T, int kWidth>
struct alignas(sizeof(T) * kWidth) Pack {
  T at[kWidth];
};

// How many elements of the largest of the types are 16 bytes.
template <class... T>
inline constexpr int kPackWidth = static_cast<int>(16 / std::max({sizeof(T)...}));

template <int kWidth, class... T>
bool hold_packs(const T*... p) {
  return (is_aligned(p, sizeof(T) * kWidth) && ...);
}

template <int kWidth, class T>
__device__ Pack<T, kWidth> load_pack(const T* p) {
  return *reinterpret_cast<const Pack<T, kWidth>*>(p);
}

template <int kWidth, class T>
__device__ Pack<T, kWidth> repeat_pack(T value) {
  Pack<T, kWidth> pack;
#pragma unroll
  for (int l = 0; l < kWidth; ++l) pack.at[l] = value;
  return pack;
}

template <class T, int kWidth>
__device__ void store_pack(T* p, const Pack<T, kWidth>& pack) {
  *reinterpret_cast<Pack<T, kWidth>*>(p) = pack;
}

// fn of each of the elements.
template <int kWidth, class Fn, class... X>
__device__ auto map_pack(const Fn& fn, const Pack<X, kWidth>&... x) {
  Pack<decltype(fn(x.at[0]...)), kWidth> y;
#pragma unroll
  for (int l = 0; l < kWidth; ++l) y.at[l] = fn(x.at[l]...);
  return y;
}

__device__ inline int64_t thread_of_grid() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline int64_t threads_of_grid() { return int64_t{gridDim.x} * blockDim.x; }

inline unsigned pack_blocks(int64_t count, int width) { return blocks_for(ceil_div(count, width), kPackThreads); }

// Calls step(i, width) for packs from i on that cover [0, count): `width` is kWidth, in the tail 1, as a constant.
template <int kWidth, class Step>
__device__ void for_packs(int64_t count, const Step& step) {
  const int64_t whole = count / kWidth * kWidth;
  for (int64_t i = thread_of_grid() * kWidth; i < whole; i += threads_of_grid() * kWidth) {
    step(i, std::integral_constant<int, kWidth>{});
  }
  if constexpr (kWidth > 1) {
    for (int64_t i = whole + thread_of_grid(); i < count; i += threads_of_grid()) {
      step(i, std::integral_constant<int, 1>{});
    }
  }
}

template <int kWidth, class Fn, class Y, class... X>
__global__ void __launch_bounds__(kPackThreads) map_elements(int64_t count, Fn fn, Y* y, const X*... x) {
  for_packs<kWidth>(count, [&](int64_t i, auto width) {
    constexpr int kAtOnce = decltype(width)::value;
    store_pack(y + i, map_pack<kAtOnce>(fn, load_pack<kAtOnce>(x + i)...));
  });
}

// y[i] = fn(x[i]...) for i < count; y may be one of x.
template <class Fn, class Y, class... X>
void map_contiguous(const Exec& exec, const char* name, int64_t count, const Fn& fn, Y* y, const X*... x) {
  if (count == 0) return;
  constexpr int kWidth = kPackWidth<Y, X...>;
  const cudaStream_t stream = stream_of(exec);
  if (hold_packs<kWidth>(y, x...)) {
    map_elements<kWidth><<<pack_blocks(count, kWidth), kPackThreads, 0, stream>>>(count, fn, y, x...);
  } else {
    map_elements<1><<<pack_blocks(count, 1), kPackThreads, 0, stream>>>(count, fn, y, x...);
  }
  launched(exec, name);
}

template <class T>
struct Constant {
  T value;
  __device__ T operator()() const { return value; }
};

template <class T>
void fill_contiguous(const Exec& exec, const char* name, int64_t count, T value, T* y) {
  map_contiguous(exec, name, count, Constant<T>{value}, y);
}

}  // namespace tern::cuda
