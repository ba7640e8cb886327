// SPDX-License-Identifier: Apache-2.0
// Functions of elements over any layout, in place, with numbers, clipped and cast.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "support/array_tensors.h"
#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/elementwise.h"

namespace tern {
namespace {

using testing::awkward_tensor;
using testing::fails_with;
using testing::holds;
using testing::Numbers;
using testing::numbers_of;
using testing::same_tensor;

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

// Views of [5, 7] with all kinds of strides.
std::vector<Tensor> views(DType dtype, uint32_t seed) {
  const Tensor x = awkward_tensor(dtype, {5, 7}, seed, cpu());
  const std::vector<int> order = {1, 0};
  return {x,
          transpose(awkward_tensor(dtype, {7, 5}, seed, cpu())),
          slice(awkward_tensor(dtype, {5, 22}, seed, cpu()), 1, 1, 22, 3),
          slice(slice(awkward_tensor(dtype, {5, 7}, seed, cpu()), 0, 4, -6, -1), 1, 6, -8, -1),
          expand(awkward_tensor(dtype, {7}, seed, cpu()), {5, 7}),
          expand(awkward_tensor(dtype, {5, 1}, seed, cpu()), {5, 7}),
          expand(awkward_tensor(dtype, {}, seed, cpu()), {5, 7}),
          slice(awkward_tensor(dtype, {9, 7}, seed, cpu()), 0, 2, 7)};
}

Tensor real_of(const Tensor& x) { return cast(x, DType::f64); }

TEST(Layouts, DoNotMatter) {
  for (const DType dtype : testing::all_dtypes()) {
    const std::vector<Tensor> left = views(dtype, 1), right = views(dtype, 2);
    for (const Tensor& a : left) {
      EXPECT_TRUE(same_tensor(logical_not(a), logical_not(clone(a))));
      EXPECT_TRUE(same_tensor(isnan(a), isnan(clone(a))));
      if (dtype != DType::boolean) {
        EXPECT_TRUE(same_tensor(square(a), square(clone(a))));
      }
      for (const Tensor& b : right) {
        EXPECT_TRUE(same_tensor(add(a, b), add(clone(a), clone(b))));
        EXPECT_TRUE(same_tensor(equal(a, b), equal(clone(a), clone(b))));
        EXPECT_TRUE(same_tensor(logical_xor(a, b), logical_xor(clone(a), clone(b))));
        EXPECT_TRUE(same_tensor(where(equal(a, b), a, b), where(equal(clone(a), clone(b)), clone(a), clone(b))));
        const DType wide = result_type(dtype, DType::f64);
        EXPECT_TRUE(same_tensor(add(a, real_of(b)), add(cast(a, wide), cast(real_of(clone(b)), wide))));
      }
    }
  }
}

TEST(Layouts, BroadcastAndEmpty) {
  for (const DType dtype : testing::all_dtypes()) {
    const Tensor column = awkward_tensor(dtype, {3, 1}, 1, cpu()), row = awkward_tensor(dtype, {1, 1009}, 2, cpu());
    const Tensor sums = add(column, row);
    ASSERT_EQ(sums.shape(), Shape({3, 1009}));
    EXPECT_TRUE(same_tensor(sums, add(clone(expand(column, {3, 1009})), clone(expand(row, {3, 1009})))));
    EXPECT_EQ(add(Tensor::zeros({0, 3}, dtype, cpu()), Tensor::zeros({1, 3}, dtype, cpu())).shape(), Shape({0, 3}));
    EXPECT_EQ(logical_not(Tensor::zeros({2, 0}, dtype, cpu())).shape(), Shape({2, 0}));
    EXPECT_EQ(equal(Tensor::zeros({}, dtype, cpu()), Tensor::zeros({}, dtype, cpu())).shape(), Shape());
  }
}

// Enough elements for every thread, and blocks that end within rows.
TEST(Layouts, OfManyElements) {
  for (const DType dtype : {DType::f64, DType::u8, DType::c64, DType::f16}) {
    const Tensor a = transpose(awkward_tensor(dtype, {1009, 211}, 1, cpu())),
                 b = awkward_tensor(dtype, {211, 1009}, 2, cpu());
    EXPECT_TRUE(same_tensor(add(a, b), add(clone(a), b)));
    const Tensor both = add(reshape(clone(a), {-1}), reshape(b, {-1}));
    EXPECT_TRUE(same_tensor(reshape(add(a, b), {-1}), both));
    const Tensor narrow = awkward_tensor(dtype, {70001, 3}, 3, cpu()), last = awkward_tensor(dtype, {3}, 4, cpu());
    EXPECT_TRUE(same_tensor(mul(narrow, last), mul(narrow, clone(expand(last, {70001, 3})))));
  }
}

// Elements of more than 16 MiB together, beginning anywhere, which a thread of a CPU writes past the caches: whole
// numbers, of which results are exact.
template <class T>
void expect_results_beyond_caches() {
  const Device one_thread = testing::test_device(1);
  constexpr int64_t kOffset = 3, kCount = (int64_t{17} << 20) / static_cast<int64_t>(2 * sizeof(T)) / 16 * 16 + 5;
  std::vector<T> a, b;
  for (int64_t i = 0; i < kCount + kOffset; ++i) {
    a.push_back(static_cast<T>(i * 7919 % 1013 - 500));
    b.push_back(static_cast<T>(i * 104729 % 509 - 200));
  }
  const Tensor left = Tensor::from(a, {kCount + kOffset}, one_thread);
  const Tensor x = slice(left, 0, kOffset, kCount + kOffset),
               y = slice(Tensor::from(b, {kCount + kOffset}, one_thread), 0, 0, kCount);
  const auto expect = [&](const Tensor& result, auto&& value) {
    using R = decltype(value(T{}, T{}));
    const std::vector<R> got = result.to_vector<R>();
    ASSERT_EQ(std::ssize(got), kCount);
    for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], value(a[i + kOffset], b[i])) << i;
  };
  expect(add(x, y), [](T p, T q) { return p + q; });
  expect(negative(x), [](T p, T) { return -p; });
  expect(maximum(x, y), [](T p, T q) { return std::max(p, q); });
  expect(cast(less(x, y), DType::u8), [](T p, T q) { return static_cast<uint8_t>(p < q); });
  expect(cast(x, DType::f64), [](T p, T) { return static_cast<double>(p); });
  expect(cast(x, DType::f32), [](T p, T) { return static_cast<float>(p); });
  expect(cast(x, DType::i32), [](T p, T) { return static_cast<int32_t>(p); });
  multiply_(x, y);
  expect(x, [](T p, T q) { return p * q; });
  const Tensor before = slice(left, 0, 0, kOffset);
  EXPECT_EQ(before.to_vector<T>(), std::vector<T>(a.begin(), a.begin() + kOffset));
}

