// SPDX-License-Identifier: Apache-2.0
// What the ops on pages refuse. Their values are judged in tests/device and tests/models.
#include "ops/paged.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "support/fails_with.h"
#include "support/test_device.h"

namespace tern {
namespace {

using testing::fails_with;

Tensor zeros(const Shape& shape) { return Tensor::zeros(shape, DType::f32, testing::test_device()); }

TEST(Paged, RefusesSizesThatMakeNoPages) {
  const Device device = testing::test_device();
  const auto make = [&](int64_t pages, int64_t layers, int64_t heads, int64_t dim, int64_t tokens) {
    return make_paged_kv(KvType::int8, pages, layers, heads, dim, tokens, device);
  };
  const int64_t page = kv_page_bytes(KvType::int8, 2, 1, 6, 5, device);
  EXPECT_GE(page, 2 * 2 * 5 * 6);
  EXPECT_EQ(page % (2 * 2 * 64), 0);
  EXPECT_EQ(make(3, 2, 1, 6, 5).bytes.numel(), 3 * page);
  EXPECT_TRUE(fails_with("in [1, ", [&] { make(0, 2, 1, 6, 5); }));
  EXPECT_TRUE(fails_with("in [1, ", [&] { make(3, 0, 1, 6, 5); }));
  EXPECT_TRUE(fails_with("in [1, ", [&] { make(3, 2, -1, 6, 5); }));
  EXPECT_TRUE(fails_with("even head extent of at most 2048", [&] { make(3, 2, 1, 7, 5); }));
  EXPECT_TRUE(fails_with("even head extent of at most 2048", [&] { make(3, 2, 1, 2050, 5); }));
  EXPECT_TRUE(fails_with("at most 524288 tokens", [&] { make(3, 2, 1, 6, 524289); }));
  EXPECT_TRUE(fails_with("fit into memory", [&] { make(INT32_MAX, INT32_MAX, 1, 6, 5); }));
}

TEST(Paged, RefusesPassesAndOperandsThatDoNotFit) {
  const Device device = testing::test_device();
  const PagedKv kv = make_paged_kv(KvType::f32, 3, 2, 1, 6, 5, device);
  const auto on = [&](const Shape& shape) { return Tensor::zeros(shape, DType::f32, device); };
  const Tensor angles = on({20, 3});
  const std::vector<int32_t> pages = {2, 0}, bad = {1, 3};
  const auto pass = [&](int64_t rows, int64_t length, const std::vector<int32_t>& of, int64_t heads = 2) {
    const PagedRows one = {rows, length, of};
    return make_paged_pass(kv, {&one, 1}, heads, angles, angles);
  };
  EXPECT_TRUE(fails_with("at least one row", [&] { pass(0, 3, pages); }));
  EXPECT_TRUE(fails_with("after -1", [&] { pass(1, -1, pages); }));
  EXPECT_TRUE(fails_with("at most 20 tokens, got 21", [&] { pass(1, 20, pages); }));
  EXPECT_TRUE(fails_with("3 pages for 11 tokens, got 2", [&] { pass(1, 10, pages); }));
  EXPECT_TRUE(fails_with("pages in [0, 3), got 3", [&] { pass(1, 5, bad); }));
  EXPECT_TRUE(fails_with("a multiple of 1 heads, got 0", [&] { pass(1, 5, pages, 0); }));
  EXPECT_TRUE(fails_with("expected cos of shape", [&] {
    const PagedRows one = {1, 0, pages};
    make_paged_pass(kv, {&one, 1}, 2, on({20, 4}), angles);
  }));
  const PagedPass good = pass(2, 3, pages);
  const Tensor k = on({2, 6}), q = on({2, 12});
  EXPECT_TRUE(fails_with("a layer in [0, 2), got 2", [&] { kv_append(kv, 2, good, k, k); }));
  EXPECT_TRUE(fails_with("expected v of shape [2, 6], got [2, 12]", [&] { kv_append(kv, 0, good, k, q); }));
  EXPECT_TRUE(fails_with("expected q of shape [2, 12], got [2, 6]", [&] { paged_attention(kv, 0, good, k, 1); }));
  EXPECT_TRUE(fails_with("on the device", [&] { kv_append(kv, 0, good, zeros({2, 6}), k); }));
  kv_append(kv, 1, good, k, k);
  EXPECT_EQ(paged_attention(kv, 1, good, q, 1).shape(), (Shape{2, 12}));
}

}  // namespace
}  // namespace tern
