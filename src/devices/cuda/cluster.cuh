// SPDX-License-Identifier: Apache-2.0
// The barrier of a cluster of blocks, compute capability 9.0.
#pragma once

namespace tern::cuda {

// For all threads of all blocks of a cluster that have not ended. What they have written is visible to each other
// afterwards. Nothing on older GPUs, which have no clusters.
__device__ __forceinline__ void sync_cluster() {
#if __CUDA_ARCH__ >= 900
  __syncwarp();
  asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
}

}  // namespace tern::cuda
