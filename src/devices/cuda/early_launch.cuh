// SPDX-License-Identifier: Apache-2.0
// Launches that overlap: the blocks of a kernel may start while the kernel before it still ends, do what does not
// depend on it (ask for weights, set up), and wait. Programmatic dependent launch, compute capability 9.0; ordinary
// launches on older GPUs.
//
// Every block of a kernel that is launched so calls wait_for_inputs() before it reads what another kernel may have
// written and before it writes anything: then all kernels before it are done, too, since they have waited themselves.
// Only constants are read earlier: weights, and keys and values of earlier passes, since every pass begins with an
// ordinary launch, of its embeddings, which starts when all before it is done.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <utility>

#include "devices/cuda/launch.h"

namespace tern::cuda {

__device__ __forceinline__ void wait_for_inputs() {
#if __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
#endif
}

// Computed before what follows, which it does not depend on: before a wait, instead of where it is used. Not for
// pointers to shared memory, which the compiler then no longer knows to be such.
template <class T>
__device__ __forceinline__ void have_ready(T*& pointer) {
  asm volatile("" : "+l"(pointer));
}
__device__ __forceinline__ void have_ready(int& number) { asm volatile("" : "+r"(number)); }
__device__ __forceinline__ void have_ready(float& number) { asm volatile("" : "+f"(number)); }

// Blocks of the next kernel may start once all blocks of this one have called this or ended, as room allows: early, so
// that its start costs no time, but not so early that it takes the room of blocks of this one that have not started.
__device__ __forceinline__ void let_next_start() {
#if __CUDA_ARCH__ >= 900
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

// kernel<<<blocks, threads, shared, stream>>>(args...) that may start early.
template <class... Parameters, class... Args>
cudaError_t launch_early(cudaStream_t stream, bool early_launches, void (*kernel)(Parameters...), unsigned blocks,
                         unsigned threads, size_t shared, Args&&... args) {
  cudaLaunchAttribute early = {};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = blocks;
  config.blockDim = threads;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  config.attrs = &early;
  config.numAttrs = early_launches ? 1 : 0;
  return cudaLaunchKernelEx(&config, kernel, std::forward<Args>(args)...);
}

template <class... Parameters, class... Args>
void launch_early(const Exec& exec, const char* name, void (*kernel)(Parameters...), unsigned blocks, unsigned threads,
                  size_t shared, Args&&... args) {
  keep_error(exec,
             launch_early(stream_of(exec), launches_overlap(exec), kernel, blocks, threads, shared,
                          std::forward<Args>(args)...),
             name);
}

// The same by clusters of `cluster` blocks, with as much shared memory as a block can have.
template <class... Parameters, class... Args>
void launch_clusters(const Exec& exec, const char* name, void (*kernel)(Parameters...), int64_t blocks, int threads,
                     int shared, unsigned cluster, const Args&... args) {
  cudaLaunchAttribute attributes[2] = {};
  attributes[0].id = cudaLaunchAttributeClusterDimension;
  attributes[0].val.clusterDim.x = cluster;
  attributes[0].val.clusterDim.y = attributes[0].val.clusterDim.z = 1;
  attributes[1].id = cudaLaunchAttributeProgrammaticStreamSerialization;
  attributes[1].val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = static_cast<unsigned>(blocks);
  config.blockDim = static_cast<unsigned>(threads);
  config.dynamicSmemBytes = static_cast<size_t>(shared);
  config.stream = stream_of(exec);
  config.attrs = attributes;
  config.numAttrs = launches_overlap(exec) ? 2 : 1;
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared), name);
  keep_error(exec, cudaLaunchKernelEx(&config, kernel, args...), name);
}

}  // namespace tern::cuda
