// SPDX-License-Identifier: Apache-2.0
// TCP connections that carry messages, every wait with a limit.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tern {

using Deadline = std::chrono::steady_clock::time_point;

enum class Topic : uint32_t {
  hello,    // to rank 0, from a process that comes
  welcome,  // from rank 0: everyone is there
  refusal,  // from rank 0, with the reason
  bytes,    // from rank 0
  failure,  // with who failed and why
  goodbye,  // nothing follows, and that is well
};

struct Message {
  Topic topic;
  std::string body;
};

// Why there is no message.
enum class Silence { late, closed, nonsense };

// Closes its descriptor at the end.
class TcpSocket {
 public:
  TcpSocket() = default;
  explicit TcpSocket(int descriptor) : descriptor_(descriptor) {}
  ~TcpSocket();
  TcpSocket(TcpSocket&& other) noexcept;
  TcpSocket& operator=(TcpSocket&& other) noexcept;

  // Listens on the port of every address of this machine. Throws Error when it cannot.
  static TcpSocket listen(int port);
  // Connects to a host by name or IP address, again and again while nobody listens there. Throws Error at the deadline,
  // saying what was last wrong, and for a name that means nothing.
  static TcpSocket connect(const std::string& address, int port, Deadline deadline);

  // The next who connects; closed at the deadline.
  TcpSocket accept(Deadline deadline) const;
  bool is_open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

  // False when the other end is gone, or takes nothing in before the deadline.
  bool send(const Message& message, Deadline deadline) const;
  // A whole message that comes before the deadline. Nonsense is what no process of Tern's sends.
  std::optional<Message> receive(Deadline deadline, Silence& why) const;

 private:
  std::optional<Silence> read(void* to, size_t size, Deadline deadline) const;

  int descriptor_ = -1;
};

}  // namespace tern
