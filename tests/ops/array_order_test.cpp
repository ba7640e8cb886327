// SPDX-License-Identifier: Apache-2.0
// Orders that indexing and products promise, where there is much to put in order: devices go other ways then.
#include <gtest/gtest.h>

#include <complex>
#include <random>

#include "support/test_device.h"
#include "tern/autograd.h"
#include "tern/creation.h"
#include "tern/indexing.h"
#include "tern/ops.h"

namespace tern {
namespace {

const Device& device() {
  static const Device opened = testing::test_device(3);
  return opened;
}

// Where `count` positions of each of `lines` lines lead, in [-extent, extent).
std::vector<int64_t> places(int64_t count, int64_t lines, int64_t extent, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<int64_t> out;
  for (int64_t i = 0; i < count * lines; ++i) out.push_back(static_cast<int64_t>(random() % (2 * extent)) - extent);
  return out;
}

std::vector<float> uneven(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(uniform(random));
  return out;
}

struct Case {
  int64_t count, cols, extent;
};
// Short and long axes; destinations that are met once, now and then, and by all.
constexpr Case kCases[] = {{64, 3, 5},        {65, 3, 5},   {1000, 1, 1},  {3001, 1, 37},
                           {3001, 1, 100000}, {999, 7, 37}, {70, 17000, 9}};

TEST(AssignIndexOrder, TheLastOfManyRowsStays) {
  for (const auto& [count, cols, extent] : kCases) {
    const std::vector<int64_t> at = places(count, 1, extent, 1);
    std::vector<int32_t> expected(static_cast<size_t>(extent * cols), -1);
    for (int64_t i = 0; i < count * cols; ++i) {
      const int64_t row = at[static_cast<size_t>(i / cols)];
      expected[static_cast<size_t>((row < 0 ? row + extent : row) * cols + i % cols)] = static_cast<int32_t>(i);
    }
    const Tensor x = full({extent, cols}, -1, DType::i32, device());
    const Tensor values = reshape(arange(0, count * cols, 1, DType::i32, device()), {count, cols});
    assign_index(x, {Tensor::from(at, {count}, device())}, values);
    EXPECT_EQ(x.to_vector<int32_t>(), expected) << count << " x " << cols << " to " << extent;
  }
}

TEST(AssignIndexOrder, TheLastOfManyInEachColumnStays) {
  for (const auto& [count, cols, extent] : kCases) {
    const std::vector<int64_t> at = places(count, cols, extent, 2);
    std::vector<int64_t> expected(static_cast<size_t>(extent * cols), -1);
    for (int64_t i = 0; i < count * cols; ++i) {
      const int64_t row = at[static_cast<size_t>(i)];
      expected[static_cast<size_t>((row < 0 ? row + extent : row) * cols + i % cols)] = i;
    }
    // Backwards in memory.
    const Tensor x = index(full({extent, cols}, -1, DType::i64, device()), {Slice{.step = -1}, Slice{.step = -1}});
    const Tensor values = reshape(arange(0, count * cols, 1, DType::i64, device()), {count, cols});
    put_along_axis(x, Tensor::from(at, {count, cols}, device()), values, 0);
    EXPECT_EQ(x.to_vector<int64_t>(), expected) << count << " x " << cols << " to " << extent;
  }
}

// Sums in f32 round differently in another order.
TEST(IndexGradientOrder, AddsPositionsOneAfterTheOther) {
  for (const auto& [count, cols, extent] : kCases) {
    for (const bool each : {false, true}) {
      const std::vector<int64_t> at = places(count, each ? cols : 1, extent, 3);
      const std::vector<float> dy = uneven(count * cols, 4);
      std::vector<float> expected(static_cast<size_t>(extent * cols));
      for (int64_t i = 0; i < count * cols; ++i) {
        const int64_t row = at[static_cast<size_t>(each ? i : i / cols)];
        expected[static_cast<size_t>((row < 0 ? row + extent : row) * cols + i % cols)] += dy[static_cast<size_t>(i)];
      }
      const Tensor x = zeros({extent, cols}, DType::f32, device()).set_requires_grad();
      const Tensor indices = Tensor::from(at, each ? Shape{count, cols} : Shape{count}, device());
      const Tensor y = each ? take_along_axis(x, indices, 0) : take(x, indices, 0);
      backward(y, Tensor::from(dy, {count, cols}, device()));
      EXPECT_EQ(x.grad().to_vector<float>(), expected) << count << " x " << cols << " to " << extent;
    }
  }
}

template <class T>
T element(std::mt19937& random) {
  const auto part = [&] { return std::uniform_real_distribution<double>(-1, 1)(random); };
  if constexpr (std::is_same_v<T, std::complex<float>>) {
    return {static_cast<float>(part()), static_cast<float>(part())};
  } else if constexpr (std::is_same_v<T, std::complex<double>>) {
    return {part(), part()};
  } else if constexpr (std::is_same_v<T, double>) {
    return part();
  } else {
    return static_cast<T>(random());
  }
}

// Without the library's care for infinities.
template <class T>
T plain_product(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
  } else if constexpr (std::is_same_v<T, double>) {
    return a * b;
  } else {
    return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
  }
}

// Integers wrap.
template <class T>
T plain_sum(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
  } else {
    return a + b;
  }
}

template <class T>
void expect_plain_sums(int64_t m, int64_t n, int64_t k) {
  std::mt19937 random(5);
  std::vector<T> a, b, expected(static_cast<size_t>(m * n));
  for (int64_t i = 0; i < m * k; ++i) a.push_back(element<T>(random));
  for (int64_t i = 0; i < k * n; ++i) b.push_back(element<T>(random));
  for (int64_t i = 0; i < m * n * k; ++i) {
    const int64_t row = i / k / n, col = i / k % n, p = i % k;
    T& sum = expected[static_cast<size_t>(row * n + col)];
    const T term = plain_product(a[static_cast<size_t>(row * k + p)], b[static_cast<size_t>(p * n + col)]);
    sum = plain_sum(sum, term);
  }
  const Tensor c = matmul(Tensor::from(a, {m, k}, device()), Tensor::from(b, {k, n}, device()));
  EXPECT_EQ(c.to_vector<T>(), expected) << m << " x " << n << " x " << k;
}

// One element, few, many that lie in a line, and many in a square.
TEST(ArrayMatmulOrder, LongSumsHaveTheBitsOfThePlainLoop) {
  for (const auto& [m, n, k] : std::vector<std::array<int64_t, 3>>{
           {1, 1, 511}, {1, 1, 1024}, {3, 2, 5003}, {5001, 1, 515}, {2, 4999, 513}, {33, 65, 1023}}) {
    expect_plain_sums<double>(m, n, k);
    expect_plain_sums<std::complex<float>>(m, n, k);
    expect_plain_sums<std::complex<double>>(m, n, k);
    expect_plain_sums<int8_t>(m, n, k);
    expect_plain_sums<uint16_t>(m, n, k);
    expect_plain_sums<uint32_t>(m, n, k);
    expect_plain_sums<int64_t>(m, n, k);
  }
}

}  // namespace
}  // namespace tern
