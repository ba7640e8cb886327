// SPDX-License-Identifier: Apache-2.0
// The CUDA device: one GPU with its memory pool, one stream, and the kernels; host threads for what loaders split.
#include "device/backend.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/check.h"
#include "base/thread_pool.h"
#include "devices/cuda/bf16_products.h"
#include "devices/cuda/check.h"
#include "devices/cuda/host_copies.h"
#include "devices/cuda/launch.h"
#include "devices/cuda/memory_pool.h"
#include "devices/cuda/pinned_staging.h"
#include "devices/cuda/recording.h"
#include "devices/cuda/small_copies.h"
#include "devices/cuda/solver.h"
#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

constexpr int kHopperMajor = 9;
constexpr int kOldestMajor = 8;  // Ampere: asynchronous copies to shared memory, int8 mma of 16x8x32

Kernels all_kernels(const MixedKernels* mixed, bool hopper) {
  Kernels all = {};
  static_cast<PointwiseKernels&>(all) = kPointwise;
  static_cast<RowKernels&>(all) = kRows;
  static_cast<MatmulKernels&>(all) = kMatmul;
  static_cast<CodedKernels&>(all) = kCoded;
  static_cast<TernaryKernels&>(all) = kTernary;
  if (!hopper) all.gated_ternary_rows = 0;  // there products are gated afterwards
  static_cast<AttentionKernels&>(all) = kAttention;
  static_cast<ScoreKernels&>(all) = kScores;
  static_cast<ProbeKernels&>(all) = kProbe;
  all.name = "cuda";
  all.mixed = mixed;
  all.array = &kArrays;
  all.linalg = &kLinalg;
  return all;
}

// The GPU of that number, or an Error that says why there is none to use.
cudaDeviceProp usable_gpu(int ordinal) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  static_cast<void>(cudaGetLastError());
  check(status == cudaSuccess && count > 0, "cuda", "expected an NVIDIA GPU and its driver, found none: {}",
        cudaGetErrorString(status == cudaSuccess ? cudaErrorNoDevice : status));
  check(ordinal >= 0 && ordinal < count, "cuda", "expected a GPU in [0, {}), those there are, got {}", count, ordinal);
  cudaDeviceProp properties = {};
  check_call(cudaGetDeviceProperties(&properties, ordinal), "asking the GPU what it is");
  check(properties.major >= kOldestMajor, "cuda", "expected a GPU of compute capability {}.0 or later, got {}.{} ({})",
        kOldestMajor, properties.major, properties.minor, properties.name);
  return properties;
}

