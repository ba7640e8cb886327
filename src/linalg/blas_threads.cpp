// SPDX-License-Identifier: Apache-2.0
#include "linalg/blas_threads.h"

#include <pthread.h>

#include "linalg/blas_library.h"

namespace tern::linalg {
namespace {

// Opens the library first, whose own handlers of a fork then run after these: it ends its threads when they are idle.
std::shared_mutex& turns() {
  static std::shared_mutex mutex;
  static const bool watching = [] {
    blas_library();
    return ::pthread_atfork([] { mutex.lock(); }, [] { mutex.unlock(); }, [] { mutex.unlock(); }) == 0;
  }();
  static_cast<void>(watching);
  return mutex;
}

}  // namespace

OneThreadEach::OneThreadEach() : turn_(turns()) {}

ManyThreads::ManyThreads(int threads) : turn_(turns()) { blas_library().set_num_threads(threads); }

ManyThreads::~ManyThreads() { blas_library().set_num_threads(1); }

}  // namespace tern::linalg
