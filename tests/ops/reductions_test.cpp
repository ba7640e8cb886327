// SPDX-License-Identifier: Apache-2.0
// Reductions of all dtypes against naive loops, over all sets of axes and layouts.
#include "tern/reductions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "support/array_test.h"
#include "support/arrays.h"
#include "support/devices_under_test.h"
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

using Axes = std::vector<int>;

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> list = {{}, {1}, {7}, {3, 5}, {2, 1, 17}, {5, 3, 2, 4}, {0}, {3, 0}, {0, 2, 3}};
  return list;
}

// f(x in one of its layouts, which axes go, the groups of elements) for shapes and sets of axes.
template <class F>
void for_cases(DType dtype, const F& f) {
  for (const Shape& shape : shapes()) {
    const Tensor x = testing::small_numbers(shape, dtype, 7, cpu());
    auto choices = testing::axis_choices(shape.rank());
    if (shape.rank() == 0) choices = {{}};
    for (const auto& set : choices) {
      for (const Tensor& layout : testing::layouts(x)) {
        SCOPED_TRACE(std::string(name_of(dtype)) + " " + to_string(shape));
        f(layout, testing::axes_of(set), testing::groups_of(shape, set));
      }
    }
  }
}

// What reduce makes of every group's elements.
template <class Reduce>
Numbers expected(const Tensor& x, const std::vector<std::vector<size_t>>& groups, const Reduce& reduce) {
  const Numbers all = numbers(x);
  Numbers out;
  for (const auto& group : groups) {
    Numbers elements;
    for (const size_t i : group) elements.push_back(all[i]);
    out.push_back(reduce(elements));
  }
  return out;
}

Exact naive_sum(const Numbers& x) {
  Exact sum = 0;
  for (const Exact v : x) sum += v;
  return sum;
}

Exact naive_prod(const Numbers& x) {
  Exact product = 1;
  for (const Exact v : x) product *= v;
  return product;
}

// Products of up to 120 small integers leave the range of the dtype: compared modulo 2^64 for integers, else not at
// all.
bool comparable(const Numbers& x) {
  for (const Exact v : x) {
    if (std::fabs(v) > 256) return false;
  }
  return true;
}

TEST(Reductions, SumAndProdOfEveryDtype) {
  for (const DType dtype : real_dtypes()) {
    for_cases(dtype, [&](const Tensor& x, const Axes& axes, const auto& groups) {
      const Tensor s = sum(x, axes);
      EXPECT_EQ(s.dtype(), dtype == DType::i32 ? DType::i32 : sum_dtype(dtype));
      EXPECT_EQ(numbers(s), expected(x, groups, naive_sum));
      EXPECT_EQ(numbers(sum(x, axes, true, DType::i64)), numbers(s));
      EXPECT_EQ(sum(x, axes, false, DType::f64).dtype(), DType::f64);
      EXPECT_EQ(numbers(sum(x, axes, false, DType::f64)), numbers(s));
      const Tensor p = prod(x, axes);
      const Numbers product = expected(x, groups, naive_prod);
      EXPECT_EQ(p.dtype(), sum_dtype(dtype));
      if (comparable(product)) {
        EXPECT_EQ(numbers(p), product);
      }
    });
  }
}

TEST(Reductions, ExtremesOfEveryDtype) {
  for (const DType dtype : real_dtypes()) {
    for_cases(dtype, [&](const Tensor& x, const Axes& axes, const auto& groups) {
      if (!groups.empty() && groups[0].empty()) {
        EXPECT_TRUE(fails_with("[max] expected at least one element", [&] { max(x, axes); }));
        return;
      }
      const auto greatest = [](const Numbers& v) { return *std::max_element(v.begin(), v.end()); };
      const auto least = [](const Numbers& v) { return *std::min_element(v.begin(), v.end()); };
      EXPECT_EQ(max(x, axes).dtype(), dtype);
      EXPECT_EQ(numbers(max(x, axes)), expected(x, groups, greatest));
      EXPECT_EQ(numbers(min(x, axes, true)), expected(x, groups, least));
      if (axes.size() != 1) return;
      const auto first = [](const Numbers& v) { return Exact(std::max_element(v.begin(), v.end()) - v.begin()); };
      const auto last = [](const Numbers& v) { return Exact(std::min_element(v.begin(), v.end()) - v.begin()); };
      EXPECT_EQ(argmax(x, axes[0]).dtype(), DType::i64);
      EXPECT_EQ(numbers(argmax(x, axes[0])), expected(x, groups, first));
      EXPECT_EQ(numbers(argmin(x, axes[0], true)), expected(x, groups, last));
    });
  }
}

