// SPDX-License-Identifier: Apache-2.0
// Sorting, searching and sets of all dtypes against std::stable_sort and naive loops.
#include "tern/sorting.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "support/array_test.h"
#include "support/arrays.h"
#include "support/cpus.h"
#include "support/fails_with.h"
#include "support/gradient_check.h"

namespace tern {
namespace {

using testing::cpu;
using testing::Exact;
using testing::fails_with;
using testing::gradients_agree;
using testing::kInf;
using testing::kNan;
using testing::Numbers;
using testing::numbers;
using testing::real_dtypes;

using Places = std::vector<int64_t>;


// The order that sorting.h promises.
bool comes_first(Exact a, Exact b, bool descending) {
  if (std::isnan(a) || std::isnan(b)) return !std::isnan(a);
  return descending ? a > b : a < b;
}

Places naive_order(const Numbers& x, bool descending) {
  Places order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const Exact left = x[static_cast<size_t>(a)], right = x[static_cast<size_t>(b)];
    return !(std::isnan(left) && std::isnan(right)) && comes_first(left, right, descending);
  });
  return order;
}

// How the numbers of a test lie: few different ones, many, in order or against it, in a corner of their range.
enum class Kind { few, many, rising, falling, near };

Tensor made(Kind kind, int64_t n, DType dtype, uint32_t seed, const Device& device) {
  std::mt19937_64 random(seed);
  std::vector<int64_t> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto place = static_cast<int64_t>(i);
    values[i] = kind == Kind::few       ? static_cast<int64_t>(random() % 7) - 3
                : kind == Kind::many    ? static_cast<int64_t>(random())
                : kind == Kind::rising  ? place
                : kind == Kind::falling ? -place
                                        : static_cast<int64_t>(random() % 1000) + (int64_t{1} << 40);
  }
  const Tensor whole = Tensor::from(values, {n}, device);
  if (!is_float(dtype) || kind != Kind::many) return cast(whole, dtype);
  // Of many sizes and both signs.
  std::vector<double> spread(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    spread[i] = std::ldexp(static_cast<double>(values[i]), -60 - static_cast<int>(random() % 20));
  return cast(Tensor::from(spread, {n}, device), dtype);
}

Numbers taken(const Numbers& x, const Places& places) {
  Numbers out;
  for (const int64_t p : places) out.push_back(x[static_cast<size_t>(p)]);
  return out;
}

void expect_same(const Numbers& got, const Numbers& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_TRUE(got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i])))
        << i << ": " << got[i] << " " << want[i];
  }
}

TEST(Sorting, RowsOfEveryDtype) {
  for (const DType dtype : real_dtypes()) {
    for (const Kind kind : {Kind::few, Kind::many, Kind::rising, Kind::falling, Kind::near}) {
      for (const int64_t n : {0, 1, 2, 3, 39, 40, 41, 127, 1000, 40013}) {
        const Tensor x = made(kind, n, dtype, static_cast<uint32_t>(n + 1), cpu());
        const Numbers values = numbers(x);
        for (const bool descending : {false, true}) {
          SCOPED_TRACE(std::string(name_of(dtype)) + " " + std::to_string(n) + " kind " + std::to_string(int(kind)));
          const Places order = naive_order(values, descending);
          ASSERT_EQ(argsort(x, 0, descending).to_vector<int64_t>(), order);
          expect_same(numbers(sort(x, 0, descending)), taken(values, order));
        }
      }
    }
  }
}

TEST(Sorting, LongRowsOnAnyNumberOfThreads) {
  for (const DType dtype : {DType::f32, DType::f64, DType::i64, DType::u8}) {
    for (const Kind kind : {Kind::few, Kind::many, Kind::rising, Kind::near}) {
      const Numbers values = numbers(made(kind, 100003, dtype, 5, cpu()));
      const Places order = naive_order(values, false);
      for (const int threads : {1, 2, 3}) {
        const Tensor x = made(kind, 100003, dtype, 5, testing::test_device(threads));
        ASSERT_EQ(argsort(x).to_vector<int64_t>(), order) << name_of(dtype);
        expect_same(numbers(sort(x)), taken(values, order));
      }
    }
  }
  const Tensor x = made(Kind::many, 300007, DType::f64, 6, cpu());  // more than a worker's scratch memory holds
  ASSERT_EQ(argsort(x, 0, true).to_vector<int64_t>(), naive_order(numbers(x), true));
}

