// SPDX-License-Identifier: Apache-2.0
// Kernels that do nothing but keep the GPU busy, to measure what it can do at best.
#include "devices/cuda/int8_mma.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/tables.h"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 512, kBlocksEach = 4;

unsigned resident_blocks(const Exec& exec) { return static_cast<unsigned>(multiprocessors(exec) * kBlocksEach); }

__device__ uint64_t sum_of(const ulonglong2& words) { return words.x + words.y; }

// Adds every thread's value to *sum; by all threads of a block of kThreads.
__device__ void add_to(uint64_t* sum, uint64_t value) {
  __shared__ uint64_t of_warps[kThreads / kWarp];
  const unsigned warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  value = sum_of_lanes(value);
  if (lane == 0) of_warps[warp] = value;
  __syncthreads();
  if (warp > 0) return;
  value = sum_of_lanes(lane < kThreads / kWarp ? of_warps[lane] : uint64_t{0});
  if (lane == 0) atomicAdd(reinterpret_cast<unsigned long long*>(sum), value);
}

// Pairs from the first on 16 bytes; the first block takes a word before and one after them.
__global__ void __launch_bounds__(kThreads, kBlocksEach) sum_words(const __grid_constant__ ReadWordsArgs args) {
  const int64_t before = min(static_cast<int64_t>(reinterpret_cast<uintptr_t>(args.words) / 8 % 2), args.count);
  const auto* const pairs = reinterpret_cast<const ulonglong2*>(args.words + before);
  const int64_t count = (args.count - before) / 2, step = int64_t{gridDim.x} * kThreads;
  int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  uint64_t sum = 0;
  if (i == 0 && before > 0) sum += args.words[0];
  if (i == 0 && before + 2 * count < args.count) sum += args.words[args.count - 1];
  for (; i + 3 * step < count; i += 4 * step) {
    ulonglong2 read[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) read[j] = __ldcs(pairs + i + j * step);
#pragma unroll
    for (int j = 0; j < 4; ++j) sum += sum_of(read[j]);
  }
  for (; i < count; i += step) sum += sum_of(__ldcs(pairs + i));
  add_to(args.sum, sum);
}

// Products of the tensor cores under way at once in a warp: with the warps of a multiprocessor more than enough to hide
// their latency.
constexpr int kChains = 4;
constexpr int64_t kProducts = int64_t{kChains} * 16 * 8 * 32;  // of a step of a warp

__global__ void __launch_bounds__(kThreads, kBlocksEach) multiply_in_registers(int64_t steps, uint64_t* result) {
  uint32_t sums[kChains][4] = {{1}, {2}, {3}, {4}};  // different, or one chain would do for all
  const uint32_t u[4] = {0x02020202, 0x01010101, 0x02010201, 0x01020102};
  for (int64_t step = 0; step < steps; ++step) {
#pragma unroll
    for (int chain = 0; chain < kChains; ++chain) add_byte_products(sums[chain], u, 0x03030303, 0x05030503);
  }
  uint64_t all = 0;
#pragma unroll
  for (int chain = 0; chain < kChains; ++chain) all += sums[chain][0] + sums[chain][3];
  add_to(result, all);
}

void clear(const Exec& exec, uint64_t* sum, const char* kernel) {
  keep_error(exec, cudaMemsetAsync(sum, 0, sizeof *sum, stream_of(exec)), kernel);
}

void read_words(const Exec& exec, const ReadWordsArgs& args) noexcept {
  clear(exec, args.sum, "read_words");
  if (args.count == 0) return;
  sum_words<<<resident_blocks(exec), kThreads, 0, stream_of(exec)>>>(args);
  launched(exec, "read_words");
}

// The products of all items in even shares: how many items there are says nothing of the GPU's warps.
void int8_peak(const Exec& exec, const Int8PeakArgs& args) noexcept {
  clear(exec, args.sum, "int8_peak");
  const int64_t warps = int64_t{resident_blocks(exec)} * (kThreads / kWarp);
  const int64_t steps = ceil_div(ceil_div(args.items * args.products, kProducts), warps);
  multiply_in_registers<<<resident_blocks(exec), kThreads, 0, stream_of(exec)>>>(steps, args.sum);
  launched(exec, "int8_peak");
}

constexpr ProbeKernels kTable = {.read_words = read_words, .int8_peak = int8_peak};
static_assert(complete(kTable));

}  // namespace

const ProbeKernels kProbe = kTable;

}  // namespace tern::cuda