TEST(Reductions, TruthOfEveryDtype) {
  std::vector<DType> dtypes = real_dtypes();
  dtypes.push_back(DType::c64);
  dtypes.push_back(DType::c128);
  for (const DType dtype : dtypes) {
    for_cases(dtype, [&](const Tensor& x, const Axes& axes, const auto& groups) {
      const auto count = [](const Numbers& v) { return Exact(v.size()) - Exact(std::count(v.begin(), v.end(), 0)); };
      const auto some = [&](const Numbers& v) { return Exact(count(v) > 0); };
      const auto every = [&](const Numbers& v) { return Exact(count(v) == Exact(v.size())); };
      EXPECT_EQ(numbers(count_nonzero(x, axes)), expected(x, groups, count));
      EXPECT_EQ(any(x, axes, true).dtype(), DType::boolean);
      EXPECT_EQ(numbers(any(x, axes, true)), expected(x, groups, some));
      EXPECT_EQ(numbers(all(x, axes)), expected(x, groups, every));
    });
  }
}

TEST(Reductions, TruthOfWhatIsNoNumber) {
  using C = std::complex<double>;
  const Tensor x = Tensor::from<double>({kNan, -0.0, kInf, 0.0}, {4}, cpu());
  const Tensor z = Tensor::from<C>({C(0, 1), C(0, -0.0), C(kNan, 0)}, {3}, cpu());
  EXPECT_EQ(count_nonzero(x).item(), 2);
  EXPECT_EQ(count_nonzero(cast(x, DType::f16)).item(), 2);
  EXPECT_EQ(count_nonzero(z).item(), 2);
  EXPECT_EQ(all(slice(x, 0, 0, 4, 2)).item(), 1);
  EXPECT_EQ(any(slice(x, 0, 1, 4, 2)).item(), 0);
}

TEST(Reductions, MeansOfEveryDtype) {
  for (const DType dtype : real_dtypes()) {
    for_cases(dtype, [&](const Tensor& x, const Axes& axes, const auto& groups) {
      const Tensor y = mean(x, axes);
      const DType expected_dtype = is_float(dtype) ? dtype : DType::f32;
      EXPECT_EQ(y.dtype(), expected_dtype);
      // Sums of small integers are exact; what is left is one division, and one rounding to the dtype.
      const double epsilon = dtype == DType::bf16  ? 0x1p-8
                             : dtype == DType::f16 ? 0x1p-11
                             : dtype == DType::f64 ? 0x1p-53
                                                   : 0x1p-24;
      const Numbers want = expected(x, groups, [](const Numbers& v) { return naive_sum(v) / Exact(v.size()); });
      const Numbers got = numbers(y);
      ASSERT_EQ(got.size(), want.size());
      for (size_t i = 0; i < got.size(); ++i) {
        if (groups[i].empty()) {
          EXPECT_TRUE(std::isnan(got[i]));
        } else {
          EXPECT_LE(std::fabs(got[i] - want[i]), Exact(2.01 * epsilon) * std::fabs(want[i]));
        }
      }
    });
  }
}

TEST(Reductions, IntegersWrapAndConvertFirst) {
  const Tensor bytes = Tensor::from<uint8_t>({200, 100, 3}, {3}, cpu());
  EXPECT_EQ(sum(bytes).dtype(), DType::u64);
  EXPECT_EQ(sum(bytes).item(), 303);
  EXPECT_EQ(sum(bytes, {}, false, DType::u8).item(), 303 - 256);
  EXPECT_EQ(prod(bytes, {}, false, DType::i16).item(), 60000 - 65536);
  EXPECT_EQ(sum(Tensor::from<double>({1.75, -2.75}, {2}, cpu()), {}, false, DType::i32).item(), -1);
  const int64_t big = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(sum(Tensor::from<int64_t>({big, 1}, {2}, cpu())).to_vector<int64_t>()[0],
            std::numeric_limits<int64_t>::min());
  EXPECT_EQ(prod(Tensor::from<uint64_t>({uint64_t{1} << 63, 3}, {2}, cpu())).to_vector<uint64_t>()[0],
            uint64_t{1} << 63);
  EXPECT_EQ(mean(Tensor::from<int64_t>({-3, -4}, {2}, cpu())).item(), -3.5);
}

