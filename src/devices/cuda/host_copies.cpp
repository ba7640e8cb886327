// SPDX-License-Identifier: Apache-2.0
#include "devices/cuda/host_copies.h"

#include <atomic>
#include <new>
#include <utility>

#include "devices/cuda/check.h"
#include "devices/cuda/small_copies.h"

namespace tern::cuda {

// Where one copy at a time lands.
class HostCopies::Pinned {
 public:
  Pinned() {
    check_call(cudaEventCreateWithFlags(&begin_, cudaEventDisableTiming), "making an event");
    void* memory = nullptr;
    const cudaError_t status = cudaMallocHost(&memory, sizeof(SmallLanding));
    if (status != cudaSuccess) static_cast<void>(cudaEventDestroy(begin_));
    check_call(status, "allocating pinned memory");
    landing_ = new (memory) SmallLanding{};
  }
  ~Pinned() {
    static_cast<void>(cudaFreeHost(landing_));
    static_cast<void>(cudaEventDestroy(begin_));
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

  // In `stream`, after what is in `after` now.
  void start(const void* from, size_t bytes, cudaStream_t after, cudaStream_t stream) {
    constexpr const char* kDoing = "copying from the GPU";
    check_call(cudaEventRecord(begin_, after), kDoing);
    check_call(cudaStreamWaitEvent(stream, begin_, 0), kDoing);
    check_call(load_small({stream, false}, landing_, ++number_, from, bytes), kDoing);
  }

  // Looks at the number of the copy again and again, and now and then whether it can still come.
  const std::byte* wait(cudaStream_t stream) const {
    constexpr int kLooks = 4096;
    const std::atomic_ref<uint64_t> number(landing_->number);
    for (;;) {
      for (int i = 0; i < kLooks; ++i) {
        if (number.load(std::memory_order_acquire) == number_) return landing_->bytes;
      }
      const cudaError_t status = cudaStreamQuery(stream);
      if (status != cudaErrorNotReady) check_call(status, "waiting for the GPU");
    }
  }

 private:
  cudaEvent_t begin_ = nullptr;
  SmallLanding* landing_ = nullptr;
  uint64_t number_ = 0;
};

class HostCopies::Copy final : public HostCopy {
 public:
  Copy(HostCopies& copies, const void* from, size_t bytes) : copies_(copies), bytes_(bytes), pinned_(copies.take()) {
    pinned_->start(from, bytes, copies.after_, copies.stream_);
  }
  ~Copy() override {
    // Nobody else may have it while the GPU still writes to it; what failed is told by whoever waits next.
    try {
      pinned_->wait(copies_.stream_);
      copies_.give_back(std::move(pinned_));
    } catch (...) {
    }
  }

  std::span<const std::byte> wait() override { return {pinned_->wait(copies_.stream_), bytes_}; }

 private:
  HostCopies& copies_;
  const size_t bytes_;
  std::unique_ptr<Pinned> pinned_;
};

HostCopies::HostCopies(cudaStream_t after) : after_(after) {
  check_call(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream");
}
HostCopies::~HostCopies() {
  static_cast<void>(cudaStreamSynchronize(stream_));
  static_cast<void>(cudaStreamDestroy(stream_));
}

std::unique_ptr<HostCopy> HostCopies::start(const void* from, size_t bytes) {
  return std::make_unique<Copy>(*this, from, bytes);
}

std::unique_ptr<HostCopies::Pinned> HostCopies::take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return std::make_unique<Pinned>();
  std::unique_ptr<Pinned> pinned = std::move(free_.back());
  free_.pop_back();
  return pinned;
}

void HostCopies::give_back(std::unique_ptr<Pinned> pinned) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(pinned));
}

}  // namespace tern::cuda
