// SPDX-License-Identifier: Apache-2.0
// Copies to the host that nobody waits for at once, through pinned memory, which is kept for the next. They have a
// stream of their own, so that what comes behind them need not wait until the host's memory has been written: that
// takes 3 us.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "core/device_memory.h"

namespace tern::cuda {

// Of few bytes each (small_copies.h), after the work before them in one stream. Safe from several threads. Goes after
// all of its copies.
class HostCopies {
 public:
  // Of the calling thread's device. Throws Error if the runtime refuses.
  explicit HostCopies(cudaStream_t after);
  ~HostCopies();
  HostCopies(const HostCopies&) = delete;
  HostCopies& operator=(const HostCopies&) = delete;

  // bytes <= kMostSmallBytes. Throws Error if the runtime refuses.
  std::unique_ptr<HostCopy> start(const void* from, size_t bytes);

 private:
  class Pinned;
  class Copy;

  std::unique_ptr<Pinned> take();
  void give_back(std::unique_ptr<Pinned> pinned);

  const cudaStream_t after_;
  cudaStream_t stream_ = nullptr;
  std::mutex mutex_;  // of what follows
  std::vector<std::unique_ptr<Pinned>> free_;
};

}  // namespace tern::cuda
