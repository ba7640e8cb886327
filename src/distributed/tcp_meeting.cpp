// SPDX-License-Identifier: Apache-2.0
#include "distributed/tcp_meeting.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "distributed/tcp_socket.h"

namespace tern {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience(5);  // with one connection, while others may wait

// What a process that comes says of itself.
struct Hello {
  int32_t rank, size;
};

Message hello_of(const ProcessPlace& place) {
  const Hello hello{place.rank, place.size};
  std::string body(sizeof hello, '\0');
  std::memcpy(body.data(), &hello, sizeof hello);
  return {Topic::hello, std::move(body)};
}

std::optional<Hello> hello_in(const std::optional<Message>& message) {
  Hello hello = {};
  if (!message || message->topic != Topic::hello || message->body.size() != sizeof hello) return std::nullopt;
  std::memcpy(&hello, message->body.data(), sizeof hello);
  return hello;
}

double seconds(std::chrono::milliseconds limit) { return std::chrono::duration<double>(limit).count(); }

// Rank 0's side: takes connections until there is one from each other rank.
class Reception {
 public:
  Reception(const ProcessPlace& place, std::chrono::milliseconds limit)
      : place_(place), limit_(limit), others_(static_cast<size_t>(place.size - 1)) {}

  // In the order of ranks, from 1.
  std::vector<TcpSocket> run() {
    const TcpSocket door = TcpSocket::listen(place_.port);
    const Deadline deadline = Clock::now() + limit_;
    while (here_ < others_.size()) {
      TcpSocket socket = door.accept(deadline);
      if (!socket.is_open()) refuse_all(absence());
      Silence ignored = {};
      const auto hello =
          hello_in(socket.receive(Clock::now() + std::min<Clock::duration>(kPatience, limit_ / 4), ignored));
      if (hello) seat(*hello, std::move(socket));
    }
    for (const TcpSocket& other : others_) other.send({Topic::welcome, {}}, Clock::now() + kPatience);
    return std::move(others_);
  }

 private:
  void seat(const Hello& hello, TcpSocket socket) {
    std::string wrong;
    if (hello.size != place_.size) {
      wrong = fmt::format("expected every process to count {} as rank 0 does, got {} from rank {}", place_.size,
                          hello.size, hello.rank);
    } else if (hello.rank < 1 || hello.rank >= hello.size) {
      wrong = fmt::format("expected another rank in [1, {}), got {}", hello.size, hello.rank);
    } else if (others_[static_cast<size_t>(hello.rank - 1)].is_open()) {
      wrong = fmt::format("expected one process of rank {}, got two", hello.rank);
    }
    if (!wrong.empty()) {
      socket.send({Topic::refusal, wrong}, Clock::now() + kPatience);
      refuse_all(wrong);
    }
    others_[static_cast<size_t>(hello.rank - 1)] = std::move(socket);
    ++here_;
  }

  [[noreturn]] void refuse_all(const std::string& why) const {
    for (const TcpSocket& other : others_) {
      if (other.is_open()) other.send({Topic::refusal, why}, Clock::now() + kPatience);
    }
    fail("distributed", "{}", why);
  }

  std::string absence() const {
    std::vector<size_t> absent;
    for (size_t i = 0; i < others_.size(); ++i) {
      if (!others_[i].is_open()) absent.push_back(i + 1);
    }
    return fmt::format("expected {} processes at {}:{} within {} seconds, got {}; absent: rank {}", place_.size,
                       place_.address, place_.port, seconds(limit_), here_ + 1, fmt::join(absent, ", "));
  }

