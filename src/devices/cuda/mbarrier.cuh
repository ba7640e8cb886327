// SPDX-License-Identifier: Apache-2.0
// Barriers in shared memory that copies of whole blocks of memory complete, and these copies; the blocks of a cluster.
// compute_90a.
#pragma once

#include <cuda.h>

#include <cstdint>

#include "devices/cuda/cluster.cuh"
#include "devices/cuda/shared_address.cuh"

namespace tern::cuda {

// ---------------------------------------------------------------- clusters

__device__ __forceinline__ unsigned block_of_cluster() {
  unsigned rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

__device__ __forceinline__ unsigned blocks_of_cluster() {
  unsigned blocks;
  asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(blocks));
  return blocks;
}

// sync_cluster() where nothing written is read: no block ends while others may still reach into its memory.
__device__ __forceinline__ void end_cluster() {
  __syncwarp();
  asm volatile("barrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait.aligned;" ::: "memory");
}

// sync_cluster() in two halves, between which a block does what does not depend on the others. start_in_cluster() is
// the first half for barriers that were just published and nothing else, which makes it cheap.
__device__ __forceinline__ void start_in_cluster() {
  __syncwarp();
  asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
}
__device__ __forceinline__ void arrive_at_cluster() {
  __syncwarp();
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}
__device__ __forceinline__ void wait_for_cluster() {
  __syncwarp();
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// The address in the shared memory of the cluster's `block` of what lies at `address` in each one's own.
__device__ __forceinline__ uint32_t address_in_block(uint32_t address, unsigned block) {
  uint32_t there;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(block));
  return there;
}

// Not to be moved over barriers; `from` is of address_in_block.
__device__ __forceinline__ uint32_t load_of_block(uint32_t from) {
  uint32_t word;
  asm volatile("ld.shared::cluster.u32 %0, [%1];" : "=r"(word) : "r"(from));
  return word;
}

// ---------------------------------------------------------------- barriers

// Completes a phase when all expected threads have arrived and all expected bytes have come. Phases alternate in
// parity, from 0.
class Barrier {
 public:
  // By one thread, before publish_barriers() and a barrier of all that use it.
  __device__ void init(unsigned arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address()), "r"(arrivals) : "memory");
  }

  __device__ void arrive() { asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address()) : "memory"); }

  // At the barrier in the same place of the cluster's `block`.
  __device__ void arrive_in_block(unsigned block) {
    asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(address_in_block(address(), block)) : "memory");
  }

  __device__ void arrive_expecting(unsigned bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address()), "r"(bytes) : "memory");
  }

  // For the end of the phase of this parity; the one before counts as ended.
  __device__ void wait(unsigned parity) const {
    while (!ended(parity)) {
    }
  }

  __device__ uint32_t address() const { return shared_address(&state_); }

 private:
  __device__ bool ended(unsigned parity) const {
    uint32_t ended;
    asm volatile(
        "{\n.reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n}"
        : "=r"(ended)
        : "r"(address()), "r"(parity)
        : "memory");
    return ended != 0;
  }

  uint64_t state_;
};

// Initial barriers become visible to copies and to the other blocks of the cluster.
__device__ __forceinline__ void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// Two floats to the shared memory of a block of the cluster, whose barrier, in the same block, counts their bytes. Both
// addresses are of address_in_block.
__device__ __forceinline__ void send_to_block(uint32_t to, float x, float y, uint32_t barrier) {
  asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 [%0], {%1, %2}, [%3];" ::"r"(to),
               "f"(x), "f"(y), "r"(barrier)
               : "memory");
}

// ---------------------------------------------------------------- copies to shared memory

// What the L2 cache does with what is read or written.
struct CachePolicy {
  uint64_t bits;

  // As without a policy.
  __device__ static CachePolicy evict_normal() {
    CachePolicy policy;
    asm("createpolicy.fractional.L2::evict_normal.b64 %0, 1.0;" : "=l"(policy.bits));
    return policy;
  }
  // It goes before all else.
  __device__ static CachePolicy evict_first() {
    CachePolicy policy;
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy.bits));
    return policy;
  }
};

__device__ __forceinline__ void prefetch_map(const CUtensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

// The box of a matrix at a column and a row of it.
__device__ __forceinline__ void copy_box(void* to, const CUtensorMap& map, int column, int row, const Barrier& done) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::
          "r"(shared_address(to)),
      "l"(&map), "r"(column), "r"(row), "r"(done.address())
      : "memory");
}

// The same to this place, and its count to this barrier, of each block of the cluster whose bit is set in `blocks`.
__device__ __forceinline__ void copy_box_to_blocks(void* to, const CUtensorMap& map, int column, int row,
                                                   const Barrier& done, unsigned blocks) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster "
      "[%0], [%1, {%2, %3}], [%4], %5;" ::"r"(shared_address(to)),
      "l"(&map), "r"(column), "r"(row), "r"(done.address()), "h"(static_cast<uint16_t>(blocks))
      : "memory");
}

// The box of an array of four axes, the innermost first.
__device__ __forceinline__ void copy_box(void* to, const CUtensorMap& map, int i, int j, int k, int l,
                                         const Barrier& done, CachePolicy policy) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%2, %3, %4, %5}], [%6], %7;" ::"r"(shared_address(to)),
      "l"(&map), "r"(i), "r"(j), "r"(k), "r"(l), "r"(done.address()), "l"(policy.bits)
      : "memory");
}

// `bytes`, a multiple of 16, from memory, both on 16 bytes.
__device__ __forceinline__ void copy_in_bulk(void* to, const void* from, unsigned bytes, const Barrier& done) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                   shared_address(to)),
               "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(done.address())
               : "memory");
}

}  // namespace tern::cuda
