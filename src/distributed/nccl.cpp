// SPDX-License-Identifier: Apache-2.0
// Groups over NCCL: tensors in the memory of GPUs. Operations go through a stream of their own, so that they run beside
// the device's work; events order the two where one needs the other.
#include <cuda_runtime_api.h>
#include <nccl.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "device/backend.h"
#include "distributed/join.h"
#include "distributed/nccl_library.h"
#include "distributed/tcp_meeting.h"

namespace tern {
namespace {

constexpr std::chrono::minutes kMeetingLimit(5);

void require(cudaError_t status, const char* what) {
  check(status == cudaSuccess, "distributed", "CUDA: {}: {} ({})", what, cudaGetErrorString(status),
        cudaGetErrorName(status));
}

cudaStream_t stream_of(const Device& device) { return static_cast<cudaStream_t>(device.backend().queue()); }

int ordinal_of(const Device& device) {
  int ordinal = 0;
  require(cudaStreamGetDevice(stream_of(device), &ordinal), "asking for the GPU");
  return ordinal;
}

// A stream that goes first where both it and the device's have work.
class UrgentStream {
 public:
  explicit UrgentStream(int ordinal) {
    int least = 0, greatest = 0;
    require(cudaSetDevice(ordinal), "choosing the GPU");
    require(cudaDeviceGetStreamPriorityRange(&least, &greatest), "asking for priorities");
    require(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking, greatest), "making a stream");
  }
  ~UrgentStream() { static_cast<void>(cudaStreamDestroy(stream_)); }
  UrgentStream(const UrgentStream&) = delete;
  UrgentStream& operator=(const UrgentStream&) = delete;

  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

// A point in a stream.
class Event {
 public:
  Event() { require(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "making an event"); }
  ~Event() {
    if (event_ != nullptr) static_cast<void>(cudaEventDestroy(event_));
  }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&& other) noexcept {
    std::swap(event_, other.event_);
    return *this;
  }

  void record(cudaStream_t stream) const { require(cudaEventRecord(event_, stream), "marking a stream"); }
  // What is asked of the stream from now on comes after the point.
  void hold(cudaStream_t stream) const { require(cudaStreamWaitEvent(stream, event_, 0), "ordering streams"); }

 private:
  cudaEvent_t event_ = nullptr;
};

// Memory of the host that GPUs reach, too.
class PinnedNumbers {
 public:
  PinnedNumbers() { require(cudaMallocHost(&data_, kMost * sizeof(double)), "asking for pinned memory"); }
  ~PinnedNumbers() { static_cast<void>(cudaFreeHost(data_)); }
  PinnedNumbers(const PinnedNumbers&) = delete;
  PinnedNumbers& operator=(const PinnedNumbers&) = delete;

  static constexpr size_t kMost = 512;
  double* data() const { return static_cast<double*>(data_); }

 private:
  void* data_ = nullptr;
};

// NCCL's communicator and who may end it: the process itself, or the thread that hears of another's failure, for which
// it has to end what waits on the GPU for that other.
class NcclGroup {
 public:
  NcclGroup(const ProcessPlace& place, const ncclUniqueId& id) {
    require(library_.comm_init_rank(&group_, place.size, id, place.rank), "forming the group");
  }
  ~NcclGroup() {
    if (group_ != nullptr) static_cast<void>(library_.comm_destroy(group_));
  }
  NcclGroup(const NcclGroup&) = delete;
  NcclGroup& operator=(const NcclGroup&) = delete;

  // Calls f(library, communicator) unless the group has come to an end.
  template <class F>
  void call(F&& f, const char* what) {
    const std::lock_guard lock(mutex_);
    check(reason_.empty(), "distributed", "{}", reason_);
    require(f(library_, group_), what);
  }

  // Throws Error when the group has come to an end, or NCCL has noticed that it must.
  void check_alive() {
    call(
        [](const NcclLibrary& library, ncclComm_t group) {
          ncclResult_t noticed = ncclSuccess;
          const ncclResult_t asked = library.comm_get_async_error(group, &noticed);
          return asked == ncclSuccess ? noticed : asked;
        },
        "exchanging with the other processes");
  }

  // Ends what goes on, unless that was done before.
  void end(const std::string& reason) {
    const std::lock_guard lock(mutex_);
    if (!reason_.empty()) return;
    reason_ = reason;
    static_cast<void>(library_.comm_abort(std::exchange(group_, nullptr)));
  }
  bool has_ended() {
    const std::lock_guard lock(mutex_);
    return !reason_.empty();
  }

 private:
  void require(ncclResult_t status, const char* what) const {
    check(status == ncclSuccess, "distributed", "NCCL: {}: {}: {}", what, library_.get_error_string(status),
          library_.get_last_error(group_));
  }

  const NcclLibrary& library_ = nccl_library();
  std::mutex mutex_;
  ncclComm_t group_ = nullptr;
  std::string reason_;  // of the end
};

ncclUniqueId exchange_id(Meeting& meeting, int rank) {
  ncclUniqueId id = {};
  if (rank == 0) {
    const ncclResult_t status = nccl_library().get_unique_id(&id);
    check(status == ncclSuccess, "distributed", "NCCL: {}", nccl_library().get_error_string(status));
  }
  meeting.broadcast(std::as_writable_bytes(std::span(&id, 1)));
  return id;
}

class NcclCollectives final : public Collectives {
 public:
  NcclCollectives(const ProcessPlace& place, const Device& device, std::unique_ptr<Meeting> meeting)
      : Collectives(place.rank, place.size, device),
        meeting_(std::move(meeting)),
        ordinal_(ordinal_of(device)),
        stream_(ordinal_),
        group_(place, exchange_id(*meeting_, place.rank)) {
    meeting_->watch([this](const std::string& who_and_why) { group_.end(who_and_why); });
  }

