// SPDX-License-Identifier: Apache-2.0
// Groups over MPI: tensors in the memory of CPUs.
#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <deque>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "distributed/join.h"

namespace tern {
namespace {

constexpr int kFailureTag = 1;
constexpr size_t kLongestReason = 4000;

void require(int status, const char* what) {
  if (status == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(status, text, &length);
  fail("distributed", "MPI: {}: {}", what, text);
}

// MPI from its beginning to its end in this process, unless someone else has begun it.
class MpiSession {
 public:
  explicit MpiSession(const ProcessPlace& place) {
    int begun = 0, ended = 0, threads = 0;
    MPI_Initialized(&begun);
    MPI_Finalized(&ended);
    check(ended == 0, "distributed", "expected one group in the life of a process, MPI has ended in this one");
    if (begun == 0) {
      require(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &threads), "beginning");
      ends_ = true;
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int rank = 0, size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (rank == place.rank && size == place.size) return;
    end();
    fail("distributed", "expected mpirun to have started this process as rank {} of {}, MPI says rank {} of {}",
         place.rank, place.size, rank, size);
  }
  ~MpiSession() { end(); }
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  // After a failure there is no end that all come to: mpirun ends the others when this process ends without one.
  void abandon() { ends_ = false; }

 private:
  void end() {
    if (std::exchange(ends_, false)) MPI_Finalize();
  }

  bool ends_ = false;
};

// A communicator of its own, so that nobody's messages mix.
class Channel {
 public:
  Channel() {
    require(MPI_Comm_dup(MPI_COMM_WORLD, &handle_), "making a communicator");
    MPI_Comm_set_errhandler(handle_, MPI_ERRORS_RETURN);
  }
  ~Channel() {
    if (handle_ != MPI_COMM_NULL) MPI_Comm_free(&handle_);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  MPI_Comm get() const { return handle_; }
  void abandon() { handle_ = MPI_COMM_NULL; }

 private:
  MPI_Comm handle_ = MPI_COMM_NULL;
};

// MPI moves tensors only while it is asked about them, so the first while belongs to that; a process that waits longer
// waits for work of another's, which may take minutes and need the core.
class Pause {
 public:
  void operator()() const {
    const Clock::duration waited = Clock::now() - begin_;
    if (waited < std::chrono::milliseconds(200)) return std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(waited < std::chrono::seconds(10) ? 50 : 1000));
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin_ = Clock::now();
};

class MpiCollectives final : public Collectives {
 public:
  MpiCollectives(const ProcessPlace& place, const Device& device)
      : Collectives(place.rank, place.size, device), session_(place) {}

  ~MpiCollectives() override {
    if (std::uncaught_exceptions() > 0) fail("an error outside of guard()");
    if (!failed_ && running_.empty()) return;
    session_.abandon();
    tensors_.abandon();
    failures_.abandon();
  }

  Ticket start(std::span<const Operation> operations) override {
    for (const Operation& operation : operations) start_one(operation);
    return last_;
  }

  void wait(Ticket ticket) override {
    for (; !running_.empty() && running_.front().ticket <= ticket; running_.pop_front())
      await(running_.front().request);
  }

  void all_reduce_sum(std::span<double> values) override {
    check_alive();
    check(values.size() <= INT_MAX, "distributed", "expected at most {} numbers, got {}", INT_MAX, values.size());
    numbers_.assign(values.begin(), values.end());
    MPI_Request request = MPI_REQUEST_NULL;
    require(MPI_Iallreduce(MPI_IN_PLACE, numbers_.data(), static_cast<int>(numbers_.size()), MPI_DOUBLE, MPI_SUM,
                           tensors_.get(), &request),
            "starting a sum");
    await(request);
    std::copy(numbers_.begin(), numbers_.end(), values.begin());
  }

  void fail(std::string_view why) noexcept override {
    if (std::exchange(failed_, true)) return;
    try {
      reason_ = fmt::format("rank {} failed: {}", rank(), why.substr(0, kLongestReason));
    } catch (...) {
      return;  // out of memory: the end of this process will tell them
    }
    for (int to = 0; to < size(); ++to) {
      MPI_Request request = MPI_REQUEST_NULL;
      if (to == rank()) continue;
      MPI_Isend(reason_.data(), static_cast<int>(reason_.size()), MPI_CHAR, to, kFailureTag, failures_.get(), &request);
      MPI_Request_free(&request);
    }
  }

  void check_alive() override {
    int is_there = 0;
    MPI_Status status;
    if (!failed_) {
      require(MPI_Iprobe(MPI_ANY_SOURCE, kFailureTag, failures_.get(), &is_there, &status), "looking for failures");
    }
    if (is_there != 0) {
      int length = 0;
      MPI_Get_count(&status, MPI_CHAR, &length);
      reason_.resize(static_cast<size_t>(length));
      MPI_Recv(reason_.data(), length, MPI_CHAR, status.MPI_SOURCE, kFailureTag, failures_.get(), MPI_STATUS_IGNORE);
      failed_ = true;
    }
    check(!failed_, "distributed", "{}", reason_);
  }

 private:
  struct Running {
    Ticket ticket;
    MPI_Request request;
    Tensor from, to;
  };

  void start_one(const Operation& operation) {
    check_alive();
    // MPI moves what runs already only while it is called.
    if (!running_.empty()) finished(running_.front().request);
    check(operation.count <= INT_MAX && operation.bytes() <= INT_MAX, "distributed",
          "expected at most {} bytes for each process at once, got {}", INT_MAX, operation.bytes());
    MPI_Request request = MPI_REQUEST_NULL;
    require(call(operation, request), "starting an operation");
    running_.push_back({++last_, request, operation.from, operation.to});
  }

  int call(const Operation& operation, MPI_Request& request) const {
    const auto& [kind, from, to, count] = operation;
    const auto numbers = static_cast<int>(count), bytes = static_cast<int>(operation.bytes());
    MPI_Comm comm = tensors_.get();
    switch (kind) {
      case Kind::all_reduce_sum:
        return MPI_Iallreduce(MPI_IN_PLACE, to.raw(), numbers, MPI_FLOAT, MPI_SUM, comm, &request);
      case Kind::reduce_scatter_sum:
        return MPI_Ireduce_scatter_block(from.raw(), to.raw(), numbers, MPI_FLOAT, MPI_SUM, comm, &request);
      case Kind::all_gather: {
        const bool in_place = from.raw() == static_cast<const char*>(to.raw()) + rank() * int64_t{bytes};
        return MPI_Iallgather(in_place ? MPI_IN_PLACE : from.raw(), bytes, MPI_BYTE, to.raw(), bytes, MPI_BYTE, comm,
                              &request);
      }
      case Kind::broadcast:
        return MPI_Ibcast(to.raw(), bytes, MPI_BYTE, 0, comm, &request);
    }
    return MPI_ERR_OP;
  }

  void await(MPI_Request& request) {
    for (const Pause pause; !finished(request); pause()) check_alive();
  }

  static bool finished(MPI_Request& request) {
    int done = 0;
    require(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "waiting for an operation");
    return done != 0;
  }

  MpiSession session_;
  Channel tensors_, failures_;
  std::deque<Running> running_;  // by ticket
  Ticket last_ = 0;
  std::vector<double> numbers_;  // being summed: MPI may write to them after an Error, too
  bool failed_ = false;
  std::string reason_;
};

class MpiMeeting final : public Meeting {
 public:
  explicit MpiMeeting(const ProcessPlace& place) : session_(place) {}

  void broadcast(std::span<std::byte> bytes) override {
    require(MPI_Bcast(bytes.data(), static_cast<int>(bytes.size()), MPI_BYTE, 0, MPI_COMM_WORLD), "greeting");
  }
  void watch(OnFailure) override {}
  void fail(std::string_view) noexcept override { session_.abandon(); }

 private:
  MpiSession session_;
};

}  // namespace

std::shared_ptr<Collectives> join_over_mpi(const ProcessPlace& place, const Device& device) {
  return std::make_shared<MpiCollectives>(place, device);
}

std::unique_ptr<Meeting> meet_over_mpi(const ProcessPlace& place) { return std::make_unique<MpiMeeting>(place); }

}  // namespace tern
