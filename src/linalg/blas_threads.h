// SPDX-License-Identifier: Apache-2.0
// Who uses OpenBLAS's threads. It has one number of threads for all of a process, so calls that want it to use one
// thread each, from any number of threads, and calls that want several take turns. fork() waits until no call is under
// way; OpenBLAS itself ends its threads before a fork and starts them again where they are needed.
#pragma once

#include <mutex>
#include <shared_mutex>

namespace tern::linalg {

// While it lives, OpenBLAS uses the thread that calls it, and no other.
class OneThreadEach {
 public:
  OneThreadEach();

 private:
  std::shared_lock<std::shared_mutex> turn_;
};

// While it lives, one caller has OpenBLAS to itself, with so many threads.
class ManyThreads {
 public:
  explicit ManyThreads(int threads);
  ~ManyThreads();
  ManyThreads(const ManyThreads&) = delete;
  ManyThreads& operator=(const ManyThreads&) = delete;

 private:
  std::unique_lock<std::shared_mutex> turn_;
};

}  // namespace tern::linalg