  // What still runs uses the tensors of running_, and may wait for a process that fails, or for one that never comes
  // here.
  ~NcclCollectives() override {
    if (std::uncaught_exceptions() > 0) fail("an error outside of guard()");
    static_cast<void>(cudaStreamSynchronize(stream_.get()));
    meeting_.reset();
  }

  Ticket start(std::span<const Operation> operations) override {
    if (operations.empty()) return last_;
    require(cudaSetDevice(ordinal_), "choosing the GPU");
    asked_.record(stream_of(device()));
    asked_.hold(stream_.get());
    group_.call(
        [&](const NcclLibrary& library, ncclComm_t group) { return launch_together(operations, library, group); },
        "starting an operation");
    Event done = idle_.empty() ? Event() : std::move(idle_.back());
    if (!idle_.empty()) idle_.pop_back();
    done.record(stream_.get());
    running_.push_back({++last_, std::move(done), {operations.begin(), operations.end()}});
    return last_;
  }

  void wait(Ticket ticket) override {
    group_.check_alive();
    // One event for all: the last one's comes after the others'.
    const Event* last = nullptr;
    for (const Running& running : running_) {
      if (running.ticket <= ticket) last = &running.done;
    }
    if (last == nullptr) return;
    last->hold(stream_of(device()));
    while (!running_.empty() && running_.front().ticket <= ticket) {
      idle_.push_back(std::move(running_.front().done));
      running_.pop_front();
    }
  }

  void all_reduce_sum(std::span<double> values) override {
    require(cudaSetDevice(ordinal_), "choosing the GPU");
    for (size_t begin = 0; begin < values.size(); begin += PinnedNumbers::kMost) {
      const std::span<double> piece = values.subspan(begin, std::min(PinnedNumbers::kMost, values.size() - begin));
      std::copy(piece.begin(), piece.end(), numbers_.data());
      group_.call(
          [&](const NcclLibrary& library, ncclComm_t group) {
            return library.all_reduce(numbers_.data(), numbers_.data(), piece.size(), ncclFloat64, ncclSum, group,
                                      stream_.get());
          },
          "starting a sum");
      require(cudaStreamSynchronize(stream_.get()), "waiting for a sum");
      group_.check_alive();
      std::copy_n(numbers_.data(), piece.size(), piece.begin());
    }
  }

  void fail(std::string_view why) noexcept override {
    try {
      if (group_.has_ended()) return;
      meeting_->fail(why);
      group_.end("expected no more of a group that has failed, got another call");
    } catch (...) {
      // Out of memory: the end of this process will tell the others.
    }
  }

  void check_alive() override { group_.check_alive(); }

 private:
  struct Running {
    Ticket ticket;
    Event done;
    std::vector<Operation> operations;  // whose tensors it keeps
  };

  ncclResult_t launch_together(std::span<const Operation> operations, const NcclLibrary& library,
                               ncclComm_t group) const {
    ncclResult_t status = library.group_start();
    if (status != ncclSuccess) return status;
    for (const Operation& operation : operations) {
      status = launch(operation, library, group);
      if (status != ncclSuccess) break;
    }
    const ncclResult_t ended = library.group_end();
    return status == ncclSuccess ? ended : status;
  }

  ncclResult_t launch(const Operation& operation, const NcclLibrary& library, ncclComm_t group) const {
    const auto& [kind, from, to, count] = operation;
    const auto numbers = static_cast<size_t>(count), bytes = operation.bytes();
    cudaStream_t stream = stream_.get();
    switch (kind) {
      case Kind::all_reduce_sum:
        return library.all_reduce(to.raw(), to.raw(), numbers, ncclFloat32, ncclSum, group, stream);
      case Kind::reduce_scatter_sum:
        return library.reduce_scatter(from.raw(), to.raw(), numbers, ncclFloat32, ncclSum, group, stream);
      case Kind::all_gather:
        return library.all_gather(from.raw(), to.raw(), bytes, ncclUint8, group, stream);
      case Kind::broadcast:
        return library.broadcast(to.raw(), to.raw(), bytes, ncclUint8, 0, group, stream);
    }
    return ncclInvalidArgument;
  }

  std::unique_ptr<Meeting> meeting_;
  int ordinal_;
  UrgentStream stream_;
  PinnedNumbers numbers_;
  NcclGroup group_;
  Event asked_;                  // the point in the device's stream that the next operation comes after
  std::deque<Running> running_;  // by ticket
  std::vector<Event> idle_;
  Ticket last_ = 0;
};

}  // namespace

std::shared_ptr<Collectives> join_over_nccl(const ProcessPlace& place, const Device& device) {
  check(device.name() == "cuda", "distributed", "expected a CPU or a CUDA device, got {}", device.name());
  static_cast<void>(nccl_library());  // before anyone waits for this process
  std::unique_ptr<Meeting> meeting;
  if (place.launcher == ProcessPlace::Launcher::open_mpi) meeting = meet_over_mpi(place);
  if (!meeting) meeting = meet_over_tcp(place, kMeetingLimit);
  return std::make_shared<NcclCollectives>(place, device, std::move(meeting));
}

}  // namespace tern
