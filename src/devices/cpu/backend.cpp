// SPDX-License-Identifier: Apache-2.0
// The CPU device: host memory, a thread pool and one instruction set's kernels.
#include "device/backend.h"

#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/host_memory.h"
#include "base/thread_pool.h"
#include "devices/cpu/dispatch.h"
#include "devices/cpu/tuning.h"
#include "memory/host_pool.h"

namespace tern::cpu {
namespace {

constexpr int kMaxThreads = 1024;

int thread_count(int requested) {
  check(requested >= 0 && requested <= kMaxThreads, "threads", "expected 0 (one per core) to {}, got {}", kMaxThreads,
        requested);
  return requested == 0 ? available_cores() : requested;
}

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(const DeviceOptions& options)
      : pool_(thread_count(options.threads)), memory_({.limit = options.memory_limit}) {
    kernels_ = &choose_kernels(options.isa);
    // Untouched pages cost nothing, so every worker has its scratch from the start.
    for (int worker = 0; worker < pool_.threads(); ++worker) {
      scratch_.push_back(host_block(kScratchBytes));
      check(scratch_.back() != nullptr, "cpu", "expected {} bytes of scratch memory per thread, got none",
            kScratchBytes);
    }
    exec_.backend = this;
    exec_.threads = pool_.threads();
    exec_.parallel = &parallel;
    exec_.scratch = &scratch;
    if (options.ternary_layout) exec_.ternary.layout = *options.ternary_layout;
    if (options.tune) exec_.ternary = measured_tuning(*kernels_, exec_, options.ternary_layout);
  }

  std::string_view name() const override { return "cpu"; }
  std::string_view isa() const override { return kernels_->name; }
  int threads() const override { return pool_.threads(); }
  std::string description() const override { return fmt::format("cpu ({}, {} threads)", isa(), threads()); }

  void* allocate(size_t bytes) override { return memory_.allocate(bytes); }
  void release(void* data, size_t bytes) noexcept override { memory_.release(data, bytes); }
  MemoryStatistics statistics() const override { return memory_.statistics(); }
  void trim() override { memory_.trim(); }

  void zero(void* to, size_t bytes) override { std::memset(to, 0, bytes); }
  void copy_to_device(void* to, const void* from, size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
  void copy_to_host(void* to, const void* from, size_t bytes) override {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }

 private:
  static void parallel(void* self, int64_t count, int64_t grain, Exec::Body body, void* arg) noexcept {
    static_cast<CpuBackend*>(self)->pool_.run(count, grain, body, arg);
  }
  static std::byte* scratch(void* self, int worker) noexcept {
    return static_cast<std::byte*>(static_cast<CpuBackend*>(self)->scratch_[static_cast<size_t>(worker)].get());
  }

  ThreadPool pool_;
  HostPool memory_;
  std::vector<HostBlock> scratch_;
};

}  // namespace

std::shared_ptr<Backend> open(const DeviceOptions& options) { return std::make_shared<CpuBackend>(options); }

}  // namespace tern::cpu
