// SPDX-License-Identifier: Apache-2.0
// Host work on a device's threads: what ops and loaders split into blocks, and kernels called from within a block.
#pragma once

#include <cstdint>
#include <exception>
#include <limits>
#include <mutex>

#include "device/backend.h"
#include "tern/device.h"

namespace tern {

// Calls body(worker, block) once for every block of [0, count), on the device's threads; 0 <= worker < threads(), and
// no two calls share a worker at one time. What a body throws is thrown here, that of the lowest block if several do;
// blocks above it may be left out. Not to be nested.
template <class Body>
void parallel_blocks(const Device& device, int64_t count, const Body& body) {
  struct Job {
    const Body& body;
    std::mutex lock;
    int64_t failed = std::numeric_limits<int64_t>::max();
    std::exception_ptr error;

    void run(int worker, int64_t block) noexcept {
      try {
        {
          const std::lock_guard guard(lock);
          if (block > failed) return;
        }
        body(worker, block);
      } catch (...) {
        const std::lock_guard guard(lock);
        if (block < failed) {
          failed = block;
          error = std::current_exception();
        }
      }
    }
  } job{.body = body, .lock = {}, .error = {}};
  const Exec& exec = device.backend().exec();
  exec.parallel(
      exec.backend, count, 1,
      [](void* arg, int worker, int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; ++block) static_cast<Job*>(arg)->run(worker, block);
      },
      &job);
  if (job.error) std::rethrow_exception(job.error);
}

// The Exec for kernels that a body calls on its worker: they run there alone, with that worker's scratch.
inline Exec one_worker(const Exec& exec, int worker) {
  Exec alone = exec;
  alone.threads = 1;
  alone.first_worker = exec.first_worker + worker;
  alone.parallel = [](void*, int64_t count, int64_t grain, Exec::Body body, void* arg) noexcept {
    for (int64_t begin = 0; begin < count; begin += grain) {
      body(arg, 0, begin, begin + grain < count ? begin + grain : count);
    }
  };
  return alone;
}

}  // namespace tern
