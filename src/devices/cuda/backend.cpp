// SPDX-License-Identifier: Apache-2.0
// The CUDA device: one GPU with its memory pool, one stream, and the kernels; host threads for what loaders split.
#include "device/backend.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/check.h"
#include "base/thread_pool.h"
#include "devices/cuda/check.h"
#include "devices/cuda/launch.h"
#include "devices/cuda/memory_pool.h"
#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

constexpr int kOrdinal = 0;
constexpr int kOldestMajor = 8;  // Ampere: asynchronous copies to shared memory, int8 mma of 16x8x32

const Kernels& all_kernels() {
  static const Kernels table = [] {
    Kernels all = {};
    static_cast<PointwiseKernels&>(all) = kPointwise;
    static_cast<RowKernels&>(all) = kRows;
    static_cast<MatmulKernels&>(all) = kMatmul;
    static_cast<CodedKernels&>(all) = kCoded;
    static_cast<TernaryKernels&>(all) = kTernary;
    static_cast<AttentionKernels&>(all) = kAttention;
    static_cast<ProbeKernels&>(all) = kProbe;
    all.name = "cuda";
    return all;
  }();
  return table;
}

// The GPU, or an Error that says why there is none to use.
cudaDeviceProp usable_gpu() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  static_cast<void>(cudaGetLastError());
  check(status == cudaSuccess && count > 0, "cuda", "expected an NVIDIA GPU and its driver, found none: {}",
        cudaGetErrorString(status == cudaSuccess ? cudaErrorNoDevice : status));
  cudaDeviceProp properties = {};
  check_call(cudaGetDeviceProperties(&properties, kOrdinal), "asking the GPU what it is");
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
int current_gpu() {
  check_call(cudaSetDevice(kOrdinal), "choosing the GPU");
  return kOrdinal;
}

}  // namespace

class CudaBackend final : public Backend {
 public:
  explicit CudaBackend(const DeviceOptions& options)
      : properties_(usable_gpu()),
        pool_(current_gpu()),
        threads_(options.threads == 0 ? available_cores() : options.threads),
        isa_(fmt::format("sm_{}{}", properties_.major, properties_.minor)) {
    kernels_ = &all_kernels();
    exec_.backend = this;
    exec_.threads = threads_.threads();
    exec_.parallel = [](void* self, int64_t count, int64_t grain, Exec::Body body, void* arg) noexcept {
      static_cast<CudaBackend*>(self)->threads_.run(count, grain, body, arg);
    };
    if (options.ternary_layout) exec_.ternary.layout = *options.ternary_layout;
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
    current_gpu();
    void* const data = pool_.allocate(std::max<size_t>(bytes, 1), stream_.get());
    check(data != nullptr, "cuda", "expected {} bytes of memory, the GPU has none: {} of its {} are in use here", bytes,
          pool_.used(), properties_.totalGlobalMem);
    return data;
  }
  void release(void* data, size_t) noexcept override { pool_.release(data, stream_.get()); }

  void zero(void* to, size_t bytes) override {
    if (bytes > 0) check_call(cudaMemsetAsync(to, 0, bytes, stream_.get()), "clearing memory");
  }
  // Pageable memory is staged before the call returns, so `from` is the caller's again.
  void copy_to_device(void* to, const void* from, size_t bytes) override {
    if (bytes > 0)
      check_call(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_.get()), "copying to the GPU");
  }
  void copy_to_host(void* to, const void* from, size_t bytes) override {
    if (bytes > 0)
      check_call(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_.get()), "copying from the GPU");
    check_call(cudaStreamSynchronize(stream_.get()), "waiting for the GPU");
    throw_kept_error();
  }

  cudaStream_t stream() const noexcept { return stream_.get(); }
  int multiprocessors() const noexcept { return properties_.multiProcessorCount; }
  MemoryPool& pool() noexcept { return pool_; }

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

  void throw_kept_error() {
    std::optional<Failure> failure;
    {
      const std::lock_guard lock(kept_mutex_);
      failure.swap(kept_);
    }
    if (failure) check_call(failure->error, failure->kernel);
  }

  const cudaDeviceProp properties_;
  MemoryPool pool_;
  Stream stream_;  // goes before the pool, and what it still does before that
  ThreadPool threads_;
  const std::string isa_;
  std::mutex kept_mutex_;
  std::optional<Failure> kept_;
};

std::shared_ptr<Backend> open(const DeviceOptions& options) { return std::make_shared<CudaBackend>(options); }

cudaStream_t stream_of(const Exec& exec) noexcept {
  keep_error(exec, cudaSetDevice(kOrdinal), "choosing the GPU");
  return CudaBackend::of(exec).stream();
}

int multiprocessors(const Exec& exec) noexcept { return CudaBackend::of(exec).multiprocessors(); }

void keep_error(const Exec& exec, cudaError_t error, const char* kernel) noexcept {
  CudaBackend::of(exec).keep_error(error, kernel);
}

Room::Room(const Exec& exec, size_t bytes, const char* kernel) noexcept : exec_(exec) {
  if (bytes == 0) return;
  try {
    data_ = CudaBackend::of(exec).pool().allocate(bytes, stream_of(exec));
    if (data_ == nullptr) keep_error(exec, cudaErrorMemoryAllocation, kernel);
  } catch (...) {
    keep_error(exec, cudaErrorUnknown, kernel);
  }
}

Room::~Room() {
  if (data_ != nullptr) CudaBackend::of(exec_).pool().release(data_, CudaBackend::of(exec_).stream());
}

}  // namespace tern::cuda
