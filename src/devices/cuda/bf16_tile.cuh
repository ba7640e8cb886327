// SPDX-License-Identifier: Apache-2.0
// A tile of bf16 results in shared memory, between the registers that have them and the copy engine that brings them to
// a matrix in memory. compute_90a.
//
// Rows of 128 bytes, 64 columns, whose piece c of 16 bytes lies at c ^ row % 8: as tensor maps with
// CU_TENSOR_MAP_SWIZZLE_128B have it, and 8 rows of a piece are in different banks.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "devices/cuda/mbarrier.cuh"

namespace tern::cuda {

constexpr int kBoxColumns = 64;  // bf16 in 128 bytes

template <int kRows>
struct alignas(1024) Bf16Box {
  uint4 at[kRows][8];

  __device__ uint4* piece(int row, int column) { return &at[row][column / 8 ^ row % 8]; }
};

// Four 8 by 8 matrices of bf16, transposed: lane l gives the address of row l % 8 of matrix l / 8, on 16 bytes, and has
// of each matrix column l / 4 of the rows 2·(l % 4) and the next, the lower in the low half. In order with barriers and
// copies only.
__device__ __forceinline__ void load_turned(uint32_t (&to)[4], const uint4* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row)));
}
__device__ __forceinline__ void store_turned(uint4* row, const uint32_t (&from)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)),
               "r"(from[0]), "r"(from[1]), "r"(from[2]), "r"(from[3]));
}

// What this thread wrote to shared memory, the copy engine sees behind the next barrier.
__device__ __forceinline__ void publish_to_copies() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// From shared memory to the box of a matrix at a column and a row, where these are within it.
__device__ __forceinline__ void store_box(const CUtensorMap& map, int column, int row, const void* from) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%1, %2}], [%3];" ::"l"(&map), "r"(column),
               "r"(row), "r"(shared_address(from))
               : "memory");
}

// To that of an array of four axes, the innermost first; what is outside of it is left out.
__device__ __forceinline__ void store_box(const CUtensorMap& map, int i, int j, int k, int l, const void* from,
                                          CachePolicy policy) {
  asm volatile(
      "cp.async.bulk.tensor.4d.global.shared::cta.bulk_group.L2::cache_hint [%0, {%1, %2, %3, %4}], [%5], %6;" ::"l"(
          &map),
      "r"(i), "r"(j), "r"(k), "r"(l), "r"(shared_address(from)), "l"(policy.bits)
      : "memory");
}

// Ends a batch of this thread's stores.
__device__ __forceinline__ void end_stores() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }

// Until the shared memory of all of this thread's stores has been read.
__device__ __forceinline__ void wait_for_reads() { asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory"); }

// Until all of this thread's stores are in memory.
__device__ __forceinline__ void wait_for_stores() { asm volatile("cp.async.bulk.wait_group 0;" ::: "memory"); }

}  // namespace tern::cuda
