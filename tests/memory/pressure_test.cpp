// SPDX-License-Identifier: Apache-2.0
// Against files as the kernel writes them, in a folder of the test's own.
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include "support/fails_with.h"
#include "support/in_child.h"
#include "tern/memory_pressure.h"

namespace tern {
namespace {

constexpr size_t kGiB = size_t{1} << 30;

class MemoryPressureTest : public ::testing::Test {
 protected:
  MemoryPressureTest()
      : folder_(std::filesystem::temp_directory_path() / ("tern_pressure_" + std::to_string(::getpid()))) {
    options_.proc = folder_ / "proc";
    options_.cgroups = folder_ / "cgroups";
    options_.interval = std::chrono::milliseconds(1);
  }
  ~MemoryPressureTest() override { std::filesystem::remove_all(folder_); }

  // As another file that takes the name, so that no reader sees a part of it.
  void write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / "new") << text;
    std::filesystem::rename(folder_ / "new", folder_ / path);
  }
  void write_system(size_t available_kib, const std::string& stalls) {
    write("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:          100000 kB\nMemAvailable:   " +
                              std::to_string(available_kib) + " kB\nBuffers: 1 kB\n");
    write("proc/pressure/memory", stalls);
  }
  void write_group(const std::string& path, const std::string& current, const std::string& high,
                   const std::string& max) {
    const std::string folder = "cgroups" + path + "/";
    write(folder + "memory.current", current + "\n");
    write(folder + "memory.high", high + "\n");
    write(folder + "memory.max", max + "\n");
  }

  static std::string stalls(const std::string& some, const std::string& full) {
    return "some avg10=" + some + " avg60=9.00 avg300=9.00 total=1\nfull avg10=" + full +
           " avg60=9.00 avg300=9.00 total=1\n";
  }

  const std::filesystem::path folder_;
  MemoryPressureOptions options_;
};

TEST_F(MemoryPressureTest, NothingIsKnownWithoutFiles) {
  const MemoryPressure none = memory_pressure(options_);
  EXPECT_EQ(none.level, PressureLevel::none);
  EXPECT_EQ(none.total, 0u);
}

TEST_F(MemoryPressureTest, ReadsTheSystem) {
  write_system(8388608, stalls("1.50", "0.25"));
  const MemoryPressure calm = memory_pressure(options_);
  EXPECT_EQ(calm.level, PressureLevel::none);
  EXPECT_EQ(calm.some, 1.5);
  EXPECT_EQ(calm.full, 0.25);
  EXPECT_EQ(calm.available, 8 * kGiB);
  EXPECT_EQ(calm.total, 16 * kGiB);
  write_system(8388608, stalls("10.00", "9.99"));
  EXPECT_EQ(memory_pressure(options_).level, PressureLevel::moderate);
  write_system(8388608, stalls("10.00", "10.00"));
  EXPECT_EQ(memory_pressure(options_).level, PressureLevel::critical);
  write_system(1677721, stalls("0.00", "0.00"));
  EXPECT_EQ(memory_pressure(options_).level, PressureLevel::moderate);
  write_system(838860, stalls("0.00", "0.00"));
  EXPECT_EQ(memory_pressure(options_).level, PressureLevel::critical);
}

TEST_F(MemoryPressureTest, ReadsTheGroupAndThoseAboveIt) {
  write_system(8388608, stalls("0.00", "0.00"));
  write("proc/self/cgroup", "4:memory:/old\n0::/jobs/one\n");
  write_group("/jobs/one", "1073741824", "max", "max");
  EXPECT_EQ(memory_pressure(options_).available, 8 * kGiB);
  write_group("/jobs/one", "1073741824", "2147483648", "4294967296");
  write("cgroups/jobs/one/memory.stat", "anon 5\ninactive_file 536870912\nactive_file 7\n");
  const MemoryPressure high = memory_pressure(options_);
  EXPECT_EQ(high.level, PressureLevel::none);
  EXPECT_EQ(high.total, 8 * kGiB * 2);  // half of the system's is less than three quarters of the group's
  write_group("/jobs/one", "2147483648", "2147483648", "4294967296");
  EXPECT_EQ(memory_pressure(options_).available, kGiB / 2);
  EXPECT_EQ(memory_pressure(options_).total, 2 * kGiB);
  write_group("/jobs", "1073000000", "max", "1073741824");
  const MemoryPressure above = memory_pressure(options_);
  EXPECT_EQ(above.level, PressureLevel::critical);
  EXPECT_EQ(above.available, 741824u);
  write_group("/jobs", "2073741824", "max", "1073741824");  // more than there may be
  EXPECT_EQ(memory_pressure(options_).available, 0u);
  write_group("/jobs", "0", "max", "max");
  write("cgroups/jobs/one/memory.pressure", stalls("3.00", "12.00"));
  EXPECT_EQ(memory_pressure(options_).full, 12.0);
  EXPECT_EQ(memory_pressure(options_).level, PressureLevel::critical);
}

TEST_F(MemoryPressureTest, WhatIsNoNumberIsLeftOut) {
  write("proc/meminfo", "MemTotal: lots\nMemAvailable: \n");
  write("proc/pressure/memory", "some avg10=\nfull");
  write("proc/self/cgroup", "0::");
  EXPECT_EQ(memory_pressure(options_).total, 0u);
  EXPECT_EQ(memory_pressure(options_).some, 0.0);
  write("proc/self/cgroup", "0::/\n");
  write_group("", "many", "max", "max");
  EXPECT_EQ(memory_pressure(options_).level, PressureLevel::none);
}

TEST_F(MemoryPressureTest, AWatcherTellsEachChangeOnce) {
  write_system(8388608, stalls("0.00", "0.00"));
  std::mutex mutex;
  std::condition_variable told;
  std::vector<PressureLevel> levels;
  const auto wait_for = [&](size_t count) {
    std::unique_lock lock(mutex);
    return told.wait_for(lock, std::chrono::seconds(20), [&] { return levels.size() >= count; });
  };
  {
    const MemoryPressureWatcher watcher(
        [&](const MemoryPressure& pressure) {
          const std::lock_guard lock(mutex);
          levels.push_back(pressure.level);
          told.notify_all();
          throw 1;
        },
        options_);
    write_system(838860, stalls("0.00", "0.00"));
    EXPECT_TRUE(wait_for(1));
    write_system(1677721, stalls("0.00", "0.00"));
    EXPECT_TRUE(wait_for(2));
    write_system(8388608, stalls("0.00", "0.00"));
    EXPECT_TRUE(wait_for(3));
  }
  EXPECT_EQ(levels, (std::vector{PressureLevel::critical, PressureLevel::moderate, PressureLevel::none}));
  EXPECT_TRUE(testing::fails_with("expected a function", [] { MemoryPressureWatcher watcher(nullptr); }));
}

TEST_F(MemoryPressureTest, AChildMayDestroyAWatcher) {
  auto watcher = std::make_unique<MemoryPressureWatcher>([](const MemoryPressure&) {}, options_);
  EXPECT_TRUE(testing::in_child([&] {
    watcher.reset();
    return true;
  }));
}

TEST(MemoryPressure, OfThisMachineHasAMeaning) {
  const MemoryPressure now = memory_pressure();
  EXPECT_LE(now.available, now.total);
  EXPECT_LE(now.full, 100.0);
  EXPECT_EQ(name_of(PressureLevel::moderate), "moderate");
}

}  // namespace
}  // namespace tern
