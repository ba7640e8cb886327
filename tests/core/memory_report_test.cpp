// SPDX-License-Identifier: Apache-2.0
// Labels, leaks and the report of a tensor.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/storage.h"
#include "support/test_device.h"
#include "tern/memory.h"
#include "tern/tensor.h"

namespace tern {
namespace {

Device fresh_device(LeakHandler on_close = {}) {
  return testing::test_device(DeviceOptions{.threads = 1, .on_close = std::move(on_close)});
}

Tensor bytes(int64_t count, const Device& device) { return Tensor::empty({count}, DType::u8, device); }

TEST(MemoryLabels, CountWhatTheirThreadAllocatesInTheirScope) {
  const Device device = fresh_device();
  Tensor weights, more, inner;
  {
    const MemoryLabel label("weights");
    weights = bytes(1000, device);
    {
      const MemoryLabel nested("inner");
      inner = bytes(1, device);
      std::thread([&] { EXPECT_EQ(memory_report(bytes(7, device)).label, ""); }).join();
    }
    more = bytes(24, device);
  }
  const Tensor without = bytes(5, device);
  const std::vector<LabelStatistics> labels = device.memory_labels();
  ASSERT_EQ(labels.size(), 2u);
  EXPECT_EQ(labels[0].label, "inner");
  EXPECT_EQ(labels[0].live, 1u);
  EXPECT_EQ(labels[1].label, "weights");
  EXPECT_EQ(labels[1].live, 1024u);
  EXPECT_EQ(labels[1].blocks, 2u);
  weights = Tensor();
  more = bytes(0, device);
  const LabelStatistics after = device.memory_labels()[1];
  EXPECT_EQ(after.live, 0u);
  EXPECT_EQ(after.blocks, 0u);
  EXPECT_EQ(after.peak, 1024u);
  EXPECT_EQ(after.allocations, 2u);
}

TEST(MemoryLabels, OneLabelServesSeveralDevices) {
  const MemoryLabel label("shared name");
  for (int i = 0; i < 3; ++i) {
    const Device first = fresh_device(), second = fresh_device();
    const Tensor a = bytes(3, first), b = bytes(4, second), c = bytes(5, first);
    EXPECT_EQ(first.memory_labels().at(0).live, 8u);
    EXPECT_EQ(second.memory_labels().at(0).live, 4u);
  }
}

TEST(MemoryLeaks, AreWhatIsStillAllocated) {
  const Device device = fresh_device();
  Tensor kept;
  {
    const MemoryLabel label("kept");
    kept = bytes(100, device);
  }
  const std::vector<MemoryLeak> leaks = device.memory_leaks();
  ASSERT_FALSE(leaks.empty());
  const auto found = std::ranges::find(leaks, "kept", &MemoryLeak::label);
  ASSERT_NE(found, leaks.end());
  EXPECT_EQ(found->bytes, 100u);
  EXPECT_EQ(found->blocks, 1u);
  kept = Tensor();
  const std::vector<MemoryLeak> after = device.memory_leaks();
  EXPECT_EQ(std::ranges::find(after, "kept", &MemoryLeak::label), after.end());
}

TEST(MemoryLeaks, AreReportedWhenTheLastHandleGoes) {
  int calls = 0;
  std::vector<MemoryLeak> seen;
  const auto handler = [&](const std::vector<MemoryLeak>& leaks) {
    ++calls;
    seen = leaks;
  };
  std::optional<Device> device = fresh_device(handler);
  Tensor kept;
  {
    const MemoryLabel label("forgotten");
    kept = bytes(100, *device);
  }
  std::optional<Device> copy = *device;
  device.reset();
  EXPECT_EQ(calls, 0);
  *copy = fresh_device();
  EXPECT_EQ(calls, 1);
  const auto found = std::ranges::find(seen, "forgotten", &MemoryLeak::label);
  ASSERT_NE(found, seen.end());
  EXPECT_EQ(found->bytes, 100u);
  EXPECT_EQ(kept.device().name(), copy->name());  // the device is there as long as its tensor
  kept = Tensor();
  EXPECT_EQ(calls, 1);
}

TEST(MemoryLeaks, NothingIsReportedWhereNothingIsLeft) {
  int calls = 0;
  {
    const Device device = fresh_device([&](const std::vector<MemoryLeak>& leaks) {
      for (const MemoryLeak& leak : leaks) calls += leak.label == "gone";
    });
    const MemoryLabel label("gone");
    const Tensor gone = bytes(100, device);
  }
  EXPECT_EQ(calls, 0);
}

TEST(MemoryReport, SaysWhereElementsLieAndWhoSharesThem) {
  const Device device = fresh_device();
  const MemoryLabel label("matrix");
  const Tensor x = Tensor::zeros({2, 3}, DType::f32, device);
  const TensorMemory own = memory_report(x);
  EXPECT_EQ(own.bytes, 24u);
  EXPECT_EQ(own.storage_bytes, 24u);
  EXPECT_EQ(own.offset, 0);
  EXPECT_EQ(own.sharers, 1);
  EXPECT_TRUE(own.contiguous && own.owned);
  EXPECT_FALSE(own.is_view());
  EXPECT_EQ(to_string(own), "f32 [2, 3], strides [3, 1]: 24 bytes at 0 of a block of 24, 'matrix', 1 tensor");

  const Tensor column = x.as_strided({2, 1}, {3, 1}, 2);
  const TensorMemory view = memory_report(column);
  EXPECT_EQ(view.bytes, 8u);
  EXPECT_EQ(view.offset, 8);
  EXPECT_EQ(view.sharers, 2);
  EXPECT_FALSE(view.contiguous);
  EXPECT_TRUE(view.is_view());
  EXPECT_TRUE(memory_report(x).is_view());  // what is written here shows there
  EXPECT_EQ(to_string(view), "f32 [2, 1], strides [3, 1]: 8 bytes at 8 of a block of 24, 'matrix', 2 tensors");
}

TEST(MemoryReport, OfMemoryOfOthersAndOfNothing) {
  const Device device = fresh_device();
  auto values = std::make_shared<std::vector<float>>(5);
  const auto storage = std::make_shared<Storage>(device, values->data(), 20, values);
  const Tensor x = Tensor::over(storage, 4, {2}, {2}, DType::f32);
  const TensorMemory foreign = memory_report(x);
  EXPECT_FALSE(foreign.owned);
  EXPECT_EQ(foreign.bytes, 8u);
  EXPECT_EQ(foreign.offset, 4);
  EXPECT_EQ(to_string(foreign), "f32 [2], strides [2]: 8 bytes at 4 of another's block of 20, 2 tensors");
  EXPECT_EQ(values.use_count(), 2);
  EXPECT_EQ(memory_report(Tensor::empty({0, 4}, DType::f64, device)).bytes, 0u);
  EXPECT_EQ(memory_report(Tensor::empty({}, DType::boolean, device)).bytes, 1u);
}

}  // namespace
}  // namespace tern
