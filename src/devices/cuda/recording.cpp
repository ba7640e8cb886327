// SPDX-License-Identifier: Apache-2.0
#include "devices/cuda/recording.h"

#include "devices/cuda/check.h"

namespace tern::cuda {
namespace {

struct ActiveRecording {
  const Recorder* recorder = nullptr;
  cudaStream_t stream = nullptr;
};

thread_local ActiveRecording active;

constexpr size_t kUnit = 512;  // blocks are multiples of it: like sizes are found again

class CaptureStream {
 public:
  CaptureStream() { check_call(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream"); }
  ~CaptureStream() { static_cast<void>(cudaStreamDestroy(stream_)); }
  CaptureStream(const CaptureStream&) = delete;
  CaptureStream& operator=(const CaptureStream&) = delete;

  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace

// ---------------------------------------------------------------- memory

void* RecordingMemory::allocate(size_t bytes) {
  bytes = (bytes + kUnit - 1) / kUnit * kUnit;
  auto best = blocks_.end();
  for (auto at = blocks_.begin(); at != blocks_.end(); ++at) {
    const Block& block = at->second;
    if (block.used || block.bytes < bytes || block.bytes > 2 * bytes) continue;
    if (best == blocks_.end() || block.bytes < best->second.bytes) best = at;
  }
  if (best == blocks_.end()) {
    void* const data = pool_.allocate(bytes, stream_);
    if (data == nullptr) return nullptr;
    best = blocks_.emplace(data, Block{bytes, false}).first;
  }
  best->second.used = true;
  return best->first;
}

bool RecordingMemory::release(void* data) noexcept {
  const auto at = blocks_.find(data);
  if (at == blocks_.end()) return false;
  at->second.used = false;
  return true;
}

void RecordingMemory::clear() noexcept {
  for (const auto& [data, block] : blocks_) pool_.release(data, stream_);
  blocks_.clear();
}

// ---------------------------------------------------------------- recordings

class Recorder::Graph final : public Recording {
 public:
  explicit Graph(Recorder& recorder) : recorder_(recorder) {
    const std::lock_guard lock(recorder_.mutex_);
    ++recorder_.recordings_;
  }
  ~Graph() override {
    if (exec_ != nullptr) static_cast<void>(cudaGraphExecDestroy(exec_));
    const std::lock_guard lock(recorder_.mutex_);
    if (--recorder_.recordings_ == 0) recorder_.memory_.clear();
  }

  void record(const std::function<void()>& work) {
    const CaptureStream stream;
    // Relaxed: memory comes from the pool meanwhile, on the device's own stream.
    check_call(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeRelaxed), "recording");
    active = {&recorder_, stream.get()};
    cudaGraph_t graph = nullptr;
    const auto end = [&] {
      active = {};
      return cudaStreamEndCapture(stream.get(), &graph);
    };
    try {
      work();
    } catch (...) {
      static_cast<void>(end());
      if (graph != nullptr) static_cast<void>(cudaGraphDestroy(graph));
      static_cast<void>(cudaGetLastError());
      throw;
    }
    check_call(end(), "recording");
    const cudaError_t status = cudaGraphInstantiate(&exec_, graph, 0);
    static_cast<void>(cudaGraphDestroy(graph));
    check_call(status, "making a graph");
  }

  void replay() override { check_call(cudaGraphLaunch(exec_, recorder_.stream_), "launching a graph"); }

 private:
  Recorder& recorder_;
  cudaGraphExec_t exec_ = nullptr;
};

std::unique_ptr<Recording> Recorder::record(const std::function<void()>& work) {
  check(active.recorder == nullptr, "cuda", "expected no recording within another, got one");
  auto graph = std::make_unique<Graph>(*this);
  graph->record(work);
  return graph;
}

bool Recorder::is_recording() const noexcept { return active.recorder == this; }

cudaStream_t Recorder::recorded_stream() const noexcept { return active.stream; }

void* Recorder::allocate(size_t bytes) {
  const std::lock_guard lock(mutex_);
  return memory_.allocate(bytes);
}

bool Recorder::release(void* data) noexcept {
  const std::lock_guard lock(mutex_);
  return memory_.release(data);
}

}  // namespace tern::cuda
