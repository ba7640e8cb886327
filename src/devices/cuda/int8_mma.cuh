// SPDX-License-Identifier: Apache-2.0
// The tensor cores' product of bytes that the ternary product is made of.
#pragma once

#include <cstdint>

namespace tern::cuda {

// sums [16 rows of u, 8 rows of q] += u [16, 32] · q [8, 32]ᵀ with unsigned u and signed q, modulo 2^32, by a whole
// warp. With g = lane / 4 and t = lane % 4, a lane holds, four columns to a word,
//   u[p]     row g + 8·(p & 1), columns 16·(p >> 1) + 4t …
//   q0, q1   row g, columns 4t … and 16 + 4t …
//   sums[i]  row g + 8·(i >> 1) of u, row 2t + (i & 1) of q
__device__ __forceinline__ void add_byte_products(uint32_t (&sums)[4], const uint32_t (&u)[4], uint32_t q0,
                                                  uint32_t q1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
      : "r"(u[0]), "r"(u[1]), "r"(u[2]), "r"(u[3]), "r"(q0), "r"(q1));
}

// Four operands' words of 8 rows of 16 bytes in shared memory, by a whole warp: lanes 8i … 8i + 7 give the addresses of
// the rows of the i'th, on 16 bytes; of its row g, lane 4g + t gets the bytes 4t … as words[i].
__device__ __forceinline__ void load_operands(uint32_t (&words)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
               : "r"(static_cast<uint32_t>(__cvta_generic_to_shared(row)))
               : "memory");
}

}  // namespace tern::cuda