TEST(Reductions, ComplexSumsAndProducts) {
  using C = std::complex<double>;
  for (const int64_t n : {0, 1, 2, 15, 16, 17, 1000, 1025, 70001}) {
    std::vector<C> values;
    C total = 0;
    for (int64_t i = 0; i < n; ++i) {
      values.emplace_back(double(i % 7 - 3), double(i % 5 - 2));
      total += values.back();
    }
    for (const Shape& shape : {Shape{n}, Shape{n, 1}, Shape{1, n}}) {
      const Tensor x = Tensor::from(values, shape, cpu());
      EXPECT_EQ(sum(x).to_vector<C>()[0], total);  // small integers: exact
      EXPECT_EQ(cast(sum(cast(x, DType::c64)), DType::c128).to_vector<C>()[0], total);
    }
    if (n == 0) continue;
    const Tensor two = expand(Tensor::from(values, {n, 1}, cpu()), {n, 3});
    EXPECT_EQ(sum(two, Axes{0}).to_vector<C>(), std::vector<C>(3, total));
    const C got = mean(two).to_vector<C>()[0], want = total / double(n);
    EXPECT_LE(std::abs(got - want), 0x1p-50 * (1 + std::abs(want)));
  }
  const std::vector<C> few = {C(1, 2), C(-3, 1), C(0, 2), C(2, -1)};
  const C product = few[0] * few[1] * few[2] * few[3];
  EXPECT_EQ(prod(Tensor::from(few, {4}, cpu())).to_vector<C>()[0], product);
  EXPECT_EQ(prod(Tensor::from(few, {2, 2}, cpu()), Axes{0}).to_vector<C>(),
            (std::vector<C>{few[0] * few[2], few[1] * few[3]}));
}