TEST(Sorting, AnyAxisAndLayout) {
  const Shape shape{3, 4, 5};
  const Tensor x = testing::small_numbers(shape, DType::i32, 3, cpu());
  for (const Tensor& layout : testing::layouts(x)) {
    for (int axis = 0; axis < 3; ++axis) {
      std::vector<bool> set(3);
      set[static_cast<size_t>(axis)] = true;
      const Numbers all = numbers(x), sorted = numbers(sort(layout, axis)), order = numbers(argsort(layout, axis - 3));
      const Tensor top = topk(layout, 2, axis).indices;
      EXPECT_EQ(top.shape()[axis], 2);
      for (const auto& group : testing::groups_of(shape, set)) {
        Numbers row;
        for (const size_t i : group) row.push_back(all[i]);
        const Places places = naive_order(row, false);
        for (size_t k = 0; k < group.size(); ++k) {
          EXPECT_EQ(order[group[k]], Exact(places[k]));
          EXPECT_EQ(sorted[group[k]], row[static_cast<size_t>(places[k])]);
        }
      }
    }
  }
  EXPECT_EQ(sort(Tensor::zeros({3, 0}, DType::f32, cpu()), 0).shape(), (Shape{3, 0}));
}

TEST(Sorting, NansAreLastAndZerosEqual) {
  for (const DType dtype : {DType::f16, DType::bf16, DType::f32, DType::f64}) {
    const Tensor x =
        cast(Tensor::from<double>({kNan, 0.0, -0.0, kInf, -1, -kNan, 0.0, -kInf, -0.0}, {9}, cpu()), dtype);
    EXPECT_EQ(argsort(x).to_vector<int64_t>(), (Places{7, 4, 1, 2, 6, 8, 3, 0, 5}));
    EXPECT_EQ(argsort(x, 0, true).to_vector<int64_t>(), (Places{3, 1, 2, 6, 8, 4, 7, 0, 5}));
    for (const bool descending : {false, true}) {
      const Numbers y = numbers(sort(x, 0, descending));
      EXPECT_TRUE(std::isnan(y[7]) && std::isnan(y[8]));
      const size_t zero = descending ? 1 : 2;
      EXPECT_EQ((std::vector<bool>{std::signbit(y[zero]), std::signbit(y[zero + 1]), std::signbit(y[zero + 2]),
                                   std::signbit(y[zero + 3])}),
                (std::vector<bool>{false, true, false, true}));
    }
  }
}

TEST(Sorting, ComplexNumbersByRealThenImaginary) {
  using C = std::complex<float>;
  const Tensor x = Tensor::from<C>({C(2, 1), C(1, 5), C(2, -1), C(1, 5), C(0, 9)}, {5}, cpu());
  EXPECT_EQ(argsort(x).to_vector<int64_t>(), (Places{4, 1, 3, 2, 0}));
  EXPECT_EQ(sort(x, 0, true).to_vector<C>(), (std::vector<C>{C(2, 1), C(2, -1), C(1, 5), C(1, 5), C(0, 9)}));
}

TEST(Sorting, TopK) {
  const Tensor x = Tensor::from<float>({3, 1, 4, 1, 5}, {5}, cpu());
  EXPECT_EQ(topk(x, 2).values.to_vector<float>(), (std::vector<float>{5, 4}));
  EXPECT_EQ(topk(x, 3, 0, false).indices.to_vector<int64_t>(), (Places{1, 3, 0}));
  EXPECT_TRUE(fails_with("[topk] expected k in [0, 5], got 6", [&] { topk(x, 6); }));
}

