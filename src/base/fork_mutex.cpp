// SPDX-License-Identifier: Apache-2.0
#include "base/fork_mutex.h"

#include <pthread.h>

namespace tern {

// All that there are, in a ring without a head.
struct ForkMutexes {
  std::mutex mutex;
  ForkMutex* any = nullptr;

  ForkMutexes() { pthread_atfork(&lock_all, &unlock_all, &unlock_all); }

  void add(ForkMutex& item) {
    const std::lock_guard lock(mutex);
    item.before_ = any == nullptr ? &item : any->before_;
    item.after_ = any == nullptr ? &item : any;
    item.before_->after_ = item.after_->before_ = &item;
    any = &item;
  }
  void remove(ForkMutex& item) {
    const std::lock_guard lock(mutex);
    item.before_->after_ = item.after_;
    item.after_->before_ = item.before_;
    if (any == &item) any = item.after_ == &item ? nullptr : item.after_;
  }
  void each(void (ForkMutex::*call)()) {
    if (any == nullptr) return;
    ForkMutex* at = any;
    do {
      (at->*call)();
      at = at->after_;
    } while (at != any);
  }

  // Never destroyed: a process may fork while it ends.
  static ForkMutexes& all() {
    static ForkMutexes& mutexes = *new ForkMutexes;
    return mutexes;
  }
  static void lock_all() {
    all().mutex.lock();
    all().each(&ForkMutex::lock);
  }
  static void unlock_all() {
    all().each(&ForkMutex::unlock);
    all().mutex.unlock();
  }
};

ForkMutex::ForkMutex() { ForkMutexes::all().add(*this); }
ForkMutex::~ForkMutex() { ForkMutexes::all().remove(*this); }

}  // namespace tern