TEST(Layouts, OfElementsBeyondTheCaches) {
  expect_results_beyond_caches<float>();
  expect_results_beyond_caches<double>();
  expect_results_beyond_caches<int32_t>();
  expect_results_beyond_caches<int64_t>();
  std::vector<float> numbers(3000017);
  const int64_t count = std::ssize(numbers);
  for (const auto& [half, integers] : std::vector<std::pair<DType, size_t>>{{DType::f16, 2048}, {DType::bf16, 256}}) {
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i % integers);
    const Tensor x = Tensor::from(numbers, {count}, testing::test_device(1));
    EXPECT_EQ(cast(cast(x, half), DType::f32).to_vector<float>(), numbers);
    const Tensor around = Tensor::full({count + 2}, 7.0, half, x.device()), inside = slice(around, 0, 1, count + 1);
    assign(inside, x);  // begins beside a cache line
    EXPECT_EQ(cast(inside, DType::f32).to_vector<float>(), numbers);
    EXPECT_EQ(select(around, 0, 0).item(), 7.0);
    EXPECT_EQ(select(around, 0, count + 1).item(), 7.0);
  }
}

using InPlace = void (*)(const Tensor&, const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);
struct Form {
  InPlace in_place;
  Binary function;
  bool integers_only;
};
const Form kForms[] = {
    {add_, add, false},
    {subtract_, subtract, false},
    {multiply_, multiply, false},
    {floor_divide_, floor_divide, false},
    {remainder_, remainder, false},
    {pow_, pow, false},
    {bitwise_and_, bitwise_and, true},
    {bitwise_or_, bitwise_or, true},
    {bitwise_xor_, bitwise_xor, true},
    {bitwise_left_shift_, bitwise_left_shift, true},
    {bitwise_right_shift_, bitwise_right_shift, true},
};