class Stream {
 public:
  Stream() { check_call(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream"); }
  ~Stream() {
    static_cast<void>(cudaStreamSynchronize(stream_));
    static_cast<void>(cudaStreamDestroy(stream_));
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

// Makes the GPU the calling thread's: the runtime has a current one per thread.
int make_current(int ordinal) {
  check_call(cudaSetDevice(ordinal), "choosing the GPU");
  return ordinal;
}

}  // namespace

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const DeviceOptions& options)
      : ordinal_(options.ordinal),
        properties_(usable_gpu(ordinal_)),
        memory_limit_(options.memory_limit),
        pool_(make_current(ordinal_), memory_limit_),
        copy_stream_{stream_.get(), properties_.major >= kHopperMajor},
        host_copies_(stream_.get()),
        recorder_(pool_, stream_.get()),
        table_(all_kernels(has_mixed_kernels(options) ? &kMixed : nullptr, properties_.major == kHopperMajor)),
        threads_(options.threads == 0 ? available_cores() : options.threads),
        isa_(fmt::format("sm_{}{}", properties_.major, properties_.minor)) {
    kernels_ = &table_;
    exec_.backend = this;
    exec_.threads = threads_.threads();
    exec_.parallel = [](void* self, int64_t count, int64_t grain, Exec::Body body, void* arg) noexcept {
      static_cast<CudaBackend*>(self)->threads_.run(count, grain, body, arg);
    };
    if (options.ternary_layout) exec_.ternary.layout = *options.ternary_layout;
    exec_.matmul_precision = options.matmul_precision;
    if (options.matmul_precision == MatmulPrecision::bf16) bf16_products_.emplace();
  }

  static CudaBackend& of(const Exec& exec) noexcept { return *static_cast<CudaBackend*>(exec.backend); }

  std::string_view name() const override { return "cuda"; }
  std::string_view isa() const override { return isa_; }
  int threads() const override { return threads_.threads(); }
  std::string description() const override {
    return fmt::format("cuda ({}, {}, {} multiprocessors, {:.1f} GiB)", properties_.name, isa_,
                       properties_.multiProcessorCount,
                       static_cast<double>(properties_.totalGlobalMem) / static_cast<double>(size_t{1} << 30));
  }

  void* allocate(size_t bytes) override {
    throw_kept_error();
    make_current(ordinal_);
    void* const data = allocate_block(std::max<size_t>(bytes, 1));
    if (data == nullptr) fail_allocation(bytes);
    blocks_.fetch_add(1, std::memory_order_relaxed);
    allocations_.fetch_add(1, std::memory_order_relaxed);
    return data;
  }
  void release(void* data, size_t) noexcept override {
    release_block(data);
    blocks_.fetch_sub(1, std::memory_order_relaxed);
  }

  void zero(void* to, size_t bytes) override {
    if (bytes > 0) check_call(cudaMemsetAsync(to, 0, bytes, stream()), "clearing memory");
  }
  // Pageable memory is staged before the call returns, so `from` is the caller's again.
  void copy_to_device(void* to, const void* from, size_t bytes) override {
    check_copy();
    if (bytes == 0) return;
    make_current(ordinal_);
    check_call(bytes <= kMostSmallBytes ? store_small(copy_stream_, to, from, bytes)
                                        : cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_.get()),
               "copying to the GPU");
  }
  void join_to_device(void* to, std::span<const std::byte> there, std::span<const std::byte> here) override {
    constexpr const char* kDoing = "copying to the GPU";
    check_copy();
    make_current(ordinal_);
    if (here.size() <= kMostSmallBytes) {
      check_call(store_small(copy_stream_, to, here.data(), here.size(), there), kDoing);
      return;
    }
    check_call(cudaMemcpyAsync(to, there.data(), there.size(), cudaMemcpyDeviceToDevice, stream_.get()), kDoing);
    copy_to_device(static_cast<std::byte*>(to) + there.size(), here.data(), here.size());
  }
  void copy_to_host(void* to, const void* from, size_t bytes) override {
    check_copy();
    make_current(ordinal_);
    if (bytes == 0) return synchronize();
    staging_.copy_to_host(to, from, bytes, stream_.get());
    throw_kept_error();
  }
  std::unique_ptr<HostCopy> start_copy_to_host(const void* from, size_t bytes) override {
    if (bytes > kMostSmallBytes) return Backend::start_copy_to_host(from, bytes);
    check_copy();
    make_current(ordinal_);
    throw_kept_error();
    return host_copies_.start(from, bytes);
  }

  void synchronize() override {
    make_current(ordinal_);
    check_call(cudaStreamSynchronize(stream_.get()), "waiting for the GPU");
    throw_kept_error();
  }

  MemoryStatistics statistics() const override {
    return {.live = pool_.used(),
            .peak = pool_.most_used(),
            .reserved = pool_.reserved(),
            .limit = memory_limit_,
            .blocks = blocks_.load(std::memory_order_relaxed),
            .allocations = allocations_.load(std::memory_order_relaxed)};
  }
  void trim() override {
    synchronize();
    pool_.trim(stream_.get());
  }

  std::unique_ptr<Recording> record(const std::function<void()>& work) override {
    make_current(ordinal_);
    return recorder_.record(work);
  }

  void* queue() const override { return stream_.get(); }

  // Null when there is none left.
  void* allocate_block(size_t bytes) {
    return recorder_.is_recording() ? recorder_.allocate(bytes) : pool_.allocate(bytes, stream_.get());
  }
  void release_block(void* data) noexcept {
    if (!recorder_.release(data)) pool_.release(data, stream_.get());
  }

