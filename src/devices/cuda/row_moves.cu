// SPDX-License-Identifier: Apache-2.0
// Rows of a table by their ids: reading them, and adding into them.
#include <algorithm>

#include "devices/cuda/divisor.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/pointwise.h"
#include "devices/cuda/weight_elements.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256;

// Rows of `units` units each.
template <class Unit>
__global__ void __launch_bounds__(kThreads)
    gather_units(int64_t count, Divisor units, const Unit* table, const int64_t* ids, Unit* y) {
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const int64_t row = units.quotient(i);
    y[i] = table[ids[row] * units.divisor() + (i - row * units.divisor())];
  }
}

template <class Unit>
void gather(const Exec& exec, const GatherRowsArgs& args) {
  const auto units = static_cast<int64_t>(args.row_bytes / sizeof(Unit));
  const int64_t count = args.count * units;
  gather_units<<<blocks_for(count, kThreads), kThreads, 0, stream_of(exec)>>>(
      count, Divisor(units), static_cast<const Unit*>(args.table), args.ids, static_cast<Unit*>(args.y));
}

// An ordinary launch, with which passes begin (early_launch.cuh); what follows may start early.
template <int kWidth, class T>
__global__ void __launch_bounds__(kThreads)
    embed_packs(int64_t count, Divisor packs, const T* table, const int64_t* ids, float* y) {
  let_next_start();
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const int64_t row = packs.quotient(i), pack = i - row * packs.divisor();
    const auto from = load_pack<kWidth>(table + (ids[row] * packs.divisor() + pack) * kWidth);
    store_pack(y + i * kWidth, map_pack<kWidth>([](T x) { return number_of(x); }, from));
  }
}

// Rows that one launch adds: the block of the first row of an id adds all rows of that id, so that nothing but this
// search is quadratic.
constexpr int kWindow = 2048;

// Bit i says that row i of the window has the block's id.
using Members = uint32_t[kWindow / 32];

// Members below row i.
__device__ int members_below(const Members& members, int i) {
  int count = 0;
  for (int word = 0; word < i / 32; ++word) count += __popc(members[word]);
  if (i % 32 != 0) count += __popc(members[i / 32] & ((1u << i % 32) - 1));
  return count;
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    scatter_window(int count, int64_t cols, const float* x, const int64_t* ids, float* y) {
  __shared__ Members members;
  __shared__ uint16_t rows[kWindow];
  const int64_t id = ids[blockIdx.x];
  for (int i = threadIdx.x; i < kWindow; i += kThreads) {
    const uint32_t word = __ballot_sync(0xffffffff, i < count && ids[i] == id);
    if (i % 32 == 0) members[i / 32] = word;
  }
  __syncthreads();
  if (members_below(members, blockIdx.x) > 0) return;
  for (int i = threadIdx.x; i < kWindow; i += kThreads) {
    if (members[i / 32] >> i % 32 & 1) rows[members_below(members, i)] = static_cast<uint16_t>(i);
  }
  __syncthreads();
  const int repeats = members_below(members, kWindow);
  for (int64_t j = int64_t{threadIdx.x} * kWidth; j < cols; j += int64_t{kThreads} * kWidth) {
    auto sum = load_pack<kWidth>(y + id * cols + j);
#pragma unroll 4
    for (int i = 0; i < repeats; ++i) {
      const auto term = load_pack<kWidth>(x + rows[i] * cols + j);
#pragma unroll
      for (int l = 0; l < kWidth; ++l) sum.at[l] += term.at[l];
    }
    store_pack(y + id * cols + j, sum);
  }
}

}  // namespace

void gather_rows(const Exec& exec, const GatherRowsArgs& args) noexcept {
  if (args.count == 0 || args.row_bytes == 0) return;
  const auto splits = [&](size_t unit) {
    return args.row_bytes % unit == 0 && is_aligned(args.table, unit) && is_aligned(args.y, unit);
  };
  if (splits(16)) {
    gather<uint4>(exec, args);
  } else if (splits(4)) {
    gather<uint32_t>(exec, args);
  } else if (splits(2)) {
    gather<uint16_t>(exec, args);
  } else {
    gather<uint8_t>(exec, args);
  }
  launched(exec, "gather_rows");
}

void embed_rows(const Exec& exec, const EmbedRowsArgs& args) noexcept {
  if (args.count == 0 || args.cols == 0) return;
  with_weights(args.table_dtype, args.table, [&]<class T>(const T* table) {
    const auto embed = [&](auto width) {
      constexpr int kWidth = decltype(width)::value;
      const int64_t packs = args.cols / kWidth, count = args.count * packs;
      embed_packs<kWidth><<<blocks_for(count, kThreads), kThreads, 0, stream_of(exec)>>>(count, Divisor(packs), table,
                                                                                         args.ids, args.y);
    };
    constexpr int kWidth = kPackWidth<float>;
    args.cols % kWidth == 0 && hold_packs<kWidth>(table, args.y) ? embed(std::integral_constant<int, kWidth>{})
                                                                 : embed(std::integral_constant<int, 1>{});
  });
  launched(exec, "embed_rows");
}

void scatter_add_rows(const Exec& exec, const ScatterAddRowsArgs& args) noexcept {
  if (args.count == 0 || args.cols == 0) return;
  // 32768 rows of 384 in 16 launches took 336 us.
  if (args.count > kWindow) return scatter_many_rows(exec, args);
  constexpr int kWidth = kPackWidth<float>;
  const bool packs = args.cols % kWidth == 0 && hold_packs<kWidth>(args.x, args.y);
  const auto kernel = packs ? scatter_window<kWidth> : scatter_window<1>;
  const int count = static_cast<int>(args.count);
  kernel<<<count, kThreads, 0, stream_of(exec)>>>(count, args.cols, args.x, args.ids, args.y);
  launched(exec, "scatter_add_rows");
}

}  // namespace tern::cuda
