// SPDX-License-Identifier: Apache-2.0
#include "distributed/tcp_socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "base/check.h"

namespace tern {
namespace {

// Before each message, in the byte order of the machine: another machine's, or another program's, is nonsense.
struct Head {
  uint32_t magic;
  uint32_t topic;
  uint32_t size;
};

constexpr uint32_t kMagic = 0x5445524e;  // "TERN"
constexpr uint32_t kLongest = 1 << 20;
constexpr int kBacklog = 1024;
constexpr std::chrono::milliseconds kBetweenTries(100);

// For poll(): milliseconds, rounded up, at least 0.
int until(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1'000'000));
}

// True when the descriptor is ready before the deadline, or broken, which its next use tells.
bool ready(int descriptor, short event, Deadline deadline) {
  for (;;) {
    pollfd entry = {descriptor, event, 0};
    const int count = ::poll(&entry, 1, until(deadline));
    if (count > 0) return true;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 || std::chrono::steady_clock::now() >= deadline) return false;
  }
}

void make_nonblocking(int descriptor) {
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

bool in_progress(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Addresses resolve(const std::string& address, int port) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int status = ::getaddrinfo(address.c_str(), fmt::format("{}", port).c_str(), &hints, &list);
  check(status == 0, "distributed", "expected the address of rank 0, got '{}': {}", address, ::gai_strerror(status));
  return Addresses(list);
}

// An open socket, or a closed one and the error.
TcpSocket try_address(const addrinfo& to, Deadline deadline, int& error) {
  TcpSocket socket(::socket(to.ai_family, to.ai_socktype | SOCK_CLOEXEC, to.ai_protocol));
  if (!socket.is_open()) {
    error = errno;
    return {};
  }
  make_nonblocking(socket.descriptor());
  if (::connect(socket.descriptor(), to.ai_addr, to.ai_addrlen) == 0) return socket;
  error = errno;
  if (error != EINPROGRESS) return {};
  if (!ready(socket.descriptor(), POLLOUT, deadline)) {
    error = ETIMEDOUT;
    return {};
  }
  socklen_t size = sizeof error;
  ::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? std::move(socket) : TcpSocket();
}

// IPv4 on a socket of IPv6, where the machine has IPv6.
TcpSocket bound(int family, int port, int& error) {
  TcpSocket socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1, off = 0;
  sockaddr_in6 six = {};
  six.sin6_family = AF_INET6;
  six.sin6_addr = in6addr_any;
  six.sin6_port = htons(static_cast<uint16_t>(port));
  sockaddr_in four = {};
  four.sin_family = AF_INET;
  four.sin_addr.s_addr = htonl(INADDR_ANY);
  four.sin_port = six.sin6_port;
  const bool is_six = family == AF_INET6;
  const auto* const address =
      is_six ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
  const socklen_t length = is_six ? sizeof six : sizeof four;
  if (socket.is_open()) {
    ::setsockopt(socket.descriptor(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (is_six) ::setsockopt(socket.descriptor(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (::bind(socket.descriptor(), address, length) == 0 && ::listen(socket.descriptor(), kBacklog) == 0) {
      make_nonblocking(socket.descriptor());
      return socket;
    }
  }
  error = errno;
  return {};
}

}  // namespace

TcpSocket::~TcpSocket() {
  if (is_open()) ::close(descriptor_);
}

TcpSocket::TcpSocket(TcpSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

TcpSocket& TcpSocket::operator=(TcpSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

TcpSocket TcpSocket::listen(int port) {
  int error = 0;
  TcpSocket socket = bound(AF_INET6, port, error);
  if (!socket.is_open() && error != EADDRINUSE) socket = bound(AF_INET, port, error);
  check(socket.is_open(), "distributed", "rank 0 cannot listen on port {}: {}", port, std::strerror(error));
  return socket;
}

TcpSocket TcpSocket::connect(const std::string& address, int port, Deadline deadline) {
  const Addresses addresses = resolve(address, port);
  int error = 0;
  do {
    for (const addrinfo* to = addresses.get(); to != nullptr; to = to->ai_next) {
      TcpSocket socket = try_address(*to, deadline, error);
      if (socket.is_open()) return socket;
    }
    std::this_thread::sleep_for(kBetweenTries);
  } while (std::chrono::steady_clock::now() < deadline);
  fail("distributed", "cannot reach rank 0 at {}:{}: {}", address, port, std::strerror(error));
}

TcpSocket TcpSocket::accept(Deadline deadline) const {
  while (ready(descriptor_, POLLIN, deadline)) {
    TcpSocket socket(::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC));
    if (socket.is_open()) {
      make_nonblocking(socket.descriptor());
      return socket;
    }
    check(in_progress(errno) || errno == ECONNABORTED, "distributed", "rank 0 cannot take connections: {}",
          std::strerror(errno));
  }
  return {};
}

bool TcpSocket::send(const Message& message, Deadline deadline) const {
  const Head head{kMagic, static_cast<uint32_t>(message.topic), static_cast<uint32_t>(message.body.size())};
  std::string all(sizeof head, '\0');
  std::memcpy(all.data(), &head, sizeof head);
  all += message.body;
  for (size_t sent = 0; sent < all.size();) {
    const ssize_t count = ::send(descriptor_, all.data() + sent, all.size() - sent, MSG_NOSIGNAL);
    if (count >= 0) {
      sent += static_cast<size_t>(count);
    } else if (!in_progress(errno) || !ready(descriptor_, POLLOUT, deadline)) {
      return false;
    }
  }
  return true;
}

std::optional<Message> TcpSocket::receive(Deadline deadline, Silence& why) const {
  Head head = {};
  std::optional<Silence> silence = read(&head, sizeof head, deadline);
  const bool sense = head.magic == kMagic && head.size <= kLongest && head.topic <= uint32_t(Topic::goodbye);
  if (!silence && !sense) silence = Silence::nonsense;
  Message message{static_cast<Topic>(head.topic), {}};
  if (!silence) {
    message.body.resize(head.size);
    silence = read(message.body.data(), message.body.size(), deadline);
  }
  if (!silence) return message;
  why = *silence;
  return std::nullopt;
}

std::optional<Silence> TcpSocket::read(void* to, size_t size, Deadline deadline) const {
  for (size_t have = 0; have < size;) {
    const ssize_t count = ::recv(descriptor_, static_cast<char*>(to) + have, size - have, 0);
    if (count > 0) {
      have += static_cast<size_t>(count);
    } else if (count == 0 || !in_progress(errno)) {
      return Silence::closed;
    } else if (!ready(descriptor_, POLLIN, deadline)) {
      return Silence::late;
    }
  }
  return std::nullopt;
}

}  // namespace tern
