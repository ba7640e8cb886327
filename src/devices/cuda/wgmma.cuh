// SPDX-License-Identifier: Apache-2.0
// The tensor cores' products of bytes by groups of four warps, which run on their own: a product is done when
// wait_for_products says so. compute_90a.
#pragma once

#include <cstdint>

#include "devices/cuda/warp.cuh"

namespace tern::cuda {

constexpr int kGroupWarps = 4, kGroupThreads = kGroupWarps * kWarp;
constexpr int kGroupRows = 64;       // of u in a product, 16 to each warp of the group
constexpr int kProductColumns = 32;  // of u and q in a product

__device__ __forceinline__ unsigned lane_of_thread() { return threadIdx.x % kWarp; }

// The thread's group, in a way that tells the compiler that warps do not part over it.
__device__ __forceinline__ unsigned group_of_thread() { return __shfl_sync(kAllLanes, threadIdx.x / kGroupThreads, 0); }

// An operand of bytes in shared memory, on 1024 bytes: rows of 128 bytes whose piece c of 16 bytes lies at c ^ row % 8,
// as tensor maps with CU_TENSOR_MAP_SWIZZLE_128B copy them. The rows' later columns are those of the operand that
// begins a multiple of 32 bytes, below 128, further.
__device__ __forceinline__ uint64_t operand_in_shared(uint32_t address) {
  constexpr uint64_t kSwizzled = uint64_t{1} << 62, kBytesOf8Rows = uint64_t{1024 / 16} << 32,
                     kUnused = uint64_t{1} << 16;
  return kSwizzled | kBytesOf8Rows | kUnused | (address & 0x3ffff) / 16;
}
constexpr uint64_t kOperandStep = kProductColumns / 16;  // added to an operand: the next columns

// Before the first product, and whenever registers of operands or sums were written otherwise.
__device__ __forceinline__ void fence_registers() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

// Has these registers written before what follows, a fence_registers(), instead of after it.
template <int kCount>
__device__ __forceinline__ void settle(uint32_t (&registers)[kCount]) {
#pragma unroll
  for (uint32_t& each : registers) asm volatile("" : "+r"(each)::"memory");
}

// Ends a batch of products.
__device__ __forceinline__ void end_batch() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

// Until at most kBatches are under way. Registers of a product must not be touched before.
template <int kBatches>
__device__ __forceinline__ void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kBatches) : "memory");
}

// A barrier, one of 1 to 15, of all threads of kGroups groups.
template <int kGroups>
__device__ __forceinline__ void sync_groups(unsigned barrier) {
  __syncwarp();
  asm volatile("bar.sync %0, %1;" ::"r"(barrier), "n"(kGroups * kGroupThreads) : "memory");
}

// Each of a block's groups calls one of these once, before what the other groups do differently: registers go from
// those that copy to those that multiply, whose threads then have kCount instead of what the block was launched with.
template <int kCount>
__device__ __forceinline__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
}
template <int kCount>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
}

// d [64 rows of u, rows of q] += u [64, 32] · q [rows, 32]ᵀ with unsigned u in registers and signed q, modulo 2^32. A
// lane has u as in add_byte_products, of its warp's 16 rows; with g = lane / 4 and t = lane % 4, d[4j + i] is the sum
// of row g + 8·(i >> 1) of these and of row 8j + 2t + (i & 1) of q.
__device__ __forceinline__ void add_group_products(uint32_t (&d)[32], const uint32_t (&u)[4], uint64_t q) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k32.s32.u8.s8 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
      "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
      "{%32, %33, %34, %35}, %36, 1;"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3]), "+r"(d[4]), "+r"(d[5]), "+r"(d[6]), "+r"(d[7]), "+r"(d[8]),
        "+r"(d[9]), "+r"(d[10]), "+r"(d[11]), "+r"(d[12]), "+r"(d[13]), "+r"(d[14]), "+r"(d[15]), "+r"(d[16]),
        "+r"(d[17]), "+r"(d[18]), "+r"(d[19]), "+r"(d[20]), "+r"(d[21]), "+r"(d[22]), "+r"(d[23]), "+r"(d[24]),
        "+r"(d[25]), "+r"(d[26]), "+r"(d[27]), "+r"(d[28]), "+r"(d[29]), "+r"(d[30]), "+r"(d[31])
      : "r"(u[0]), "r"(u[1]), "r"(u[2]), "r"(u[3]), "l"(q));
}

__device__ __forceinline__ void add_group_products(uint32_t (&d)[64], const uint32_t (&u)[4], uint64_t q) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n128k32.s32.u8.s8 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
      "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, "
      "%39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, "
      "%58, %59, %60, %61, %62, %63}, "
      "{%64, %65, %66, %67}, %68, 1;"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3]), "+r"(d[4]), "+r"(d[5]), "+r"(d[6]), "+r"(d[7]), "+r"(d[8]),
        "+r"(d[9]), "+r"(d[10]), "+r"(d[11]), "+r"(d[12]), "+r"(d[13]), "+r"(d[14]), "+r"(d[15]), "+r"(d[16]),
        "+r"(d[17]), "+r"(d[18]), "+r"(d[19]), "+r"(d[20]), "+r"(d[21]), "+r"(d[22]), "+r"(d[23]), "+r"(d[24]),
        "+r"(d[25]), "+r"(d[26]), "+r"(d[27]), "+r"(d[28]), "+r"(d[29]), "+r"(d[30]), "+r"(d[31]), "+r"(d[32]),
        "+r"(d[33]), "+r"(d[34]), "+r"(d[35]), "+r"(d[36]), "+r"(d[37]), "+r"(d[38]), "+r"(d[39]), "+r"(d[40]),
        "+r"(d[41]), "+r"(d[42]), "+r"(d[43]), "+r"(d[44]), "+r"(d[45]), "+r"(d[46]), "+r"(d[47]), "+r"(d[48]),
        "+r"(d[49]), "+r"(d[50]), "+r"(d[51]), "+r"(d[52]), "+r"(d[53]), "+r"(d[54]), "+r"(d[55]), "+r"(d[56]),
        "+r"(d[57]), "+r"(d[58]), "+r"(d[59]), "+r"(d[60]), "+r"(d[61]), "+r"(d[62]), "+r"(d[63])
      : "r"(u[0]), "r"(u[1]), "r"(u[2]), "r"(u[3]), "l"(q));
}

}  // namespace tern::cuda