// The sum of x, `parts` numbers an element, in the order `blocks` of ArrayReduceArgs, by plain loops.
template <class T>
std::vector<T> sum_in_blocks(const T* x, size_t count, size_t parts) {
  constexpr size_t kLanes = 256 / sizeof(T);
  const size_t block = parts * 1024;
  struct Run {
    std::vector<T> sum;
    size_t blocks;
  };
  std::vector<Run> runs;
  const auto meet = [&] {
    const Run last = runs.back();
    runs.pop_back();
    for (size_t i = 0; i < parts; ++i) runs.back().sum[i] += last.sum[i];
    runs.back().blocks += last.blocks;
  };
  for (size_t begin = 0; begin < count; begin += block) {
    std::vector<T> lanes(kLanes, T{0});
    for (size_t k = begin; k < std::min(begin + block, count); ++k) lanes[(k - begin) % kLanes] += x[k];
    for (size_t half = kLanes / 2; half >= parts; half /= 2) {
      for (size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    }
    lanes.resize(parts);
    runs.push_back({lanes, 1});
    while (runs.size() > 1 && runs[runs.size() - 2].blocks == runs.back().blocks) meet();
  }
  while (runs.size() > 1) meet();
  return runs.front().sum;
}

// Those bits, of what the first-level cache holds, the second or none.
TEST(Reductions, SumsInTheOrderOfBlocks) {
  for (const int64_t n : {1, 63, 65, 1023, 1024, 1025, 16385, 70001, 700003}) {
    std::vector<float> x;
    for (int64_t i = 0; i < 2 * n; ++i)
      x.push_back(static_cast<float>((i * 7919 % 1009 - 504) * std::exp2(i % 23 - 20)));
    const std::vector<double> wide(x.begin(), x.end());
    const size_t count = static_cast<size_t>(n);
    for (const Device& device : testing::devices_under_test()) {
      SCOPED_TRACE(std::to_string(n) + " " + device.description());
      const Tensor floats = Tensor::from(x, {2 * n}, device), doubles = Tensor::from(wide, {2 * n}, device);
      for (const int64_t from : {0, 1}) {  // on a cache line, and not
        const size_t at = static_cast<size_t>(from);
        if (n >= 65536) {  // shorter ones are models' sums
          EXPECT_EQ(sum(slice(floats, 0, from, from + n)).to_vector<float>(), sum_in_blocks(x.data() + at, count, 1));
        }
        EXPECT_EQ(sum(slice(doubles, 0, from, from + n)).to_vector<double>(),
                  sum_in_blocks(wide.data() + at, count, 1));
      }
      std::vector<std::complex<float>> pairs;
      for (size_t i = 0; i < x.size(); i += 2) pairs.emplace_back(x[i], x[i + 1]);
      const std::vector<float> want = sum_in_blocks(x.data(), x.size(), 2);
      EXPECT_EQ(sum(Tensor::from(pairs, {n}, device)).to_vector<std::complex<float>>()[0],
                std::complex<float>(want[0], want[1]));
      const Tensor rows = sum(reshape(slice(doubles, 0, 0, 2 * n / 50 * 50), {2 * n / 50, 50}), Axes{1});
      const std::vector<double> of_rows = rows.to_vector<double>();
      for (size_t row = 0; row < of_rows.size(); ++row) {
        ASSERT_EQ(of_rows[row], sum_in_blocks(wide.data() + 50 * row, 50, 1)[0]) << row;
      }
    }
  }
}

// A NaN anywhere, of vectors and of columns, and where an extreme is the end of the range.
TEST(Reductions, NanWinsAndEndsCount) {
  for (const int64_t n : {1, 5, 31, 32, 33, 1023, 1025, 4099}) {
    for (const int64_t at : {int64_t{0}, n / 2, n - 1}) {
      for (const Shape& shape : {Shape{n, 1}, Shape{n, 3}}) {
        std::vector<double> values(static_cast<size_t>(shape.numel()), 2.0);
        for (int64_t j = 0; j < shape[1]; ++j) values[static_cast<size_t>(at * shape[1] + j)] = kNan;
        values[0] = at == 0 ? kNan : kInf;
        const Tensor x = Tensor::from(values, shape, cpu());
        EXPECT_TRUE(std::isnan(select(max(x, 0), 0, 0).item()));
        EXPECT_TRUE(std::isnan(select(min(x, 0), 0, 0).item()));
        EXPECT_EQ(select(argmax(x, 0), 0, 0).item(), static_cast<double>(at));
        EXPECT_EQ(select(argmin(x, 0), 0, shape[1] - 1).item(), static_cast<double>(at));
      }
    }
    const Tensor lowest = Tensor::full({n}, -kInf, DType::f64, cpu());
    EXPECT_EQ(max(lowest).item(), -kInf);
    EXPECT_EQ(argmax(lowest, 0).item(), 0);
    EXPECT_EQ(argmin(Tensor::from(std::vector<int8_t>(static_cast<size_t>(n), 127), {n}, cpu()), 0).item(), 0);
  }
}

// In any lane of whole blocks, of both floats, and beside infinities and zeros of both signs, whose first one counts.
TEST(Reductions, NanInAnyLane) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (int64_t at = 0; at < 2048; at += at < 130 ? 1 : 61) {
      std::vector<double> values(2048, -0.0);
      for (size_t i = 1; i < values.size(); i += 3) values[i] = i % 2 == 0 ? 0.0 : -1.0;
      values[static_cast<size_t>((at + 700) % 2048)] = kInf;
      values[static_cast<size_t>((at + 900) % 2048)] = -kInf;
      const auto tensor = [&] { return cast(Tensor::from(values, {2048}, cpu()), dtype); };
      EXPECT_EQ(max(tensor()).item(), kInf);
      EXPECT_EQ(min(tensor()).item(), -kInf);
      values[static_cast<size_t>(at)] = kNan;
      const Tensor x = tensor();
      EXPECT_TRUE(std::isnan(max(x).item()));
      EXPECT_TRUE(std::isnan(min(x).item()));
      EXPECT_EQ(argmax(x, 0).item(), static_cast<double>(at));
      EXPECT_EQ(argmin(x, 0).item(), static_cast<double>(at));
    }
    std::vector<double> zeros(1024, -0.0);
    zeros[500] = 0.0;
    EXPECT_TRUE(std::signbit(max(cast(Tensor::from(zeros, {1024}, cpu()), dtype)).item()));
  }
}

