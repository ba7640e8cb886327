// SPDX-License-Identifier: Apache-2.0
// A small persistent thread pool for data-parallel loops; safe to use in a child process after fork.
#pragma once

#include <cstdint>
#include <memory>

namespace tern {

class ThreadPool {
 public:
  using Body = void (*)(void* arg, int worker, int64_t begin, int64_t end);

  // `threads` counts the caller: 1 starts no thread. Throws Error if it is < 1 or the system gives no thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls body(arg, worker, begin, end) on ranges of at most `grain` items that cover [0, count) once; 0 <= worker <
  // threads(), worker 0 is the caller. Returns when all are done. Callers on several threads take turns. The body must
  // not call run() of the same pool. After fork() the child starts its own workers at its first run().
  void run(int64_t count, int64_t grain, Body body, void* arg) noexcept;

 private:
  struct Shared;

  void start_workers();
  void stop_workers();
  void recover_from_fork();

  int threads_;
  std::unique_ptr<Shared> shared_;
};

// Cores this process may run on (its affinity mask), at least 1.
int available_cores();

}  // namespace tern
