// SPDX-License-Identifier: Apache-2.0
// Reductions of arrays: floats in the documented order, the same bits on every instruction set and number of threads.
#include "device/array_reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "device/array_kernels.h"
#include "support/cpus.h"

namespace tern {
namespace {

using Doubles = std::vector<double>;

struct Case {
  int64_t outer, extent, inner;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> list = {{1, 0, 1},    {3, 1, 1},     {2, 31, 1},   {2, 32, 1},     {2, 33, 1},
                                         {1, 1023, 1}, {1, 1024, 1},  {1, 1025, 1}, {1, 5000, 1},   {7, 130, 3},
                                         {1, 128, 65}, {2, 1009, 79}, {1, 3, 300},  {1, 100003, 1}, {1, 4100, 5},
                                         {0, 5, 1},    {5, 5, 0},     {2, 0, 3}};
  return list;
}

template <class T>
std::vector<T> uneven(int64_t count) {
  std::vector<T> x;
  for (int64_t i = 0; i < count; ++i) {
    x.push_back(static_cast<T>(std::sin(static_cast<double>(i * i % 1013)) * std::exp2(static_cast<double>(i % 9))));
  }
  return x;
}

// Of one block: lanes, folded by halves down to `kept`; or one after the other.
template <class Y>
std::vector<Y> naive_block(const std::vector<Y>& x, bool row, size_t lanes, size_t kept) {
  if (!row) {
    Y sum = 0;
    for (const Y v : x) sum += v;
    return {sum};
  }
  std::vector<Y> acc(lanes);
  for (size_t k = 0; k < x.size(); ++k) acc[k % lanes] += x[k];
  for (size_t half = lanes / 2; half >= kept; half /= 2) {
    for (size_t l = 0; l < half; ++l) acc[l] += acc[l + half];
  }
  acc.resize(kept);
  return acc;
}

// A sum of blocks [begin, end): that of its first part, as many blocks as the greatest power of two below, and the
// rest.
template <class Y>
Y naive_tree(const std::vector<Y>& blocks, size_t begin, size_t end) {
  if (end - begin == 1) return blocks[begin];
  size_t half = 1;
  while (half * 2 < end - begin) half *= 2;
  return naive_tree(blocks, begin, begin + half) + naive_tree(blocks, begin + half, end);
}

template <class Y>
Y naive_sum(const std::vector<Y>& x, bool row) {
  const size_t block = static_cast<size_t>(row ? kReduceRowBlock : kReduceColumnBlock);
  std::vector<Y> blocks;
  for (size_t k = 0; k < x.size(); k += block) {
    const std::vector<Y> part(x.begin() + static_cast<std::ptrdiff_t>(k),
                              x.begin() + static_cast<std::ptrdiff_t>(std::min(x.size(), k + block)));
    blocks.push_back(naive_block(part, row, 256 / sizeof(Y), 1)[0]);
  }
  return blocks.empty() ? Y{0} : naive_tree(blocks, 0, blocks.size());
}

// The result on every device, with room to share outputs and without.
template <class Y, class T>
std::vector<Y> everywhere(ArrayReduceOp op, const Case& c, const std::vector<T>& x, const double* center = nullptr) {
  std::vector<Y> first;
  bool is_first = true;
  std::vector<std::byte> room(
      static_cast<size_t>(c.outer * c.inner * reduce_blocks(c.extent, c.inner)) * kReducePartialBytes + 64);
  for (const Device& device : testing::cpus()) {
    for (void* shared : {static_cast<void*>(nullptr), static_cast<void*>(room.data())}) {
      std::vector<Y> y(static_cast<size_t>(c.outer * c.inner));
      const Backend& backend = device.backend();
      backend.kernels().array->reduce(backend.exec(), {.op = op,
                                                       .dtype = dtype_of<T>,
                                                       .result = dtype_of<Y>,
                                                       .outer = c.outer,
                                                       .extent = c.extent,
                                                       .inner = c.inner,
                                                       .x = x.data(),
                                                       .center = center,
                                                       .y = y.data(),
                                                       .room = shared});
      if (is_first) first = y;
      EXPECT_TRUE(y.empty() || std::memcmp(first.data(), y.data(), y.size() * sizeof(Y)) == 0) << device.description();
      is_first = false;
    }
  }
  return first;
}

template <class Y, class T>
void expect_documented_sums() {
  for (const Case& c : cases()) {
    const std::vector<T> x = uneven<T>(c.outer * c.extent * c.inner);
    const std::vector<Y> y = everywhere<Y>(ArrayReduceOp::sum, c, x);
    for (size_t i = 0; i < y.size(); ++i) {
      const auto inner = static_cast<size_t>(c.inner), extent = static_cast<size_t>(c.extent);
      std::vector<Y> terms;
      for (size_t k = 0; k < extent; ++k)
        terms.push_back(static_cast<Y>(x[(i / inner * extent + k) * inner + i % inner]));
      ASSERT_EQ(y[i], naive_sum(terms, inner == 1)) << c.outer << " " << c.extent << " " << c.inner;
    }
  }
}

TEST(ArrayReduce, SumsInTheDocumentedOrder) {
  expect_documented_sums<double, double>();
  expect_documented_sums<double, float>();
}

TEST(ArrayReduce, ComplexSumsAreSumsOfTheirReals) {
  const Doubles reals = uneven<double>(2 * 3001);
  std::vector<std::complex<double>> x;
  for (size_t i = 0; i < reals.size(); i += 2) x.emplace_back(reals[i], reals[i + 1]);
  const auto y = everywhere<std::complex<double>>(ArrayReduceOp::sum, {1, 3001, 1}, x);
  std::vector<double> re, im;
  for (size_t k = 0; k < reals.size(); k += 2 * kReduceRowBlock) {
    const Doubles part(reals.begin() + static_cast<std::ptrdiff_t>(k),
                       reals.begin() + static_cast<std::ptrdiff_t>(std::min(reals.size(), k + 2 * kReduceRowBlock)));
    const Doubles pair = naive_block(part, true, 32, 2);
    re.push_back(pair[0]), im.push_back(pair[1]);
  }
  EXPECT_EQ(y[0], std::complex<double>(naive_tree(re, 0, re.size()), naive_tree(im, 0, im.size())));
}

TEST(ArrayReduce, OtherFloatsAgreeEverywhere) {
  for (const Case& c : cases()) {
    const Doubles x = uneven<double>(c.outer * c.extent * c.inner);
    const std::vector<float> narrow(x.begin(), x.end());
    const Doubles center(static_cast<size_t>(c.outer * c.inner), 0.25);
    everywhere<double>(ArrayReduceOp::prod, c, x);
    everywhere<float>(ArrayReduceOp::prod, c, narrow);
    for (const Doubles& y : {everywhere<double>(ArrayReduceOp::sum_squares, c, x, center.data()),
                             everywhere<double>(ArrayReduceOp::sum_squares, c, narrow, center.data())}) {
      for (size_t i = 0; i < y.size(); ++i) {
        const auto inner = static_cast<size_t>(c.inner), extent = static_cast<size_t>(c.extent);
        long double want = 0;
        for (size_t k = 0; k < extent; ++k) {
          const double d = x[(i / inner * extent + k) * inner + i % inner] - 0.25;
          want += static_cast<long double>(d) * static_cast<long double>(d);
        }
        // x in f32 is off by 2^-24 of |x|, which d² feels by less than 2^-23·(d² + 1)·2; sums are far more exact.
        EXPECT_NEAR(y[i], static_cast<double>(want), 0x1p-21 * (static_cast<double>(want) + c.extent)) << i;
      }
    }
    if (c.extent == 0) continue;
    everywhere<double>(ArrayReduceOp::max, c, x);
    everywhere<float>(ArrayReduceOp::min, c, narrow);
    everywhere<int64_t>(ArrayReduceOp::argmax, c, x);
    everywhere<int64_t>(ArrayReduceOp::argmin, c, narrow);
  }
}

}  // namespace
}  // namespace tern