TEST(Reductions, LargeOnesAreShared) {
  std::vector<double> values(300007);
  for (size_t i = 0; i < values.size(); ++i) values[i] = double(i * 37 % 1001) - 400;
  values[123456] = 5000;
  Exact total = 0;
  for (const double v : values) total += v;
  const Tensor x = Tensor::from(values, {300007}, cpu());
  for (const DType dtype : {DType::f32, DType::f64, DType::i16, DType::i32, DType::i64}) {
    const Tensor y = cast(x, dtype);
    EXPECT_EQ(sum(y, {}, false, DType::i64).item(), double(total));
    EXPECT_EQ(argmax(y, 0).item(), 123456);
    EXPECT_EQ(max(y).item(), 5000);
    EXPECT_EQ(count_nonzero(y).item(), double(values.size()) - double(std::count(values.begin(), values.end(), 0.0)));
  }
}

// Squares of distances of up to 120 small numbers, in f64: what is left is the rounding to the dtype, twice in halves.
TEST(Reductions, VariancesOfEveryDtype) {
  for (const DType dtype : real_dtypes()) {
    for_cases(dtype, [&](const Tensor& x, const Axes& axes, const auto& groups) {
      const double epsilon = dtype == DType::bf16  ? 0x1p-8
                             : dtype == DType::f16 ? 0x1p-11
                             : dtype == DType::f64 ? 0x1p-48
                                                   : 0x1p-23;
      const Numbers want = expected(x, groups, [](const Numbers& v) {
        const Exact middle = naive_sum(v) / Exact(v.size());
        Exact squares = 0;
        for (const Exact e : v) squares += (e - middle) * (e - middle);
        return squares / (Exact(v.size()) - 1);
      });
      const Tensor y = var(x, axes, 1);
      EXPECT_EQ(y.dtype(), is_float(dtype) ? dtype : DType::f32);
      const Numbers got = numbers(y);
      ASSERT_EQ(got.size(), want.size());
      for (size_t i = 0; i < got.size(); ++i) {
        if (groups[i].size() < 2) {
          EXPECT_TRUE(std::isnan(got[i]));
        } else {
          EXPECT_LE(std::fabs(got[i] - want[i]), Exact(2 * epsilon) * want[i]);
        }
      }
    });
  }
}

// Where the numbers are far from 0, and the textbook's difference of squares would leave nothing.
TEST(Reductions, VarianceFarFromZero) {
  std::vector<double> values(10001);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1e9 + double(i % 3);
  EXPECT_NEAR(var(Tensor::from(values, {10001}, cpu())).item(), 2.0 / 3, 1e-4);
  const Tensor narrow = cast(Tensor::from(values, {10001}, cpu()), DType::f32);
  EXPECT_EQ(var(narrow).item(), 0);  // all the same in f32
}

TEST(Reductions, StdAndLogsumexp) {
  const Tensor x = Tensor::from<float>({1, 2, 3, 4}, {2, 2}, cpu());
  EXPECT_FLOAT_EQ(static_cast<float>(std(x).item()), std::sqrt(1.25f));
  EXPECT_EQ(std(x, Axes{1}, 1, true).shape(), (Shape{2, 1}));
  EXPECT_NEAR(logsumexp(x).item(), std::log(std::exp(1) + std::exp(2) + std::exp(3) + std::exp(4)), 1e-6);
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor ends = Tensor::from<float>({-inf, -inf, inf, 1, 1000, 1000}, {3, 2}, cpu());
  const std::vector<float> y = logsumexp(ends, Axes{1}).to_vector<float>();
  EXPECT_EQ(y[0], -inf);
  EXPECT_EQ(y[1], inf);
  EXPECT_FLOAT_EQ(y[2], 1000 + std::log(2.0f));
  EXPECT_NEAR(logsumexp(cast(x, DType::f64)).item(), 4.4401896985611953, 1e-14);
  EXPECT_EQ(std(cast(x, DType::f64)).item(), std::sqrt(1.25));
  EXPECT_EQ(logsumexp(Tensor::zeros({0, 2}, DType::f32, cpu()), Axes{0}).to_vector<float>(),
            (std::vector<float>{-inf, -inf}));
}

