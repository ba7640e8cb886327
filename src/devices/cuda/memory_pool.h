// SPDX-License-Identifier: Apache-2.0
// A CUDA device's memory: a stream-ordered pool of its own.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

namespace tern::cuda {

// What is released stays in the pool for the next allocation until trim(). Safe from several threads.
class MemoryPool {
 public:
  // Of the device `ordinal`, with at most `limit` bytes; 0 for as many as there are. Throws Error if the runtime refuses.
  MemoryPool(int ordinal, size_t limit);
  ~MemoryPool();
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  // 256-byte aligned, ready for work that comes later in `stream`; null when the device has none left, or none within the
  // limit, even after a trim: everything else stays usable. Throws Error for any other failure. bytes > 0.
  void* allocate(size_t bytes, cudaStream_t stream);
  // Takes effect in the order of `stream`.
  void release(void* data, cudaStream_t stream) noexcept;

  // Waits for `stream` and gives what is not in use back to the system.
  void trim(cudaStream_t stream);

  // Bytes in allocations, the most that they were, and bytes that the pool holds of the device's memory.
  size_t used() const;
  size_t most_used() const;
  size_t reserved() const;

 private:
  size_t attribute(cudaMemPoolAttr name) const;

  cudaMemPool_t pool_ = nullptr;
};

}  // namespace tern::cuda