TEST(Sorting, SearchesEveryDtype) {
  for (const DType dtype : real_dtypes()) {
    for (const int64_t n : {0, 1, 2, 3, 8, 100}) {
      const Tensor x = made(Kind::few, n, dtype, 4, cpu()), order = argsort(x, 0), sorted = sort(x, 0);
      const Tensor values = reshape(made(Kind::few, 12, dtype, 9, cpu()), {3, 4});
      const Numbers in = numbers(sorted), what = numbers(values);
      Places left, right;
      for (const Exact v : what) {
        left.push_back(std::lower_bound(in.begin(), in.end(), v) - in.begin());
        right.push_back(std::upper_bound(in.begin(), in.end(), v) - in.begin());
      }
      EXPECT_EQ(searchsorted(sorted, values).to_vector<int64_t>(), left);
      EXPECT_EQ(searchsorted(sorted, values, SearchSide::right).to_vector<int64_t>(), right);
      EXPECT_EQ(searchsorted(x, values, SearchSide::left, order).to_vector<int64_t>(), left);
      EXPECT_EQ(searchsorted(x, values).shape(), values.shape());
    }
  }
  const Tensor ends = Tensor::from<double>({-kInf, 0, kInf, kNan}, {4}, cpu());
  EXPECT_EQ(searchsorted(ends, ends).to_vector<int64_t>(), (Places{0, 1, 2, 3}));
  EXPECT_EQ(searchsorted(ends, ends, SearchSide::right).to_vector<int64_t>(), (Places{1, 2, 3, 4}));
}

TEST(Sorting, FindsWhatIsNotZero) {
  for (const DType dtype : real_dtypes()) {
    for (const Shape& shape :
         {Shape{0}, Shape{1}, Shape{9}, Shape{3, 0}, Shape{2, 3, 4}, Shape{10007}, Shape{101, 97}, Shape{5000, 1, 2}}) {
      const Tensor x = testing::small_numbers(shape, dtype, 11, cpu());
      const Numbers all = numbers(x);
      std::vector<Places> want(static_cast<size_t>(shape.rank()));
      for (int64_t flat = 0; flat < x.numel(); ++flat) {
        if (all[static_cast<size_t>(flat)] == 0) continue;
        int64_t rest = flat;
        for (int axis = shape.rank() - 1; axis >= 0; --axis) {
          want[static_cast<size_t>(axis)].push_back(rest % shape[axis]);
          rest /= shape[axis];
        }
      }
      for (const Tensor& layout : testing::layouts(x)) {
        const std::vector<Tensor> found = nonzero(layout);
        for (size_t axis = 0; axis < want.size(); ++axis) ASSERT_EQ(found[axis].to_vector<int64_t>(), want[axis]);
      }
    }
  }
  EXPECT_TRUE(
      fails_with("[nonzero] expected x with at least 1 axes", [] { nonzero(Tensor::zeros({}, DType::f32, cpu())); }));
}

TEST(Sorting, SetsOfEveryDtype) {
  for (const DType dtype : real_dtypes()) {
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{7}, Shape{3, 4}, Shape{50000}}) {
      const Tensor x = testing::small_numbers(shape, dtype, 2, cpu());
      const Numbers all = numbers(x);
      Numbers values = all;
      std::sort(values.begin(), values.end());
      values.erase(std::unique(values.begin(), values.end()), values.end());
      const UniqueAll u = unique_all(x);
      EXPECT_EQ(u.values.dtype(), dtype);
      EXPECT_EQ(numbers(u.values), values);
      EXPECT_EQ(u.inverse_indices.shape(), shape);
      EXPECT_EQ(taken(values, u.inverse_indices.to_vector<int64_t>()), all);
      const Places first = u.indices.to_vector<int64_t>(), counts = u.counts.to_vector<int64_t>();
      ASSERT_EQ(counts.size(), values.size());
      for (size_t i = 0; i < values.size(); ++i) {
        EXPECT_EQ(first[i], std::find(all.begin(), all.end(), values[i]) - all.begin());
        EXPECT_EQ(counts[i], std::count(all.begin(), all.end(), values[i]));
      }
      EXPECT_EQ(numbers(unique_values(x)), values);
      EXPECT_EQ(unique_counts(x).counts.to_vector<int64_t>(), counts);
      EXPECT_EQ(unique_inverse(x).inverse_indices.to_vector<int64_t>(), u.inverse_indices.to_vector<int64_t>());
    }
  }
}