TEST(Reductions, RunningSumsAndProductsOfEveryDtype) {
  for (const DType dtype : real_dtypes()) {
    for_cases(dtype, [&](const Tensor& x, const Axes& axes, const auto& groups) {
      if (axes.size() != 1) return;
      const Numbers all = numbers(x);
      for (const bool initial : {false, true}) {
        const Tensor s = cumulative_sum(x, axes[0], {}, initial), p = cumulative_prod(x, axes[0], {}, initial);
        EXPECT_EQ(s.dtype(), sum_dtype(dtype));
        const auto out = testing::groups_of(s.shape(), [&] {
          std::vector<bool> set(static_cast<size_t>(x.rank()));
          set[static_cast<size_t>(axes[0])] = true;
          return set;
        }());
        const Numbers sums = numbers(s), products = numbers(p);
        for (size_t g = 0; g < groups.size(); ++g) {
          Exact running = 0, product = 1;
          for (size_t k = 0; k < out[g].size(); ++k) {
            if (!initial || k > 0) {
              running += all[groups[g][k - (initial ? 1 : 0)]];
              product *= all[groups[g][k - (initial ? 1 : 0)]];
            }
            EXPECT_EQ(sums[out[g][k]], running);
            if (std::fabs(product) <= 256) {
              EXPECT_EQ(products[out[g][k]], product) << name_of(dtype);
            }
          }
        }
      }
    });
  }
  EXPECT_EQ(cumulative_sum(Tensor::from<uint8_t>({200, 100}, {2}, cpu()), 0, DType::u8).to_vector<uint8_t>(),
            (std::vector<uint8_t>{200, 44}));
}

// Blocks of 1024 by plain loops, whose bits they are on any number of threads.
TEST(Reductions, RunningSumsOfLongRows) {
  for (const int64_t n : {1023, 1024, 1025, 2048, 4095, 4097, 9001, 70001}) {
    std::vector<float> x;
    for (int64_t i = 0; i < 3 * n; ++i) x.push_back(static_cast<float>((i * 7919 % 1009) * std::exp2(i % 23 - 20)));
    std::vector<float> expected = {};
    for (size_t row = 0; row < x.size(); row += static_cast<size_t>(n)) {
      float before = 0, within = 0;
      for (size_t k = 0; k < static_cast<size_t>(n); ++k) {
        if (k % 1024 == 0 && k > 0) before = expected.back();
        within = k % 1024 == 0 ? x[row + k] : within + x[row + k];
        expected.push_back(k < 1024 ? within : before + within);
      }
    }
    for (const Device& device : testing::devices_under_test()) {
      const Tensor rows = Tensor::from(x, {3, n}, device);
      EXPECT_EQ(cumulative_sum(rows, 1).to_vector<float>(), expected) << n << device.description();
      const std::vector<float> one = cumulative_sum(select(rows, 0, 1), 0, {}, true).to_vector<float>();
      EXPECT_EQ(one[0], 0);
      EXPECT_TRUE(std::equal(one.begin() + 1, one.end(), expected.begin() + n)) << n << device.description();
      EXPECT_TRUE(std::is_sorted(one.begin(), one.end()));
    }
  }
}

TEST(Reductions, Differences) {
  const Tensor x = Tensor::from<int32_t>({1, 4, 9, 16, 30, 2}, {2, 3}, cpu());
  EXPECT_EQ(diff(x).to_vector<int32_t>(), (std::vector<int32_t>{3, 5, 14, -28}));
  EXPECT_EQ(diff(x, 0).to_vector<int32_t>(), (std::vector<int32_t>{15, 26, -7}));
  EXPECT_EQ(diff(x, -1, 2).to_vector<int32_t>(), (std::vector<int32_t>{2, -42}));
  EXPECT_EQ(diff(x, -1, 9).shape(), (Shape{2, 0}));
  EXPECT_EQ(diff(cast(x, DType::u8)).to_vector<uint8_t>(), (std::vector<uint8_t>{3, 5, 14, 228}));
  EXPECT_EQ(diff(x, 1, 1, Tensor::zeros({2, 1}, DType::i32, cpu())).to_vector<int32_t>(),
            (std::vector<int32_t>{1, 3, 5, 16, 14, -28}));
  EXPECT_TRUE(fails_with("[diff] expected n of 0 or more, got -1", [&] { diff(x, 0, -1); }));
}