TEST(InPlaceForms, GiveWhatTheFunctionGives) {
  for (const DType dtype : testing::all_dtypes()) {
    if (is_complex(dtype) || dtype == DType::boolean) continue;
    for (const Form& form : kForms) {
      if (form.integers_only && !is_integer(dtype)) continue;
      const Tensor given = awkward_tensor(dtype, {5, 7}, 1, cpu()), drawn = awkward_tensor(dtype, {7}, 2, cpu());
      const Tensor y = where(equal(drawn, beside(drawn, 0)), beside(drawn, 3), drawn);
      const Tensor expected = form.function(given, y);
      const Tensor x = clone(given);
      form.in_place(x, y);
      EXPECT_TRUE(same_tensor(x, expected)) << name_of(dtype) << " form " << &form - kForms;
      const Tensor room = Tensor::zeros({14, 5}, dtype, cpu());
      const Tensor strided = transpose(slice(room, 0, 12, -15, -2));  // every other row, backwards, turned
      assign(strided, given);
      form.in_place(strided, y);
      EXPECT_TRUE(same_tensor(strided, expected)) << name_of(dtype);
      EXPECT_TRUE(same_tensor(slice(room, 0, 1, 14, 2), Tensor::zeros({7, 5}, dtype, cpu())));
    }
  }
}

TEST(InPlaceForms, MeetOverlap) {
  const Tensor base = Tensor::arange(9, DType::i64, cpu());
  add_(slice(base, 0, 1, 9), slice(base, 0, 0, 8));
  EXPECT_EQ(base.to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 3, 5, 7, 9, 11, 13, 15}));
  multiply_(base, base);
  EXPECT_EQ(base.to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 9, 25, 49, 81, 121, 169, 225}));
}

TEST(InPlaceForms, TakeTensorsWithoutElements) {
  const Tensor empty = Tensor::zeros({2, 0}, DType::f32, cpu());  // whose first axis has a stride of 0
  add_(empty, empty);
  add_(expand(Tensor::zeros({0}, DType::f32, cpu()), {3, 0}), Tensor::zeros({1}, DType::f32, cpu()));
}

TEST(InPlaceForms, KeepTheDtype) {
  const Tensor halves = Tensor::full({3}, 1, DType::f16, cpu());
  add_(halves, Tensor::full({3}, 0x1p-11 + 0x1p-30, DType::f64, cpu()));  // rounded once, from f64
  EXPECT_TRUE(holds(halves, DType::f16, {{1.0L + 0x1p-10L}, {1.0L + 0x1p-10L}, {1.0L + 0x1p-10L}}));
  const Tensor integers = Tensor::full({2}, 7, DType::i16, cpu());
  EXPECT_TRUE(
      fails_with("[divide_] expected a result that dtype i16 holds, got f32", [&] { divide_(integers, integers); }));
  EXPECT_TRUE(fails_with("[add_] expected y that broadcasts to [2]", [&] {
    add_(integers, Tensor::zeros({3, 2}, DType::i16, cpu()));
  }));
  EXPECT_TRUE(fails_with("[add_] expected x with elements of its own", [&] {
    add_(expand(integers, {4, 2}), integers);
  }));
  EXPECT_TRUE(fails_with("[floor_divide_] expected b without zeros",
                         [&] { floor_divide_(integers, Tensor::zeros({2}, DType::i16, cpu())); }));
  EXPECT_TRUE(fails_with("[add_] expected tensors outside any graph",
                         [&] { add_(Tensor::zeros({2}, DType::f32, cpu()).set_requires_grad(), integers); }));
  EXPECT_EQ(integers.to_vector<int16_t>(), (std::vector<int16_t>{7, 7}));
}

TEST(Numbers, TakeTheTensorsDtype) {
  const Tensor bytes = Tensor::full({2}, 200, DType::u8, cpu());
  EXPECT_TRUE(holds(add(bytes, beside(bytes, 100)), DType::u8, {{44}, {44}}));
  EXPECT_TRUE(holds(add(bytes, beside(bytes, 0.5)), DType::f32, {{200.5L}, {200.5L}}));
  const Tensor big = Tensor::full({1}, 1, DType::i64, cpu());
  const int64_t large = (int64_t{1} << 62) + 1;
  EXPECT_TRUE(holds(add(big, beside(big, large)), DType::i64, {{0x1p62L + 2}}));
  const Tensor largest = beside(Tensor::zeros({}, DType::u64, cpu()), std::numeric_limits<uint64_t>::max());
  EXPECT_TRUE(holds(largest, DType::u64, {{0x1p64L - 1}}));
  const Tensor half = Tensor::zeros({}, DType::f16, cpu());
  EXPECT_TRUE(holds(beside(half, 1 + 0x1p-11 + 0x1p-40), DType::f16, {{1.0L + 0x1p-10L}}));
  EXPECT_TRUE(holds(beside(half, std::complex<double>(1, 2)), DType::c64, {{1, 2}}));
  EXPECT_TRUE(holds(beside(Tensor::zeros({}, DType::boolean, cpu()), true), DType::boolean, {{1}}));
  EXPECT_TRUE(fails_with("[add] expected a number that fits u8, got 300", [&] { beside(bytes, 300, "add"); }));
  EXPECT_TRUE(fails_with("fits u8, got -1", [&] { beside(bytes, -1); }));
}

