// SPDX-License-Identifier: Apache-2.0
// Elements of rows moved by their index.
#include "device/element_bytes.h"
#include "devices/cuda/array_entries.h"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/packs.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256;

template <class Bits>
__global__ void __launch_bounds__(kThreads)
    gather_elements(int64_t count, Divisor n, int64_t x_n, const Bits* x, const int64_t* index, Bits* y) {
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) y[i] = x[n.quotient(i) * x_n + index[i]];
}

template <class Bits>
__global__ void __launch_bounds__(kThreads)
    scatter_elements(int64_t count, Divisor n, int64_t y_n, const Bits* x, const int64_t* index, Bits* y) {
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) y[n.quotient(i) * y_n + index[i]] = x[i];
}

}  // namespace

void array_gather_in_rows(const Exec& exec, const GatherInRowsArgs& args) noexcept {
  const int64_t count = args.rows * args.n;
  if (count == 0) return;
  with_bytes(args.element_bytes, [&](auto bits) {
    using Bits = decltype(bits);
    gather_elements<<<blocks_for(count, kThreads), kThreads, 0, stream_of(exec)>>>(
        count, Divisor(args.n), args.x_n, static_cast<const Bits*>(args.x), args.index, static_cast<Bits*>(args.y));
  });
  launched(exec, "gather_in_rows");
}

void array_scatter_in_rows(const Exec& exec, const ScatterInRowsArgs& args) noexcept {
  const int64_t count = args.rows * args.n;
  if (count == 0) return;
  with_bytes(args.element_bytes, [&](auto bits) {
    using Bits = decltype(bits);
    scatter_elements<<<blocks_for(count, kThreads), kThreads, 0, stream_of(exec)>>>(
        count, Divisor(args.n), args.y_n, static_cast<const Bits*>(args.x), args.index, static_cast<Bits*>(args.y));
  });
  launched(exec, "scatter_in_rows");
}

}  // namespace tern::cuda
