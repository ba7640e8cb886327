// SPDX-License-Identifier: Apache-2.0
#include "base/fork_mutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "support/in_child.h"

namespace tern {
namespace {

using testing::in_child;

TEST(ForkMutex, IsFreeInAChildAndWhatItGuardsIsWhole) {
  std::vector<std::unique_ptr<ForkMutex>> mutexes(3);
  for (auto& mutex : mutexes) mutex = std::make_unique<ForkMutex>();
  mutexes[1].reset();
  mutexes[1] = std::make_unique<ForkMutex>();
  int pair[3][2] = {};
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) {
      for (size_t i = 0; i < 3; ++i) {
        const std::lock_guard lock(*mutexes[i]);
        ++pair[i][0];
        ++pair[i][1];
      }
    }
  });
  for (int round = 0; round < 50; ++round) {
    EXPECT_TRUE(in_child([&] {
      for (size_t i = 0; i < 3; ++i) {
        const std::lock_guard lock(*mutexes[i]);
        if (pair[i][0] != pair[i][1]) return false;
      }
      return true;
    }));
  }
  stop = true;
  writer.join();
}

TEST(ForkMutex, AChildMayForkItself) {
  ForkMutex mutex;
  EXPECT_TRUE(in_child([&] {
    return in_child([&] {
      const std::lock_guard lock(mutex);
      return true;
    });
  }));
}

}  // namespace
}  // namespace tern
