// SPDX-License-Identifier: Apache-2.0
// binary, compare and select over every way in which operands broadcast.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/awkward.h"
#include "support/reference_pointwise.h"
#include "support/strided.h"

namespace tern {
namespace {

using testing::awkward_floats;
using testing::Axes;
using testing::count_of;
using testing::dims;
using testing::Floats;
using testing::offset_of;
using testing::run_kernel;
using testing::same_everywhere;

struct Layout {
  Axes shape, a, b;
};

// Dense, scalars, row and column vectors, transpositions, steps, a middle axis that broadcasts, empty.
std::vector<Layout> layouts() {
  std::vector<Layout> list;
  for (const int64_t n : {0, 1, 2, 7, 15, 16, 17, 63, 64, 65, 127, 1009}) {
    list.push_back({{n}, {1}, {1}});
    list.push_back({{n}, {1}, {0}});
    list.push_back({{n}, {0}, {1}});
    list.push_back({{n}, {0}, {0}});
    list.push_back({{n}, {2}, {1}});
    list.push_back({{n}, {1}, {3}});
    list.push_back({{5, n}, {n, 1}, {0, 1}});
    list.push_back({{n, 5}, {5, 1}, {1, 0}});
    list.push_back({{n, 17}, {1, n}, {17, 1}});
  }
  list.push_back({{3, 4, 18}, {72, 18, 1}, {18, 0, 1}});
  list.push_back({{2, 3, 4, 5}, {60, 20, 5, 1}, {0, 1, 0, 3}});
  list.push_back({{313, 331}, {331, 1}, {0, 1}});
  list.push_back({{313, 331}, {1, 313}, {1, 0}});
  list.push_back({{100003}, {1}, {1}});
  return list;
}

template <class T, class U = T>
std::vector<U> converted(const Floats& x) {
  std::vector<U> y;
  for (const float v : x) y.push_back(reference::saturated<T>(static_cast<double>(v)));
  return y;
}

double minimum(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : a < b ? a : b; }
double maximum(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : a > b ? a : b; }

double binary_of(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add:
      return a + b;
    case BinaryOp::sub:
      return a - b;
    case BinaryOp::mul:
      return a * b;
    case BinaryOp::div:
      return a / b;
    case BinaryOp::minimum:
      return minimum(a, b);
    case BinaryOp::maximum:
      return maximum(a, b);
  }
  return NAN;
}

constexpr BinaryOp kBinaryOps[] = {BinaryOp::add, BinaryOp::sub,     BinaryOp::mul,
                                   BinaryOp::div, BinaryOp::minimum, BinaryOp::maximum};

TEST(Binary, AgreesWithDoubleOnEveryLayout) {
  for (const Layout& l : layouts()) {
    const Floats a = awkward_floats(testing::span_of(l.shape, l.a), 3);
    const Floats b = awkward_floats(testing::span_of(l.shape, l.b), 4);
    for (const BinaryOp op : kBinaryOps) {
      const Floats y = same_everywhere([&](const Device& device) {
        Floats out(static_cast<size_t>(count_of(l.shape)));
        run_kernel(device, &Kernels::binary,
                   {op, DType::f32, dims(l.shape), {a.data(), dims(l.a)}, {b.data(), dims(l.b)}, out.data()});
        return out;
      });
      for (size_t i = 0; i < y.size(); ++i) {
        const auto flat = static_cast<int64_t>(i);
        const float left = a[offset_of(l.shape, l.a, flat)], right = b[offset_of(l.shape, l.b, flat)];
        // One double operation then rounding to f32 rounds correctly, since 53 >= 2·24 + 2.
        ASSERT_LE(reference::ulps(y[i], binary_of(op, left, right)), 0.5)
            << left << " op " << right << " gave " << y[i];
      }
    }
  }
}

TEST(Binary, MayBeInPlace) {
  const Floats a = awkward_floats(65, 5), b = awkward_floats(65, 6);
  const Floats y = same_everywhere([&](const Device& device) {
    Floats out = a;
    run_kernel(device, &Kernels::binary,
               {BinaryOp::sub, DType::f32, dims({65}), {out.data(), dims({1})}, {b.data(), dims({1})}, out.data()});
    return out;
  });
  for (size_t i = 0; i < y.size(); ++i) EXPECT_LE(reference::ulps(y[i], binary_of(BinaryOp::sub, a[i], b[i])), 0.5);
}

template <class T>
std::vector<T> integers(BinaryOp op, const std::vector<T>& a, const std::vector<T>& b, const Device& device) {
  std::vector<T> y(a.size());
  const auto n = static_cast<int64_t>(a.size());
  run_kernel(device, &Kernels::binary,
             {op, dtype_of<T>, dims({n}), {a.data(), dims({1})}, {b.data(), dims({1})}, y.data()});
  return y;
}

template <class T>
void expect_integers_wrap() {
  constexpr T kLeast = std::numeric_limits<T>::min(), kGreatest = std::numeric_limits<T>::max();
  const std::vector<T> a = {7, -7, kLeast, kGreatest, kLeast, 0}, b = {2, 2, -1, 1, kLeast, -5};
  for (const Device& device : testing::cpus()) {
    EXPECT_EQ(integers(BinaryOp::add, a, b, device), (std::vector<T>{9, -5, kGreatest, kLeast, 0, -5}));
    EXPECT_EQ(integers(BinaryOp::sub, a, b, device), (std::vector<T>{5, -9, -kGreatest, kGreatest - 1, 0, 5}));
    EXPECT_EQ(integers(BinaryOp::mul, a, b, device), (std::vector<T>{14, -14, kLeast, kGreatest, 0, 0}));
    EXPECT_EQ(integers(BinaryOp::div, a, b, device), (std::vector<T>{3, -3, kLeast, kGreatest, 1, 0}));
    EXPECT_EQ(integers(BinaryOp::minimum, a, b, device), (std::vector<T>{2, -7, kLeast, 1, kLeast, -5}));
    EXPECT_EQ(integers(BinaryOp::maximum, a, b, device), (std::vector<T>{7, 2, -1, kGreatest, kLeast, 0}));
  }
}

TEST(Binary, IntegersWrapAndDivideTowardZero) {
  expect_integers_wrap<int32_t>();
  expect_integers_wrap<int64_t>();
}

bool compare_of(CompareOp op, double a, double b) {
  switch (op) {
    case CompareOp::eq:
      return a == b;
    case CompareOp::ne:
      return a != b;
    case CompareOp::lt:
      return a < b;
    case CompareOp::le:
      return a <= b;
    case CompareOp::gt:
      return a > b;
    case CompareOp::ge:
      return a >= b;
  }
  return false;
}

constexpr CompareOp kCompareOps[] = {CompareOp::eq, CompareOp::ne, CompareOp::lt,
                                     CompareOp::le, CompareOp::gt, CompareOp::ge};

template <class T>
void expect_comparisons(const Layout& l, const std::vector<T>& a, const std::vector<T>& b) {
  for (const Device& device : testing::cpus()) {
    for (const CompareOp op : kCompareOps) {
      std::vector<uint8_t> y(static_cast<size_t>(count_of(l.shape)), 7);
      run_kernel(device, &Kernels::compare,
                 {op, dtype_of<T>, dims(l.shape), {a.data(), dims(l.a)}, {b.data(), dims(l.b)}, y.data()});
      for (size_t i = 0; i < y.size(); ++i) {
        const auto flat = static_cast<int64_t>(i);
        const T left = a[offset_of(l.shape, l.a, flat)], right = b[offset_of(l.shape, l.b, flat)];
        ASSERT_EQ(y[i], compare_of(op, static_cast<double>(left), static_cast<double>(right)))
            << left << " and " << right << " on " << device.description();
      }
    }
  }
}

TEST(Compare, AgreesOnEveryLayout) {
  for (const Layout& l : layouts()) {
    const Floats a = awkward_floats(testing::span_of(l.shape, l.a), 7);
    const Floats b = awkward_floats(testing::span_of(l.shape, l.b), 8);
    if (count_of(l.shape) > 20000) continue;
    expect_comparisons<float>(l, a, b);
    expect_comparisons<int32_t>(l, converted<int8_t, int32_t>(a), converted<int8_t, int32_t>(b));
    expect_comparisons<int64_t>(l, converted<int8_t, int64_t>(a), converted<int8_t, int64_t>(b));
  }
}

template <class T>
void expect_selection(const Layout& l, const std::vector<T>& a, const std::vector<T>& b) {
  // The condition broadcasts like a, or lies densely.
  for (const Axes& strides : {l.a, testing::dense_strides(l.shape)}) {
    std::vector<uint8_t> condition(static_cast<size_t>(testing::span_of(l.shape, strides)));
    for (size_t i = 0; i < condition.size(); ++i) condition[i] = i % 3 == 0;
    for (const Device& device : testing::cpus()) {
      std::vector<T> y(static_cast<size_t>(count_of(l.shape)));
      run_kernel(device, &Kernels::select,
                 {dtype_of<T>,
                  dims(l.shape),
                  {condition.data(), dims(strides)},
                  {a.data(), dims(l.a)},
                  {b.data(), dims(l.b)},
                  y.data()});
      for (size_t i = 0; i < y.size(); ++i) {
        const auto flat = static_cast<int64_t>(i);
        const bool first = condition[offset_of(l.shape, strides, flat)] != 0;
        const T expected = first ? a[offset_of(l.shape, l.a, flat)] : b[offset_of(l.shape, l.b, flat)];
        ASSERT_EQ(std::memcmp(&y[i], &expected, sizeof(T)), 0) << device.description();
      }
    }
  }
}

TEST(Select, AgreesOnEveryLayout) {
  for (const Layout& l : layouts()) {
    const Floats a = awkward_floats(testing::span_of(l.shape, l.a), 9);
    const Floats b = awkward_floats(testing::span_of(l.shape, l.b), 10);
    if (count_of(l.shape) > 20000) continue;
    expect_selection<float>(l, a, b);
    expect_selection<int32_t>(l, converted<int32_t>(a), converted<int32_t>(b));
    expect_selection<int64_t>(l, converted<int64_t>(a), converted<int64_t>(b));
  }
}

}  // namespace
}  // namespace tern
