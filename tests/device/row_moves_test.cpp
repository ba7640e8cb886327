// SPDX-License-Identifier: Apache-2.0
// gather_rows and scatter_add_rows.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "support/awkward.h"

namespace tern {
namespace {

using testing::Floats;
using testing::normal_floats;
using testing::run_kernel;
using testing::same_everywhere;

std::vector<int64_t> random_ids(int64_t count, int64_t rows) {
  std::mt19937 random(7);
  std::vector<int64_t> ids(static_cast<size_t>(count));
  for (int64_t& id : ids) id = static_cast<int64_t>(random() % static_cast<uint32_t>(rows));
  return ids;
}

TEST(GatherRows, CopiesRowsOfAnySize) {
  std::vector<uint8_t> table(11 * 4099);
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<uint8_t>(i * 31 >> 3);
  for (const size_t row_bytes : {size_t{0}, size_t{1}, size_t{7}, size_t{64}, size_t{4099}}) {
    for (const int64_t count : {0, 1, 17, 131}) {
      const std::vector<int64_t> ids = random_ids(count, 11);
      for (const Device& device : testing::cpus()) {
        std::vector<uint8_t> y(ids.size() * row_bytes + 1, 0x5a);
        run_kernel(device, &Kernels::gather_rows, {count, row_bytes, table.data(), ids.data(), y.data()});
        for (size_t i = 0; i < ids.size(); ++i) {
          const uint8_t* expected = table.data() + static_cast<size_t>(ids[i]) * row_bytes;
          ASSERT_EQ(std::memcmp(y.data() + i * row_bytes, expected, row_bytes), 0) << device.description();
        }
        ASSERT_EQ(y.back(), 0x5a);
      }
    }
  }
}

TEST(ScatterAddRows, AddsRepeatedRowsInOrder) {
  for (const int64_t cols : {0, 1, 7, 16, 63, 64, 65, 127, 1009}) {
    for (const int64_t count : {0, 1, 5, 300}) {
      const std::vector<int64_t> ids = random_ids(count, 5);
      const Floats x = normal_floats(count * cols, 1), start = normal_floats(5 * cols, 2);
      const Floats y = same_everywhere([&](const Device& device) {
        Floats sums = start;
        run_kernel(device, &Kernels::scatter_add_rows, {count, cols, x.data(), ids.data(), sums.data()});
        return sums;
      });
      Floats expected = start;
      for (size_t i = 0; i < x.size(); ++i) {
        const size_t row = i / static_cast<size_t>(cols), col = i % static_cast<size_t>(cols);
        expected[static_cast<size_t>(ids[row] * cols) + col] += x[i];
      }
      ASSERT_TRUE(testing::same_bits(y, expected)) << count << " rows of " << cols;
    }
  }
}

}  // namespace
}  // namespace tern
