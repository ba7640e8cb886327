// SPDX-License-Identifier: Apache-2.0
// Arrays that are made of a rule.
#include <cstring>
#include <type_traits>

#include "device/element_bytes.h"
#include "devices/cuda/array_elements.cuh"
#include "devices/cuda/array_entries.h"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/packs.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256;

// Element i of a ramp.
template <class T>
__device__ T ramp_element(const RampArgs& args, int64_t i) {
  const auto part = [i](double first, double step) { return first + static_cast<double>(i) * step; };
  if constexpr (std::is_integral_v<T>) {
    if (!args.exact) return static_cast<T>(floor(part(args.re, args.re_step)));
    return static_cast<T>(static_cast<uint64_t>(args.first) +
                          static_cast<uint64_t>(i) * static_cast<uint64_t>(args.step));
  } else if constexpr (is_complex_element<T>) {
    using R = decltype(T::re);
    return {rounded<R>(part(args.re, args.re_step)), rounded<R>(part(args.im, args.im_step))};
  } else {
    return rounded<T>(part(args.re, args.re_step));
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) fill_ramp(const __grid_constant__ RampArgs args, T* y) {
  for (int64_t i = thread_of_grid(); i < args.count; i += threads_of_grid()) y[i] = ramp_element<T>(args, i);
}

struct Triangle {
  int64_t count;  // elements
  Divisor rows, cols;
  int64_t diagonal;
  bool below;

  __device__ bool has(int64_t i) const {
    const int64_t line = cols.quotient(i), row = line - rows.quotient(line) * rows.divisor();
    const int64_t distance = i - line * cols.divisor() - row;
    return below ? distance < diagonal : distance > diagonal;
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads) clear_triangle(Triangle triangle, T* y) {
  for (int64_t i = thread_of_grid(); i < triangle.count; i += threads_of_grid()) {
    if (triangle.has(i)) y[i] = T{};
  }
}

}  // namespace

void array_repeat(const Exec& exec, const RepeatArgs& args) noexcept {
  with_bytes(args.element_bytes, [&](auto bits) {
    using T = decltype(bits);
    T value;
    std::memcpy(&value, args.value, sizeof value);
    fill_contiguous(exec, "repeat", args.count, value, static_cast<T*>(args.y));
  });
}

void array_ramp(const Exec& exec, const RampArgs& args) noexcept {
  if (args.count == 0) return;
  with_array_element(args.dtype, [&](auto element) {
    using T = decltype(element);
    if constexpr (!std::is_same_v<T, Bool>) {
      fill_ramp<<<blocks_for(args.count, kThreads), kThreads, 0, stream_of(exec)>>>(args, static_cast<T*>(args.y));
    }
  });
  launched(exec, "ramp");
}

void array_zero_triangle(const Exec& exec, const ZeroTriangleArgs& args) noexcept {
  const int64_t count = args.batch * args.rows * args.cols;
  if (count == 0) return;
  const Triangle triangle = {count, Divisor(args.rows), Divisor(args.cols), args.diagonal, args.below};
  with_bytes(args.element_bytes, [&](auto bits) {
    using T = decltype(bits);
    clear_triangle<<<blocks_for(count, kThreads), kThreads, 0, stream_of(exec)>>>(triangle, static_cast<T*>(args.y));
  });
  launched(exec, "zero_triangle");
}

}  // namespace tern::cuda
