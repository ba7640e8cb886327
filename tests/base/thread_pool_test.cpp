// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "support/fails_with.h"

// ThreadSanitizer asks this: by itself it ends a forked child that starts threads, which is what is tested here.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }

namespace tern {
namespace {

// Counts visits of each index, and looks for broken promises.
struct Visits {
  explicit Visits(int64_t count, int64_t largest, int workers)
      : counts(static_cast<size_t>(count)), busy(static_cast<size_t>(workers)), grain(largest) {}

  static void body(void* arg, int worker, int64_t begin, int64_t end) {
    auto& self = *static_cast<Visits*>(arg);
    if (worker < 0 || worker >= static_cast<int>(self.busy.size()) || begin >= end || end - begin > self.grain) {
      self.broken = true;
      return;
    }
    if (self.busy[static_cast<size_t>(worker)].exchange(true)) self.broken = true;
    for (int64_t i = begin; i < end; ++i) ++self.counts[static_cast<size_t>(i)];
    self.busy[static_cast<size_t>(worker)] = false;
  }

  bool each_once() const {
    for (const std::atomic<int>& count : counts) {
      if (count != 1) return false;
    }
    return !broken;
  }

  std::vector<std::atomic<int>> counts;
  std::vector<std::atomic<bool>> busy;  // by worker: no two calls at a time
  int64_t grain;
  std::atomic<bool> broken{false};
};

bool covers(ThreadPool& pool, int64_t count, int64_t grain) {
  Visits visits(count, grain, pool.threads());
  pool.run(count, grain, &Visits::body, &visits);
  return visits.each_once();
}

TEST(ThreadPool, VisitsEveryIndexOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int64_t count : {0, 1, 2, 3, 7, 64, 1009}) {
      for (const int64_t grain : {1, 2, 5, 64, 5000})
        EXPECT_TRUE(covers(pool, count, grain)) << threads << " " << count << " " << grain;
    }
  }
}

TEST(ThreadPool, TakesManyShortRuns) {
  ThreadPool pool(3);
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(covers(pool, 4, 1)) << i;
}

// Long enough between runs that the workers park.
TEST(ThreadPool, WakesParkedWorkers) {
  ThreadPool pool(3);
  for (int i = 0; i < 20; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ASSERT_TRUE(covers(pool, 100, 1)) << i;
  }
}

TEST(ThreadPool, CallersTakeTurns) {
  ThreadPool pool(3);
  std::atomic<bool> good{true};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&, c] {
      for (int i = 0; i < 500; ++i) {
        if (!covers(pool, 17 + c, 2)) good = false;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_TRUE(good);
}

TEST(ThreadPool, ManyPoolsComeAndGo) {
  for (int i = 0; i < 200; ++i) {
    ThreadPool pool(1 + i % 4);
    ASSERT_TRUE(i % 2 == 1 || covers(pool, 10, 1));
  }
}

TEST(ThreadPool, RefusesNoThreads) {
  EXPECT_TRUE(testing::fails_with("[threads] expected at least 1, got 0", [] { ThreadPool{0}; }));
  EXPECT_TRUE(testing::fails_with("got -3", [] { ThreadPool{-3}; }));
}

TEST(ThreadPool, CountsCores) {
  EXPECT_GE(available_cores(), 1);
  EXPECT_LE(available_cores(), 1 << 16);
}

// Runs f in a child process and says whether it returned true there and left cleanly.
template <class F>
bool in_child(F f) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f() ? 0 : 1);
  int status = -1;
  return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(ThreadPool, WorksInParentAndChildAfterFork) {
  ThreadPool pool(3);
  ASSERT_TRUE(covers(pool, 100, 1));
  EXPECT_TRUE(in_child([&] { return covers(pool, 100, 1) && covers(pool, 1009, 7); }));
  EXPECT_TRUE(covers(pool, 100, 1));
}

TEST(ThreadPool, WorksInGrandchildrenAndManyChildren) {
  ThreadPool pool(2);
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(in_child(
        [&] { return covers(pool, 50, 1) && in_child([&] { return covers(pool, 50, 1); }) && covers(pool, 50, 1); }));
    ASSERT_TRUE(covers(pool, 50, 1));
  }
}

// A child that destroys the pool, used there or not, must not wait for threads that it does not have.
TEST(ThreadPool, IsDestroyedInAChild) {
  for (const bool used : {false, true}) {
    auto pool = std::make_unique<ThreadPool>(3);
    EXPECT_TRUE(in_child([&] {
      const bool good = !used || covers(*pool, 100, 1);
      pool.reset();
      return good;
    }));
    EXPECT_TRUE(covers(*pool, 100, 1));
  }
}

}  // namespace
}  // namespace tern