  // Of the calling thread's launches.
  cudaStream_t stream() const noexcept {
    return recorder_.is_recording() ? recorder_.recorded_stream() : stream_.get();
  }
  Bf16Products& bf16_products() noexcept { return *bf16_products_; }
  void open_solver() {
    std::call_once(solver_once_, [&] {
      make_current(ordinal_);
      solver_.emplace();
    });
  }
  Solver& solver() noexcept { return *solver_; }
  int ordinal() const noexcept { return ordinal_; }
  int multiprocessors() const noexcept { return properties_.multiProcessorCount; }
  int major() const noexcept { return properties_.major; }

  void keep_error(cudaError_t error, const char* kernel) noexcept {
    if (error == cudaSuccess) return;
    const std::lock_guard lock(kept_mutex_);
    if (!kept_) kept_ = Failure{error, kernel};
  }

 private:
  struct Failure {
    cudaError_t error;
    const char* kernel;
  };

  // wgmma, and who asked for bf16.
  bool has_mixed_kernels(const DeviceOptions& options) const {
    return properties_.major == kHopperMajor && options.matmul_precision == MatmulPrecision::bf16;
  }

  [[noreturn]] void fail_allocation(size_t bytes) const {
    const size_t used = pool_.used();  // asking takes a while
    if (memory_limit_ > 0) {
      fail("cuda", "expected {} bytes of memory within the limit of {}, of which {} are in use", bytes, memory_limit_,
           used);
    }
    fail("cuda", "expected {} bytes of memory, the GPU has none: {} of its {} are in use here", bytes, used,
         properties_.totalGlobalMem);
  }

  void check_copy() const {
    check(!recorder_.is_recording(), "cuda",
          "expected recorded work to copy nothing between host and device, got a copy");
  }

  void throw_kept_error() {
    std::optional<Failure> failure;
    {
      const std::lock_guard lock(kept_mutex_);
      failure.swap(kept_);
    }
    if (failure) check_call(failure->error, failure->kernel);
  }

  const int ordinal_;
  const cudaDeviceProp properties_;
  const size_t memory_limit_;
  MemoryPool pool_;
  Stream stream_;  // goes before the pool, and what it still does before that
  PinnedStaging staging_;
  const CopyStream copy_stream_;
  HostCopies host_copies_;
  Recorder recorder_;
  const Kernels table_;
  std::optional<Bf16Products> bf16_products_;  // where the precision is bf16
  std::once_flag solver_once_;
  std::optional<Solver> solver_;  // from its first use on
  ThreadPool threads_;
  const std::string isa_;
  std::atomic<size_t> blocks_ = 0, allocations_ = 0;
  std::mutex kept_mutex_;
  std::optional<Failure> kept_;
};

std::shared_ptr<Backend> open(const DeviceOptions& options) { return std::make_shared<CudaBackend>(options); }

cudaStream_t stream_of(const Exec& exec) noexcept {
  keep_error(exec, cudaSetDevice(CudaBackend::of(exec).ordinal()), "choosing the GPU");
  return CudaBackend::of(exec).stream();
}

Bf16Products& bf16_products(const Exec& exec) noexcept { return CudaBackend::of(exec).bf16_products(); }

void open_solver(const Exec& exec) { CudaBackend::of(exec).open_solver(); }

Solver& solver_of(const Exec& exec) noexcept { return CudaBackend::of(exec).solver(); }

int multiprocessors(const Exec& exec) noexcept { return CudaBackend::of(exec).multiprocessors(); }

bool launches_overlap(const Exec& exec) noexcept { return CudaBackend::of(exec).major() >= 9; }

bool is_hopper(const Exec& exec) noexcept { return CudaBackend::of(exec).major() == 9; }

void keep_error(const Exec& exec, cudaError_t error, const char* kernel) noexcept {
  CudaBackend::of(exec).keep_error(error, kernel);
}

Room::Room(const Exec& exec, size_t bytes, const char* kernel) noexcept : exec_(exec) {
  if (bytes == 0) return;
  try {
    data_ = CudaBackend::of(exec).allocate_block(bytes);
    if (data_ == nullptr) keep_error(exec, cudaErrorMemoryAllocation, kernel);
  } catch (...) {
    keep_error(exec, cudaErrorUnknown, kernel);
  }
}

Room::~Room() {
  if (data_ != nullptr) CudaBackend::of(exec_).release_block(data_);
}

}  // namespace tern::cuda
