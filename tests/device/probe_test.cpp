// SPDX-License-Identifier: Apache-2.0
// The probe kernels do their work, and the figures they give are of this world.
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "device/parallel.h"
#include "support/fails_with.h"
#include "tern/device.h"

namespace tern {
namespace {

using testing::fails_with;

TEST(Probe, ReadsEveryWord) {
  for (const int threads : {1, 3}) {
    const Device device = Device::open("cpu", {.threads = threads});
    const Backend& backend = device.backend();
    for (const int64_t count : {0, 1, 15, 16, 17, 131071, 131073, 400009}) {
      std::vector<uint64_t> words(static_cast<size_t>(count));
      for (size_t i = 0; i < words.size(); ++i) words[i] = i * i + (i << 50);
      uint64_t sum = 1;
      backend.kernels().read_words(backend.exec(), {count, words.data(), &sum});
      EXPECT_EQ(sum, std::accumulate(words.begin(), words.end(), uint64_t{0})) << count;
    }
  }
}

TEST(Probe, GivesFiguresAbove0) {
  const Device device = Device::open();
  const DeviceProbe probe = device.probe({.seconds = 0.02, .bytes = 1 << 20});
  EXPECT_GT(probe.read_gb_per_s, 0.01);
  EXPECT_GT(probe.int8_peak_gops, 0.01);
  EXPECT_GT(probe.clock_mhz, 10);
  EXPECT_LT(probe.clock_mhz, 100000);
  EXPECT_TRUE(fails_with("at least 8 bytes", [&] { device.probe({.seconds = 0, .bytes = 7}); }));
  EXPECT_TRUE(fails_with("seconds of at least 0", [&] { device.probe({.seconds = -1, .bytes = 8}); }));
}

TEST(ParallelBlocks, RunsEveryBlockOnceOnOneWorkerAtATime) {
  for (const int threads : {1, 4}) {
    const Device device = Device::open("cpu", {.threads = threads});
    for (const int64_t count : {0, 1, 2, 63}) {
      std::vector<std::atomic<int>> runs(static_cast<size_t>(count)), busy(static_cast<size_t>(threads));
      parallel_blocks(device, count, [&](int worker, int64_t block) {
        EXPECT_EQ(busy[static_cast<size_t>(worker)]++, 0);
        ++runs[static_cast<size_t>(block)];
        --busy[static_cast<size_t>(worker)];
      });
      for (const std::atomic<int>& run : runs) EXPECT_EQ(run, 1);
    }
  }
}

TEST(ParallelBlocks, ThrowsWhatTheLowestBlockThrew) {
  const Device device = Device::open("cpu", {.threads = 4});
  for (int round = 0; round < 50; ++round) {
    try {
      parallel_blocks(device, 40, [](int, int64_t block) {
        if (block % 7 == 3) throw std::runtime_error(std::to_string(block));
      });
      ADD_FAILURE() << "expected an exception";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "3");
    }
  }
  int64_t ran = 0;  // and the device goes on
  parallel_blocks(Device::open("cpu", {.threads = 1}), 5, [&](int, int64_t) { ++ran; });
  EXPECT_EQ(ran, 5);
}

}  // namespace
}  // namespace tern
