// SPDX-License-Identifier: Apache-2.0
#include "tern/interop.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "support/fails_with.h"

namespace tern {
namespace {

using testing::fails_with;

TEST(Borrow, SharesMemoryAndKeepsIt) {
  const Device device = Device::open("cpu");
  auto memory = std::make_shared<std::vector<float>>(std::vector<float>{0, 1, 2, 3, 4, 5});
  const std::weak_ptr<std::vector<float>> alive = memory;
  float* const data = memory->data();
  // Reversed, so that the view reaches in front of its first element.
  Tensor tensor = borrow(data + 5, {2, 3}, {-3, -1}, DType::f32, device, std::move(memory));
  EXPECT_EQ(tensor.raw(), data + 5);
  EXPECT_EQ(tensor.to_vector<float>(), (std::vector<float>{5, 4, 3, 2, 1, 0}));
  data[5] = 9;
  EXPECT_EQ(tensor.to_vector<float>()[0], 9);
  Tensor view = tensor.as_strided({1}, {1}, 0);
  tensor = Tensor();
  EXPECT_FALSE(alive.expired());
  view = Tensor();
  EXPECT_TRUE(alive.expired());
}

TEST(Borrow, AllocatesNothing) {
  const Device device = Device::open("cpu");
  std::vector<int64_t> memory(1000);
  const size_t live = device.memory_statistics().live;
  const Tensor tensor = borrow(memory.data(), {1000}, {1}, DType::i64, device, nullptr);
  EXPECT_EQ(device.memory_statistics().live, live);
}

TEST(Borrow, RefusesWhatIsNoTensor) {
  const Device device = Device::open("cpu");
  std::vector<float> memory(4);
  char* const bytes = reinterpret_cast<char*>(memory.data());
  EXPECT_TRUE(fails_with("[borrow] expected a stride for each of 1 axes, got 2", [&] {
    borrow(bytes, {2}, {1, 1}, DType::f32, device, nullptr);
  }));
  EXPECT_TRUE(fails_with("expected extents that are not negative, got [-1]",
                         [&] { borrow(bytes, {-1}, {1}, DType::f32, device, nullptr); }));
  EXPECT_TRUE(fails_with("expected an address that is a multiple of 4",
                         [&] { borrow(bytes + 1, {1}, {1}, DType::f32, device, nullptr); }));
  EXPECT_TRUE(fails_with("expected an open device", [&] { borrow(bytes, {1}, {1}, DType::f32, Device(), nullptr); }));
}

}  // namespace
}  // namespace tern
