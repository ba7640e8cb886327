// SPDX-License-Identifier: Apache-2.0
// Launches recorded as a CUDA graph: one launch repeats them all.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "device/backend.h"
#include "devices/cuda/memory_pool.h"

namespace tern::cuda {

// Memory of recorded work. What is released here serves later allocations of this and of other recordings, since they
// are repeated one after the other: what a recording still holds when it is made is its alone, the rest is scratch.
class RecordingMemory {
 public:
  RecordingMemory(MemoryPool& pool, cudaStream_t stream) : pool_(pool), stream_(stream) {}
  ~RecordingMemory() { clear(); }
  RecordingMemory(const RecordingMemory&) = delete;
  RecordingMemory& operator=(const RecordingMemory&) = delete;

  // As MemoryPool::allocate.
  void* allocate(size_t bytes);
  // False for what is not from here.
  bool release(void* data) noexcept;
  // Gives everything back to the pool.
  void clear() noexcept;

 private:
  struct Block {
    size_t bytes;
    bool used;
  };

  MemoryPool& pool_;
  cudaStream_t stream_;
  std::map<void*, Block> blocks_;
};

// The recordings of a device, and the one that a thread makes. Each thread records on a stream of its own, so that what
// other threads launch meanwhile runs as ever.
class Recorder {
 public:
  Recorder(MemoryPool& pool, cudaStream_t stream) : stream_(stream), memory_(pool, stream) {}

  // Records what `work` launches on this device in this thread. Throws what it throws, and Error if the runtime
  // refuses.
  std::unique_ptr<Recording> record(const std::function<void()>& work);

  // Whether the calling thread records on this device at the moment, and then where its launches and its memory go.
  bool is_recording() const noexcept;
  cudaStream_t recorded_stream() const noexcept;
  void* allocate(size_t bytes);
  // Takes back what is from there; false for anything else.
  bool release(void* data) noexcept;

 private:
  class Graph;

  cudaStream_t stream_;
  std::mutex mutex_;  // of what follows
  RecordingMemory memory_;
  int64_t recordings_ = 0;
};

}  // namespace tern::cuda
