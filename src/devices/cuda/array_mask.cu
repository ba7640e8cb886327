// SPDX-License-Identifier: Apache-2.0
// Where masks are set.
#include "devices/cuda/array_entries.h"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / kWarp;
constexpr int kEach = static_cast<int>(kMaskBlock) / kThreads;  // neighbours that a thread looks at: 16 bytes

__device__ int count_pack(const Pack<uint8_t, kEach>& bytes) {
  int set = 0;
#pragma unroll
  for (int l = 0; l < kEach; ++l) set += bytes.at[l] != 0 ? 1 : 0;
  return set;
}

// A block of threads takes a block of the mask.
template <bool kPacks>
__global__ void __launch_bounds__(kThreads) count_set(int64_t count, const uint8_t* mask, int64_t* y) {
  __shared__ int of_warps[kWarps];
  for (int64_t block = blockIdx.x; block * kMaskBlock < count; block += gridDim.x) {
    const int64_t begin = block * kMaskBlock + int64_t{threadIdx.x} * kEach;
    int set = 0;
    if (kPacks && begin + kEach <= count) {
      set = count_pack(load_pack<kEach>(mask + begin));
    } else {
      for (int64_t i = begin; i < begin + kEach && i < count; ++i) set += mask[i] != 0 ? 1 : 0;
    }
    set = sum_of_lanes(set);
    if (threadIdx.x % kWarp == 0) of_warps[threadIdx.x / kWarp] = set;
    __syncthreads();
    if (threadIdx.x == 0) {
      int64_t sum = 0;
      for (const int of_warp : of_warps) sum += of_warp;
      y[block] = sum;
    }
    __syncthreads();  // before the next block's counts
  }
}

}  // namespace

void array_mask_counts(const Exec& exec, const MaskCountsArgs& args) noexcept {
  if (args.count == 0) return;
  const unsigned blocks = blocks_for(args.count, kMaskBlock);
  if (hold_packs<kEach>(args.mask)) {
    count_set<true><<<blocks, kThreads, 0, stream_of(exec)>>>(args.count, args.mask, args.y);
  } else {
    count_set<false><<<blocks, kThreads, 0, stream_of(exec)>>>(args.count, args.mask, args.y);
  }
  launched(exec, "mask_counts");
}

// The places of what is not 0 in an array of one axis, of which nothing depends on how many there are in all.
void array_mask_positions(const Exec& exec, const MaskPositionsArgs& args) noexcept {
  static_assert(kMaskBlock == kNonzeroBlock);
  array_nonzero(exec, {.dtype = DType::boolean,
                       .shape = {1, {args.count}},
                       .x = args.mask,
                       .place = args.starts,
                       .total = args.count,
                       .y = args.y});
}

}  // namespace tern::cuda
