// SPDX-License-Identifier: Apache-2.0
#include "linalg/blas_threads.h"

#include <pthread.h>

#include <condition_variable>
#include <mutex>

#include "linalg/blas_library.h"

namespace tern::linalg {
namespace {

// Not std::shared_mutex: glibc tells from the thread's number whether a reader or the writer unlocks it, and a child
// has another number than the thread that locked it for the fork.
struct Turns {
  std::mutex lock;
  std::condition_variable changed;
  int each = 0;       // callers with one thread
  bool many = false;  // a caller with several
};

Turns* current = nullptr;

// Waits for the end of all calls, so that a child finds OpenBLAS at rest.
void before_fork() {
  std::unique_lock lock(current->lock);
  current->changed.wait(lock, [] { return current->each == 0 && !current->many; });
  static_cast<void>(lock.release());
}

void after_fork_in_parent() { current->lock.unlock(); }

// The parent's is left behind: its waiting threads are not here, and what they left in it is in an unknown state.
void after_fork_in_child() { current = new Turns; }

// Opens the library first, whose own handlers of a fork then run after these: it ends its threads when they are idle.
Turns& turns() {
  static const bool watching = [] {
    blas_library();
    current = new Turns;
    return ::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0;
  }();
  static_cast<void>(watching);
  return *current;
}

}  // namespace

OneThreadEach::OneThreadEach() {
  Turns& of = turns();
  std::unique_lock lock(of.lock);
  of.changed.wait(lock, [&] { return !of.many; });
  ++of.each;
}

OneThreadEach::~OneThreadEach() {
  const std::lock_guard lock(current->lock);
  if (--current->each == 0) current->changed.notify_all();
}

ManyThreads::ManyThreads(int threads) {
  Turns& of = turns();
  std::unique_lock lock(of.lock);
  of.changed.wait(lock, [&] { return !of.many && of.each == 0; });
  of.many = true;
  blas_library().set_num_threads(threads);
}

ManyThreads::~ManyThreads() {
  const std::lock_guard lock(current->lock);
  blas_library().set_num_threads(1);
  current->many = false;
  current->changed.notify_all();
}

}  // namespace tern::linalg