  const ProcessPlace& place_;
  std::chrono::milliseconds limit_;
  std::vector<TcpSocket> others_;
  size_t here_ = 0;
};

// The other ranks' side.
TcpSocket arrive(const ProcessPlace& place, std::chrono::milliseconds limit) {
  const Deadline deadline = Clock::now() + limit;
  TcpSocket socket = TcpSocket::connect(place.address, place.port, deadline);
  Silence why = {};
  // Rank 0 tells who is absent when it has waited that long; it may have begun later.
  std::optional<Message> answer;
  if (socket.send(hello_of(place), deadline)) answer = socket.receive(deadline + limit + kPatience, why);
  check(answer.has_value(), "distributed", "expected rank 0 at {}:{}, got one that {}", place.address, place.port,
        why == Silence::nonsense ? "is another program" : "does not answer");
  check(answer->topic == Topic::welcome, "distributed", "{}", answer->body);
  return socket;
}

class TcpMeeting final : public Meeting {
 public:
  // Rank 0 has a connection to each of the others, each of them the one to rank 0.
  TcpMeeting(int rank, std::vector<TcpSocket> others)
      : rank_(rank), others_(std::move(others)), wake_(::eventfd(0, EFD_CLOEXEC)) {
    check(wake_ >= 0, "distributed", "cannot make an event: {}", std::strerror(errno));
  }
  ~TcpMeeting() override {
    if (watcher_.joinable()) {
      tell({Topic::goodbye, {}});
      ::eventfd_write(wake_, 1);
      watcher_.join();
    }
    ::close(wake_);
  }

  void broadcast(std::span<std::byte> bytes) override {
    if (rank_ == 0) {
      const std::string body(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      for (const TcpSocket& other : others_) other.send({Topic::bytes, body}, Clock::now() + kPatience);
      return;
    }
    Silence ignored = {};
    const auto message = others_.front().receive(Clock::now() + 12 * kPatience, ignored);
    check(message && message->topic == Topic::bytes && message->body.size() == bytes.size(), "distributed",
          "expected {} bytes of rank 0, got none", bytes.size());
    std::memcpy(bytes.data(), message->body.data(), bytes.size());
  }

  void watch(OnFailure on_failure) override {
    on_failure_ = std::move(on_failure);
    watcher_ = std::thread([this] { listen_to_all(); });
  }

  void fail(std::string_view why) noexcept override {
    try {
      tell({Topic::failure, fmt::format("rank {} failed: {}", rank_, why.substr(0, kLongestReason))});
    } catch (...) {
      // Out of memory: the end of this process will tell them.
    }
  }

 private:
  static constexpr size_t kLongestReason = 4000;

  void tell(const Message& message, const TcpSocket* but = nullptr) {
    const std::lock_guard lock(sending_);
    for (const TcpSocket& other : others_) {
      if (&other != but && other.is_open()) other.send(message, Clock::now() + kPatience);
    }
  }

  // The watcher's life: until everyone has said goodbye, someone fails, or it is woken.
  void listen_to_all() {
    std::vector<pollfd> entries = {{wake_, POLLIN, 0}};
    for (const TcpSocket& other : others_) entries.push_back({other.descriptor(), POLLIN, 0});
    while (::poll(entries.data(), entries.size(), -1) >= 0 || errno == EINTR) {
      if (entries[0].revents != 0) return;
      for (size_t i = 1; i < entries.size(); ++i) {
        if (std::exchange(entries[i].revents, short{0}) == 0) continue;
        if (hears_failure(i - 1)) return;
        entries[i].fd = -1;  // said goodbye
      }
    }
  }

  bool hears_failure(size_t index) {
    const TcpSocket& other = others_[index];
    Silence ignored = {};
    std::optional<Message> message = other.receive(Clock::now() + kPatience, ignored);
    if (message && message->topic == Topic::goodbye) return false;
    const size_t rank = rank_ == 0 ? index + 1 : 0;
    std::string what = fmt::format("rank {} ended without a word", rank);
    if (message && message->topic == Topic::failure) what = std::move(message->body);
    tell({Topic::failure, what}, &other);
    on_failure_(what);
    return true;
  }

  int rank_;
  std::vector<TcpSocket> others_;
  int wake_;  // an eventfd
  std::mutex sending_;
  OnFailure on_failure_;
  std::thread watcher_;
};

}  // namespace

std::unique_ptr<Meeting> meet_over_tcp(const ProcessPlace& place, std::chrono::milliseconds limit) {
  check(!place.address.empty() && place.port > 0, "distributed",
        "expected the address of rank 0 in MASTER_ADDR and MASTER_PORT, got '{}' and {}", place.address,
        place.port > 0 ? fmt::format("{}", place.port) : "none");
  std::vector<TcpSocket> others;
  if (place.rank == 0) {
    others = Reception(place, limit).run();
  } else {
    others.push_back(arrive(place, limit));
  }
  return std::make_unique<TcpMeeting>(place.rank, std::move(others));
}

}  // namespace tern