TEST(Sorting, SetsOfWhatIsNoNumber) {
  const UniqueAll u = unique_all(Tensor::from<double>({kNan, -0.0, 1, kNan, 0.0}, {5}, cpu()));
  EXPECT_EQ(u.counts.to_vector<int64_t>(), (Places{2, 1, 1, 1}));
  EXPECT_EQ(u.indices.to_vector<int64_t>(), (Places{1, 2, 0, 3}));
  EXPECT_EQ(u.inverse_indices.to_vector<int64_t>(), (Places{2, 0, 1, 3, 0}));
  using C = std::complex<double>;
  const UniqueAll z = unique_all(Tensor::from<C>({C(1, 2), C(1, 0), C(1, 2), C(kNan, 0), C(kNan, 0)}, {5}, cpu()));
  EXPECT_EQ(z.counts.to_vector<int64_t>(), (Places{1, 2, 1, 1}));
  EXPECT_EQ(z.indices.to_vector<int64_t>(), (Places{1, 0, 3, 4}));
  EXPECT_EQ(unique_values(Tensor::from<C>({C(0, 2), C(0, 2)}, {2}, cpu())).to_vector<C>(), std::vector<C>{C(0, 2)});
}

TEST(Sorting, IsIn) {
  const Tensor x = Tensor::from<int64_t>({1, 2, 3, 4}, {2, 2}, cpu()),
               set = Tensor::from<int64_t>({4, 9, 2}, {3}, cpu());
  EXPECT_EQ(numbers(isin(x, set)), (Numbers{0, 1, 0, 1}));
  EXPECT_EQ(numbers(isin(x, set, true)), (Numbers{1, 0, 1, 0}));
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor f = Tensor::from<float>({nan, 2, -0.0f}, {3}, cpu());
  EXPECT_EQ(numbers(isin(f, Tensor::from<float>({nan, 0}, {2}, cpu()))), (Numbers{0, 0, 1}));
}

TEST(Sorting, SearchesPromote) {
  const Tensor x = Tensor::from<int32_t>({1, 2, 3}, {3}, cpu());
  EXPECT_EQ(searchsorted(x, Tensor::from<double>({1.5, 3}, {2}, cpu())).to_vector<int64_t>(), (Places{1, 2}));
  EXPECT_EQ(numbers(isin(Tensor::from<double>({1.5, 3, kNan}, {3}, cpu()), x)), (Numbers{0, 1, 0}));
}

TEST(Sorting, Errors) {
  const Tensor x = Tensor::zeros({4}, DType::f32, cpu());
  EXPECT_TRUE(fails_with("[sort] expected an axis in [-1, 1), got 1", [&] { sort(x, 1); }));
  EXPECT_TRUE(fails_with("[searchsorted] expected sorted with 1 axes", [&] { searchsorted(reshape(x, {2, 2}), x); }));
  EXPECT_TRUE(fails_with("[searchsorted] expected real dtypes or bool, got f32 and c64",
                         [&] { searchsorted(x, cast(x, DType::c64)); }));
  EXPECT_TRUE(fails_with("[searchsorted] expected sorter in [0, 4), got 4 at [3]", [&] {
    searchsorted(x, x, SearchSide::left, Tensor::from<int64_t>({0, 1, 2, 4}, {4}, cpu()));
  }));
}

TEST(Sorting, Gradients) {
  const Tensor x = Tensor::from<float>({0.5f, -1, 2, 0.25f, 3, -2, 1, 0}, {2, 4}, cpu());
  for (const int axis : {0, 1}) {
    EXPECT_TRUE(gradients_agree([&](const auto& t) { return sort(t[0], axis, axis == 1); }, {x}));
  }
}

}  // namespace
}  // namespace tern
