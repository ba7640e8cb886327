// SPDX-License-Identifier: Apache-2.0
#include "devices/cuda/pinned_staging.h"

#include <cstring>

#include "devices/cuda/check.h"

namespace tern::cuda {
namespace {

constexpr size_t kLeast = size_t{16} << 10, kMost = size_t{1} << 20;

void copy(void* to, const void* from, size_t bytes, cudaStream_t stream) {
  check_call(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream), "copying from the GPU");
  check_call(cudaStreamSynchronize(stream), "waiting for the GPU");
}

}  // namespace

PinnedStaging::~PinnedStaging() { static_cast<void>(cudaFreeHost(pinned_)); }

void PinnedStaging::copy_to_host(void* to, const void* from, size_t bytes, cudaStream_t stream) {
  if (bytes < kLeast || bytes > kMost) return copy(to, from, bytes, stream);
  const std::lock_guard lock(mutex_);
  if (pinned_ == nullptr) check_call(cudaMallocHost(&pinned_, kMost), "taking pinned memory");
  copy(pinned_, from, bytes, stream);
  std::memcpy(to, pinned_, bytes);
}

}  // namespace tern::cuda
