// SPDX-License-Identifier: Apache-2.0
// The parts of a ternary product as one list of blocks of output columns, and how an output ends.
#pragma once

#include "devices/cuda/launch.h"
#include "devices/cuda/ternary_layout.cuh"

namespace tern::cuda {

// Blocks of `width` output columns; none reaches over two parts.
inline int64_t column_blocks(const TernaryMatmulArgs& args, int64_t width) {
  int64_t sum = 0;
  for (int part = 0; part < args.parts; ++part) sum += ceil_div(args.part[part].n, width);
  return sum;
}

// Shared memory of a block, beside what its kernel has anyway. Only Hopper's is counted on beyond what all devices
// have.
inline int64_t few_rows_memory(const Exec& exec) { return (is_hopper(exec) ? 226 : 98) << 10; }

// Dynamic shared memory beyond what every kernel may have.
template <class Function>
void allow_shared(const Exec& exec, const char* name, Function kernel, size_t bytes) {
  if (bytes <= size_t{48} << 10) return;
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
             name);
}

struct PartBlock {
  const TernaryPart& part;
  int64_t column;  // the first of the block
};

// `block` is one of column_blocks(args, width).
__device__ inline PartBlock part_block(const TernaryMatmulArgs& args, int64_t block, int64_t width) {
  int part = 0;
  for (int64_t blocks; block >= (blocks = ceil_div(args.part[part].n, width)); ++part) block -= blocks;
  return {args.part[part], block * width};
}
template <int kWidth>
__device__ PartBlock part_block(const TernaryMatmulArgs& args, int64_t block) {
  return part_block(args, block, kWidth);
}

__device__ inline float output_factor(const TernaryPart& part, float q_scale) { return part.weight_scale / q_scale; }

// The digits of an output gave `digit_sum` modulo 2^32, which is `q_sum` = Σ q of its row too much.
__device__ inline int32_t code_sum(uint32_t digit_sum, int32_t q_sum) {
  return static_cast<int32_t>(digit_sum - static_cast<uint32_t>(q_sum));
}

// The same as a float, exact for magnitudes below 2^22. Conversions of integers take the tensor cores' time.
__device__ inline float small_code_sum(uint32_t digit_sum, int32_t q_sum) {
  constexpr float kBase = 12582912.0f;  // 1.5 · 2^23, whose neighbours are 1 apart
  constexpr uint32_t kBaseBits = 0x4b400000u;
  return __uint_as_float(digit_sum + (kBaseBits - static_cast<uint32_t>(q_sum))) - kBase;
}

// Ends one output.
__device__ inline void put_output(const TernaryPart& part, int64_t row, int64_t column, uint32_t digit_sum,
                                  int32_t q_sum, float factor) {
  const int32_t acc = code_sum(digit_sum, q_sum);
  const int64_t at = row * part.n + column;
  if (part.acc) part.acc[at] = acc;
  if (part.y) part.y[at] = static_cast<float>(acc) * factor;
}

#if __CUDA_ARCH__ >= 900
// Asks the L2 cache for `bytes`, a multiple of 16, from an address on 16 bytes.
__device__ __forceinline__ void prefetch_in_bulk(const void* from, uint32_t bytes) {
  asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes));
}
#endif

// Asks the L2 cache for `tile_rows` rows of tiles from `tile_row` on of the matrix that is multiplied in this one's place
// next (TernaryPart): products of a chain then find their weights there, which hides what the steps between them cost. By
// all warps of the block in small pieces; prefetches of single lines made it slower than none.
__device__ inline void read_ahead(const TernaryPart& part, int64_t tile_row, int tile_rows, int tile_columns) {
#if __CUDA_ARCH__ >= 900
  if (part.ahead == nullptr || threadIdx.x % kWarp != 0) return;
  const int64_t row_bytes = int64_t{tile_columns} * kTileBytes;
  const auto bytes = static_cast<uint32_t>(tile_rows * row_bytes);
  const uint32_t warps = blockDim.x / kWarp, each = (bytes / kTileBytes + warps - 1) / warps * kTileBytes;
  const uint32_t begin = threadIdx.x / kWarp * each;
  if (begin >= bytes) return;
  const uint8_t* const from = part.ahead + tile_row * row_bytes + begin;
  prefetch_in_bulk(from, min(each, bytes - begin));
#endif
}

}  // namespace tern::cuda
