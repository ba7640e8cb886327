// SPDX-License-Identifier: Apache-2.0
// Processes that find each other, or do not: threads stand in for them.
#include "distributed/tcp_meeting.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "distributed/tcp_socket.h"
#include "support/fails_with.h"
#include "tern/error.h"

namespace tern {
namespace {

using namespace std::chrono_literals;
using testing::fails_with;
using Clock = std::chrono::steady_clock;

// A port that nobody listens on, and nobody listened on a moment ago.
int free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  EXPECT_EQ(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length), 0);
  ::close(descriptor);
  return ntohs(address.sin_port);
}

ProcessPlace place(int rank, int size, int port) {
  return {rank, size, rank, "127.0.0.1", port, ProcessPlace::Launcher::environment};
}

// What became of each: "" or the error's message.
struct Attempt {
  std::unique_ptr<Meeting> meeting;
  std::string error;
};

Attempt attempt(const ProcessPlace& place, std::chrono::milliseconds limit = 20s) {
  try {
    return {meet_over_tcp(place, limit), ""};
  } catch (const Error& error) {
    return {nullptr, error.what()};
  }
}

std::vector<Attempt> meet(const std::vector<ProcessPlace>& places, std::chrono::milliseconds limit = 20s) {
  std::vector<std::future<Attempt>> running;
  for (const ProcessPlace& each : places) {
    running.push_back(std::async(std::launch::async, [&each, limit] { return attempt(each, limit); }));
  }
  std::vector<Attempt> out;
  for (auto& each : running) out.push_back(each.get());
  return out;
}

std::vector<ProcessPlace> all_places(int size) {
  const int port = free_port();
  std::vector<ProcessPlace> out;
  for (int rank = size; rank-- > 0;) out.push_back(place(rank, size, port));  // rank 0 last
  return out;
}

TEST(TcpMeeting, GivesEveryoneTheBytesOfRankZero) {
  std::vector<Attempt> all = meet(all_places(4));
  std::vector<std::array<std::byte, 128>> bytes(4);
  for (size_t i = 0; i < bytes.size(); ++i) {
    ASSERT_EQ(all[i].error, "");
    bytes[i].fill(static_cast<std::byte>(i));
  }
  for (size_t i = bytes.size(); i-- > 0;) all[i].meeting->broadcast(bytes[i]);
  for (const auto& got : bytes) EXPECT_EQ(got, bytes[3]);
  EXPECT_EQ(bytes[0][0], std::byte{3});
}

TEST(TcpMeeting, NeedsAnAddress) {
  EXPECT_NE(attempt({1, 2, 1, "", 1234, {}}).error.find("MASTER_ADDR and MASTER_PORT, got '' and 1234"),
            std::string::npos);
  EXPECT_NE(attempt({0, 2, 0, "here", 0, {}}).error.find("got 'here' and none"), std::string::npos);
  const std::string unknown = attempt({1, 2, 1, "no.such.host.invalid", 1234, {}}, 2s).error;
  EXPECT_NE(unknown.find("the address of rank 0, got 'no.such.host.invalid'"), std::string::npos) << unknown;
}

TEST(TcpMeeting, SaysThatNobodyListens) {
  const std::string error = attempt(place(1, 2, free_port()), 300ms).error;
  EXPECT_NE(error.find("cannot reach rank 0 at 127.0.0.1"), std::string::npos) << error;
  EXPECT_NE(error.find("refused"), std::string::npos) << error;
}

TEST(TcpMeeting, SaysThatThePortIsTaken) {
  const int port = free_port();
  const TcpSocket other = TcpSocket::listen(port);
  const std::string error = attempt(place(0, 2, port), 300ms).error;
  EXPECT_NE(error.find("cannot listen on port " + std::to_string(port)), std::string::npos) << error;
}

TEST(TcpMeeting, SaysWhoIsAbsentToAllWhoCame) {
  const int port = free_port();
  const std::vector<Attempt> all = meet({place(0, 4, port), place(2, 4, port)}, 2s);
  for (const Attempt& each : all) {
    EXPECT_NE(each.error.find("within 2 seconds, got 2; absent: rank 1, 3"), std::string::npos) << each.error;
  }
}