TEST(Reductions, Errors) {
  const Tensor z = Tensor::zeros({2}, DType::c64, cpu());
  EXPECT_TRUE(fails_with("[max] expected x of a real dtype or bool, got c64", [&] { max(z); }));
  EXPECT_TRUE(fails_with("[argmin] expected x of a real dtype or bool, got c64", [&] { argmin(z, 0); }));
  EXPECT_TRUE(fails_with("[prod] expected each axis once, got axis 0 twice", [&] { prod(z, Axes{0, 0}); }));
  EXPECT_TRUE(fails_with("[any] expected an axis in [-1, 1), got 1", [&] { any(z, Axes{1}); }));
  EXPECT_TRUE(fails_with("[sum] expected a dtype of numbers, got bool", [&] { sum(z, {}, false, DType::boolean); }));
  EXPECT_TRUE(fails_with("[all] expected x to be defined", [&] { all(Tensor()); }));
}

Tensor uneven(const Shape& shape) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.numel(); ++i) values.push_back(0.25f * static_cast<float>(i * 7 % 11) - 1.1f);
  return Tensor::from(values, shape, cpu());
}

TEST(Reductions, Gradients) {
  EXPECT_TRUE(gradients_agree([](const auto& x) { return max(x[0], Axes{0, 2}); }, {uneven({2, 1, 3})}));
  EXPECT_TRUE(gradients_agree([](const auto& x) { return min(x[0]); }, {uneven({5})}));
  EXPECT_TRUE(gradients_agree([](const auto& x) { return prod(x[0], Axes{1}); }, {uneven({3, 4})}));
  EXPECT_TRUE(gradients_agree([](const auto& x) { return prod(x[0], Axes{0, 2}); }, {uneven({2, 2, 2})}));
  EXPECT_TRUE(gradients_agree([](const auto& x) { return var(x[0], Axes{0}, 1); }, {uneven({5, 2})}));
  EXPECT_TRUE(gradients_agree([](const auto& x) { return std(x[0], Axes{0, 2}, 0.5, true); }, {uneven({3, 2, 2})}));
  EXPECT_TRUE(gradients_agree([](const auto& x) { return logsumexp(x[0], Axes{1}); }, {uneven({3, 4})}));
  for (const bool initial : {false, true}) {
    const auto sums = [&](const auto& x) { return cumulative_sum(x[0], 1, {}, initial); };
    const auto products = [&](const auto& x) { return cumulative_prod(x[0], 0, {}, initial); };
    EXPECT_TRUE(gradients_agree(sums, {uneven({2, 5, 3})}));
    EXPECT_TRUE(gradients_agree(products, {uneven({5, 3})}));
  }
}

// One zero, two, and one at either end: where a quotient would be 0 / 0.
TEST(Reductions, GradientsOfProductsWithZeros) {
  for (const std::vector<float>& row : {std::vector<float>{2, 0, 3, -1}, {0, 2, 0, 3}, {2, 3, 5, 0}, {0, 0, 1, 2}}) {
    const Tensor x = Tensor::from(row, {4}, cpu());
    EXPECT_TRUE(gradients_agree([](const auto& t) { return cumulative_prod(t[0], 0); }, {x}));
    const Tensor leaf = clone(x).set_requires_grad();
    backward(prod(leaf));
    std::vector<float> others;
    for (size_t i = 0; i < 4; ++i) {
      float product = 1;
      for (size_t k = 0; k < 4; ++k) product *= k == i ? 1 : row[k];
      others.push_back(product);
    }
    EXPECT_EQ(leaf.grad().to_vector<float>(), others);
  }
}

TEST(Reductions, GradientsOfHalvesAndConversions) {
  const Tensor x = cast(Tensor::from<float>({1, 2, 4}, {3}, cpu()), DType::bf16).set_requires_grad();
  backward(cast(prod(x), DType::f32));
  EXPECT_EQ(x.grad().to_vector<float>(), (std::vector<float>{8, 4, 2}));
  const Tensor y = Tensor::from<float>({1, 2, 4}, {3}, cpu()).set_requires_grad();
  backward(cast(sum(y, {}, false, DType::f16), DType::f32));
  backward(cast(cumulative_sum(y, 0, DType::bf16), DType::f32), Tensor::from<float>({1, 1, 1}, {3}, cpu()));
  EXPECT_EQ(y.grad().to_vector<float>(), (std::vector<float>{4, 3, 2}));
}

}  // namespace
}  // namespace tern
