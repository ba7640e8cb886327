// SPDX-License-Identifier: Apache-2.0
// Meeting: what the processes of a run can say to each other before they are a group, and when one of them fails.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace tern {

class Meeting {
 public:
  // Called once, from any thread, with which process failed and why.
  using OnFailure = std::function<void(const std::string& who_and_why)>;

  virtual ~Meeting() = default;

  // Everyone gets the bytes of rank 0. Before watch().
  virtual void broadcast(std::span<std::byte> bytes) = 0;

  // From now on hears of failures of others, until it is destroyed. Processes that end without a word have failed, too.
  // Does nothing where whoever started the processes ends them all.
  virtual void watch(OnFailure on_failure) = 0;
  // Tells the others that this process has failed.
  virtual void fail(std::string_view why) noexcept = 0;
};

}  // namespace tern
