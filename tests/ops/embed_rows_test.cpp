// SPDX-License-Identifier: Apache-2.0
// Rows of a table in f32, and bytes of the host behind bytes of the device: what a step of decoding begins with.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "core/device_memory.h"
#include "device/backend.h"
#include "ops/checked_indices.h"
#include "support/awkward.h"
#include "support/test_device.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::Floats;

TEST(EmbedRows, GivesRowsInF32) {
  const Device device = testing::test_device(2);
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const int64_t cols : {0, 1, 3, 4, 63, 64, 2560}) {
      for (const int64_t count : {0, 1, 5, 300}) {
        const int64_t rows = 11;
        // What the type holds exactly, NaN and Inf among it.
        const Tensor all = Tensor::from(testing::awkward_floats(rows * cols, 3), {rows, cols}, Device::open("cpu"));
        const Floats values = cast(cast(all, dtype), DType::f32).to_vector<float>();
        std::mt19937 random(9);
        std::vector<int64_t> ids;
        Floats expected;
        for (int64_t i = 0; i < count; ++i) {
          ids.push_back(static_cast<int64_t>(random() % static_cast<uint32_t>(rows)));
          expected.insert(expected.end(), values.begin() + ids.back() * cols, values.begin() + (ids.back() + 1) * cols);
        }
        const Tensor table = cast(Tensor::from(values, {rows, cols}, device), dtype);
        const Tensor y = embed_rows(table, Tensor::from(ids, {count}, device));
        ASSERT_EQ(y.shape(), (Shape{count, cols}));
        ASSERT_EQ(y.dtype(), DType::f32);
        ASSERT_TRUE(testing::same_bits(y.to_vector<float>(), expected)) << name_of(dtype) << " " << cols;
      }
    }
  }
}

TEST(EmbedRows, TakesTablesAtAnyAddress) {
  const Device device = testing::test_device(2);
  const Floats values = testing::normal_floats(1 + 5 * 8, 4);
  const Tensor all = Tensor::from(values, {std::ssize(values)}, device);
  const Tensor table = reshape(slice(all, 0, 1, std::ssize(values)), {5, 8});
  const Floats y = embed_rows(table, Tensor::from(std::vector<int64_t>{4, 0}, {2}, device)).to_vector<float>();
  EXPECT_EQ(Floats(y.begin(), y.begin() + 8), Floats(values.end() - 8, values.end()));
  EXPECT_EQ(Floats(y.begin() + 8, y.end()), Floats(values.begin() + 1, values.begin() + 9));
}

TEST(JoinToDevice, PutsBytesOfTheHostBehindThoseOfTheDevice) {
  const Device device = testing::test_device(2);
  DeviceMemory& memory = device.memory();
  for (const int64_t there : {0, 1, 8, 513, 5000}) {
    for (const int64_t here : {0, 1, 255, 256, 257, 2047, 2048, 2049, 10000}) {
      std::vector<uint8_t> bytes(static_cast<size_t>(there + here));
      for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 37 >> 2);
      const Tensor first = Tensor::from(std::vector<uint8_t>(bytes.begin(), bytes.begin() + there), {there}, device);
      const Tensor to = Tensor::full({there + here + 1}, 0x5a, DType::u8, device);
      const auto of = [](const void* data, int64_t size) {
        return std::span(static_cast<const std::byte*>(data), static_cast<size_t>(size));
      };
      memory.join_to_device(to.raw(), of(first.raw(), there), of(bytes.data() + there, here));
      std::vector<uint8_t> expected = bytes;
      expected.push_back(0x5a);
      ASSERT_EQ(to.to_vector<uint8_t>(), expected) << there << " and " << here;
    }
  }
}

}  // namespace
}  // namespace tern
