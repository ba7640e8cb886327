// SPDX-License-Identifier: Apache-2.0
// Copies from a GPU to pageable memory by way of pinned memory, which the copy engine writes itself.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <mutex>

namespace tern::cuda {

// Copies of 16 KiB to 1 MiB, such as rows of logits and gradients; others are the driver's, which stages them as well.
// On an H200, driver and pinned: 64 KiB in 26.9 and 15.7 us, 1 MiB in 166 and 89; 4 KiB 11.4 and 10.3, but 256 MiB in
// pieces of 2 MiB 21.9 and 35.6 ms. To the device pinned pieces gained nothing: 1 MiB 101 and 109 us, 256 MiB 34.8 and
// 33.4 ms. Safe from several threads: copies take turns.
class PinnedStaging {
 public:
  PinnedStaging() = default;
  ~PinnedStaging();
  PinnedStaging(const PinnedStaging&) = delete;
  PinnedStaging& operator=(const PinnedStaging&) = delete;

  // Returns when the bytes are there, and all work before them in `stream`, of the calling thread's device, is done.
  // Throws Error if the runtime fails.
  void copy_to_host(void* to, const void* from, size_t bytes, cudaStream_t stream);

 private:
  std::mutex mutex_;
  void* pinned_ = nullptr;  // from the first copy on
};

}  // namespace tern::cuda