TEST(Clip, BoundsEveryDtype) {
  for (const DType dtype : testing::all_dtypes()) {
    if (is_complex(dtype) || dtype == DType::boolean) continue;
    const Tensor x = awkward_tensor(dtype, {1009}, 1, cpu());
    const Tensor low = Tensor::full({}, 3, dtype, cpu()), high = Tensor::full({}, 100, DType::i64, cpu());
    Numbers both, above, below;
    for (const testing::Number& n : numbers_of(x)) {
      const auto bounded = [&](long double least, long double most) {
        return std::isnan(n.re) ? n.re : n.re < least ? least : n.re > most ? most : n.re;
      };
      both.push_back({bounded(3, 100)});
      above.push_back({bounded(3, HUGE_VALL)});
      below.push_back({bounded(-HUGE_VALL, 100)});
    }
    EXPECT_TRUE(holds(clip(x, low, high), dtype, both)) << name_of(dtype);
    EXPECT_TRUE(holds(clip(x, low, {}), dtype, above)) << name_of(dtype);
    EXPECT_TRUE(holds(clip(x, {}, high), dtype, below)) << name_of(dtype);
    EXPECT_TRUE(same_tensor(clip(x, {}, {}), x));
  }
  const Tensor small = Tensor::full({2}, 100, DType::i8, cpu());
  EXPECT_TRUE(holds(clip(small, {}, Tensor::full({}, 1000, DType::i32, cpu())), DType::i8, {{100}, {100}}));
}

TEST(Casts, HaveNames) {
  const Tensor x = Tensor::from<int32_t>({-5, 300, 70000, 5}, {4}, cpu());
  EXPECT_TRUE(holds(cast(x, DType::u8), DType::u8, {{251}, {44}, {112}, {5}}));
  EXPECT_TRUE(holds(cast_saturating(x, DType::u8), DType::u8, {{0}, {255}, {255}, {5}}));
  EXPECT_TRUE(holds(cast_saturating(x, DType::i16), DType::i16, {{-5}, {300}, {32767}, {5}}));
  EXPECT_TRUE(holds(astype(x, DType::c64), DType::c64, {{-5}, {300}, {70000}, {5}}));
  EXPECT_FALSE(astype(x, DType::i32).shares_storage_with(x));
  EXPECT_TRUE(astype(x, DType::i32, false).shares_storage_with(x));
  EXPECT_TRUE(fails_with("[astype] expected a complex dtype or bool for x of dtype c64, got f32",
                         [&] { astype(Tensor::zeros({2}, DType::c64, cpu()), DType::f32); }));
}

TEST(Errors, NameTheInput) {
  const Tensor f = Tensor::zeros({2}, DType::f64, cpu()), i = Tensor::zeros({2}, DType::i64, cpu());
  const Tensor u = Tensor::zeros({2}, DType::u64, cpu()), c = Tensor::zeros({2}, DType::c64, cpu());
  EXPECT_TRUE(fails_with("[bitwise_and] expected a of bool or an integer dtype, got f64", [&] { bitwise_and(f, i); }));
  EXPECT_TRUE(fails_with("[bitwise_and] expected dtypes that one integer dtype holds, got u64 and i64",
                         [&] { bitwise_and(u, i); }));
  EXPECT_TRUE(fails_with("[floor] expected x of bool or an integer or a float dtype, got c64", [&] { floor(c); }));
  EXPECT_TRUE(fails_with("[maximum] expected b of", [&] { maximum(f, c); }));
  EXPECT_TRUE(fails_with("[floor_divide] expected b without zeros", [&] { floor_divide(i, i); }));
  EXPECT_TRUE(fails_with("[remainder] expected b without zeros", [&] { remainder(u, u); }));
  EXPECT_TRUE(
      fails_with("[hypot] expected shapes that broadcast", [&] { hypot(f, Tensor::zeros({3}, DType::f64, cpu())); }));
  EXPECT_TRUE(fails_with("[mul] expected a without a gradient, which a result of dtype f64 cannot carry",
                         [&] { mul(Tensor::zeros({2}, DType::f32, cpu()).set_requires_grad(), f); }));
}

}  // namespace
}  // namespace tern