TEST(TcpMeeting, RefusesThoseWhoCountDifferently) {
  const int port = free_port();
  const std::vector<Attempt> all = meet({place(0, 2, port), place(1, 3, port)});
  for (const Attempt& each : all) {
    EXPECT_NE(each.error.find("count 2 as rank 0 does, got 3 from rank 1"), std::string::npos) << each.error;
  }
}

TEST(TcpMeeting, RefusesTwoOfOneRank) {
  const int port = free_port();
  const std::vector<Attempt> all = meet({place(0, 3, port), place(1, 3, port), place(1, 3, port)});
  for (const Attempt& each : all) {
    EXPECT_NE(each.error.find("one process of rank 1, got two"), std::string::npos) << each.error;
  }
}

// Someone scans ports, someone speaks another language, someone falls silent.
TEST(TcpMeeting, ForgetsOtherPrograms) {
  const int port = free_port();
  auto rank_0 = std::async(std::launch::async, [&] { return attempt(place(0, 2, port), 4s); });
  const auto soon = Clock::now() + 5s;
  { const TcpSocket scan = TcpSocket::connect("localhost", port, soon); }
  const TcpSocket other = TcpSocket::connect("127.0.0.1", port, soon);
  const std::string text = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(::send(other.descriptor(), text.data(), text.size(), 0), std::ssize(text));
  const TcpSocket silent = TcpSocket::connect("127.0.0.1", port, soon);
  EXPECT_EQ(attempt(place(1, 2, port)).error, "");
  EXPECT_EQ(rank_0.get().error, "");
}

TEST(TcpMeeting, KnowsAnotherProgramInThePlaceOfRankZero) {
  const int port = free_port();
  const TcpSocket door = TcpSocket::listen(port);
  auto other = std::async(std::launch::async, [&] {
    TcpSocket socket = door.accept(Clock::now() + 5s);
    const std::string text = "220 mail.example.org ready\r\n";
    EXPECT_EQ(::send(socket.descriptor(), text.data(), text.size(), 0), std::ssize(text));
    return socket;
  });
  const std::string error = attempt(place(1, 2, port), 2s).error;
  EXPECT_NE(error.find("got one that is another program"), std::string::npos) << error;
}

// Collects what a process hears of the others' failures.
class Ear {
 public:
  Meeting::OnFailure listener() {
    return [this](const std::string& text) { heard_.set_value(text); };
  }
  std::string wait() {
    auto future = heard_.get_future();
    return future.wait_for(10s) == std::future_status::ready ? future.get() : "nothing";
  }

 private:
  std::promise<std::string> heard_;
};

TEST(TcpMeeting, TellsEveryoneOfAFailure) {
  for (const size_t failing : {size_t{0}, size_t{1}, size_t{2}}) {
    std::vector<Attempt> all = meet(all_places(3));  // ranks 2, 1, 0
    std::array<Ear, 3> ears;
    for (size_t i = 0; i < 3; ++i) all[i].meeting->watch(ears[i].listener());
    all[failing].meeting->fail("[data] no text");
    const std::string expected = "rank " + std::to_string(2 - failing) + " failed: [data] no text";
    for (size_t i = 0; i < 3; ++i) {
      if (i == failing) continue;
      EXPECT_EQ(ears[i].wait(), expected);
    }
  }
}

TEST(TcpMeeting, NoticesAnEndWithoutAWord) {
  for (const int ending : {0, 1}) {
    const int port = free_port();
    const pid_t child = ::fork();
    if (child == 0) {
      const Attempt own = attempt(place(ending, 2, port));
      if (own.meeting) own.meeting->watch([](const std::string&) {});
      ::_exit(0);  // sockets close as they do when a process is killed
    }
    Attempt own = attempt(place(1 - ending, 2, port));
    ASSERT_EQ(own.error, "");
    Ear ear;
    own.meeting->watch(ear.listener());
    EXPECT_EQ(ear.wait(), "rank " + std::to_string(ending) + " ended without a word");
    int status = 0;
    ::waitpid(child, &status, 0);
  }
}

TEST(TcpMeeting, TakesAGoodbyeForNoFailure) {
  std::vector<Attempt> all = meet(all_places(3));
  std::atomic<int> failures = 0;
  for (Attempt& each : all) each.meeting->watch([&](const std::string&) { ++failures; });
  for (const size_t leaving : {size_t{1}, size_t{2}, size_t{0}}) {  // rank 0 in between
    all[leaving].meeting.reset();
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace tern
