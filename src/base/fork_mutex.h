// SPDX-License-Identifier: Apache-2.0
// A mutex that fork() waits for.
#pragma once

#include <mutex>

namespace tern {

// What it guards is whole, and free to lock, in a child process. No thread may lock two of them at once, or make or
// destroy one while it holds another: fork() locks all of them in an order of its own.
class ForkMutex {
 public:
  ForkMutex();
  ~ForkMutex();
  ForkMutex(const ForkMutex&) = delete;
  ForkMutex& operator=(const ForkMutex&) = delete;

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  friend struct ForkMutexes;

  std::mutex mutex_;
  ForkMutex *before_ = nullptr, *after_ = nullptr;
};

}  // namespace tern
