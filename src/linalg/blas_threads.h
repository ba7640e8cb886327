// SPDX-License-Identifier: Apache-2.0
// Who uses OpenBLAS's threads. It has one number of threads for all of a process, so calls that want it to use one
// thread each, from any number of threads, and calls that want several take turns. fork() waits until no call is under
// way; OpenBLAS itself ends its threads before a fork and starts them again where they are needed.
#pragma once

namespace tern::linalg {

// While it lives, OpenBLAS uses the thread that calls it, and no other.
class OneThreadEach {
 public:
  OneThreadEach();
  ~OneThreadEach();
  OneThreadEach(const OneThreadEach&) = delete;
  OneThreadEach& operator=(const OneThreadEach&) = delete;
};

// While it lives, one caller has OpenBLAS to itself, with so many threads.
class ManyThreads {
 public:
  explicit ManyThreads(int threads);
  ~ManyThreads();
  ManyThreads(const ManyThreads&) = delete;
  ManyThreads& operator=(const ManyThreads&) = delete;
};

}  // namespace tern::linalg
