// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/awkward.h"
#include "support/reference_pointwise.h"

namespace tern {
namespace {

using testing::awkward_floats;
using testing::Floats;
using testing::normal_floats;
using testing::run_kernel;
using testing::same_everywhere;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Shape {
  int64_t outer, extent, inner;
  int64_t inputs() const { return outer * extent * inner; }
  size_t outputs() const { return static_cast<size_t>(outer * inner); }
  // Element k of output i.
  size_t at(size_t i, int64_t k) const {
    const auto flat = static_cast<int64_t>(i);
    return static_cast<size_t>(flat / inner * extent * inner + k * inner + flat % inner);
  }
};

std::vector<Shape> shapes() {
  std::vector<Shape> list = {{1, 1, 1},     {3, 1, 5}, {1, 100003, 1}, {97, 513, 1}, {1, 331, 331}, {7, 3, 65},
                             {2, 1009, 79}, {0, 5, 1}, {5, 5, 0},      {3, 2, 128},  {35, 50, 1}};
  for (const int64_t n : {2, 7, 15, 16, 17, 33, 48, 50, 63, 64, 65, 127}) {
    list.push_back({3, n, 1});
    list.push_back({2, 5, n});
  }
  return list;
}

template <class Y, class T>
std::vector<Y> reduced(ReduceOp op, const Shape& s, const std::vector<T>& x, const Device& device) {
  std::vector<Y> y(s.outputs());
  run_kernel(device, &Kernels::reduce, {op, dtype_of<T>, s.outer, s.extent, s.inner, x.data(), y.data()});
  return y;
}

TEST(Reduce, SumsInTheDocumentedOrder) {
  for (const Shape& s : shapes()) {
    const Floats x = normal_floats(s.inputs(), 1);
    const Floats y = same_everywhere([&](const Device& d) { return reduced<float>(ReduceOp::sum, s, x, d); });
    for (size_t i = 0; i < y.size(); ++i) {
      const auto term = [&](size_t k) { return x[s.at(i, static_cast<int64_t>(k))]; };
      float expected = 0;
      if (s.inner == 1) {
        expected = reference::lanes_sum<float>(0, static_cast<size_t>(s.extent), term);
      } else {
        for (int64_t k = 0; k < s.extent; ++k) expected += x[s.at(i, k)];
      }
      ASSERT_EQ(y[i], expected) << s.outer << " " << s.extent << " " << s.inner;
    }
  }
}

TEST(Reduce, SumOfNothingIsZero) {
  EXPECT_EQ(same_everywhere([](const Device& d) {
              return reduced<float>(ReduceOp::sum, {3, 0, 1}, Floats{}, d);
            }),
            Floats(3, 0.0f));
  EXPECT_EQ(same_everywhere([](const Device& d) {
              return reduced<float>(ReduceOp::sum, {1, 0, 20}, Floats{}, d);
            }),
            Floats(20, 0.0f));
}

// The place of the extreme: the first NaN, else the first of the best.
template <class T>
int64_t place(bool greatest, const Shape& s, const std::vector<T>& x, size_t i) {
  int64_t best = 0;
  for (int64_t k = 0; k < s.extent; ++k) {
    const T v = x[s.at(i, k)], b = x[s.at(i, best)];
    if (v != v) return k;
    if (greatest ? v > b : v < b) best = k;
  }
  return best;
}

template <class T>
void expect_extremes(const Shape& s, const std::vector<T>& x) {
  for (const Device& device : testing::cpus()) {
    for (const bool greatest : {true, false}) {
      const auto values = reduced<T>(greatest ? ReduceOp::max : ReduceOp::min, s, x, device);
      const auto indices = reduced<int64_t>(greatest ? ReduceOp::argmax : ReduceOp::argmin, s, x, device);
      for (size_t i = 0; i < values.size(); ++i) {
        const int64_t k = place(greatest, s, x, i);
        const T expected = x[s.at(i, k)];
        ASSERT_EQ(indices[i], k) << device.description();
        ASSERT_TRUE(values[i] == expected || (values[i] != values[i] && expected != expected)) << device.description();
      }
    }
  }
}

TEST(Reduce, FindsExtremesAndTheirPlaces) {
  for (const Shape& s : shapes()) {
    Floats x = normal_floats(s.inputs(), 2);
    for (float& v : x) v = std::round(v * 4);  // many equals
    expect_extremes(s, x);
    expect_extremes(s, awkward_floats(s.inputs(), 3));
    expect_extremes(s, std::vector<int32_t>(x.begin(), x.end()));
    expect_extremes(s, std::vector<int64_t>(x.begin(), x.end()));
  }
}

TEST(Reduce, KeepsInfinitiesAndNans) {
  const float infinity = std::numeric_limits<float>::infinity();
  expect_extremes({3, 2, 1}, Floats{-infinity, -infinity, infinity, infinity, kNan, 1});
  expect_extremes({1, 2, 3}, Floats{-infinity, infinity, 1, -infinity, infinity, kNan});
}

TEST(Reduce, IntegerSumsWrap) {
  for (const Device& device : testing::cpus()) {
    const std::vector<int32_t> x = {INT32_MAX, 1, 5, -7, 0, 2};
    EXPECT_EQ((reduced<int32_t>(ReduceOp::sum, {3, 2, 1}, x, device)), (std::vector<int32_t>{INT32_MIN, -2, 2}));
    EXPECT_EQ((reduced<int32_t>(ReduceOp::sum, {1, 3, 2}, x, device)), (std::vector<int32_t>{INT32_MIN + 4, -4}));
    const std::vector<int64_t> z = {INT64_MAX, 1, INT64_MIN, -1};
    EXPECT_EQ((reduced<int64_t>(ReduceOp::sum, {2, 2, 1}, z, device)), (std::vector<int64_t>{INT64_MIN, INT64_MAX}));
  }
}

}  // namespace
}  // namespace tern
