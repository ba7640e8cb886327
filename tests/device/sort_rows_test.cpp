// SPDX-License-Identifier: Apache-2.0
// Sorting rows against std::stable_sort: the same bits on every instruction set and number of threads, at lengths
// around those of vectors and networks of vectors, of numbers that lie in many ways.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "device/array_kernels.h"
#include "support/cpus.h"

namespace tern {
namespace {

enum class Pattern { random, few, rising, falling, organ_pipe, equal, nearly_equal, special };
constexpr Pattern kPatterns[] = {Pattern::random,     Pattern::few,   Pattern::rising,       Pattern::falling,
                                 Pattern::organ_pipe, Pattern::equal, Pattern::nearly_equal, Pattern::special};

template <class T>
T special_number(uint64_t random) {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_floating_point_v<T>) {
    const T numbers[] = {
        Limits::quiet_NaN(),  -Limits::quiet_NaN(),  Limits::infinity(), -Limits::infinity(), T(0), T(-0.0),
        Limits::denorm_min(), -Limits::denorm_min(), Limits::max(),      Limits::lowest()};
    return numbers[random % 10];
  } else {
    const T numbers[] = {Limits::min(), Limits::max(), T(0), T(1), static_cast<T>(-1)};
    return numbers[random % 5];
  }
}

template <class T>
std::vector<T> made(Pattern pattern, int64_t n, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<T> x;
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t r = random();
    const auto at = [&](int64_t place) { return static_cast<T>(place - n / 3); };
    x.push_back(pattern == Pattern::random         ? static_cast<T>(static_cast<int64_t>(r))
                : pattern == Pattern::few          ? static_cast<T>(r % 3)
                : pattern == Pattern::rising       ? at(i)
                : pattern == Pattern::falling      ? at(n - i)
                : pattern == Pattern::organ_pipe   ? at(std::min(i, n - i))
                : pattern == Pattern::equal        ? T(7)
                : pattern == Pattern::nearly_equal ? static_cast<T>(7 + (r % 97 == 0) - (r % 89 == 0))
                                                   : special_number<T>(r));
  }
  return x;
}

template <class T>
bool comes_first(T a, T b, bool descending) {
  if (a != a || b != b) return a == a;  // NaNs are last
  return descending ? b < a : a < b;
}

template <class T>
std::vector<int64_t> naive_order(const T* x, int64_t n, bool descending) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return !(x[a] != x[a] && x[b] != x[b]) && comes_first(x[a], x[b], descending);
  });
  return order;
}

struct Room {
  explicit Room(size_t bytes) : memory(bytes / 64 + 1) {}
  void* get() { return memory.data(); }
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> memory;
};

template <class T>
SortRowsArgs args_of(DType dtype, bool descending, const std::vector<T>& x, int64_t n) {
  return {.dtype = dtype,
          .descending = descending,
          .rows = n == 0 ? 1 : static_cast<int64_t>(x.size()) / n,
          .n = n,
          .x = x.data(),
          .y = nullptr,
          .index = nullptr,
          .room = nullptr,
          .places = nullptr,
          .place_count = 0};
}

template <class T>
std::vector<T> sorted_on(const Device& device, SortRowsArgs args, const std::vector<T>& x) {
  std::vector<T> y(x.size() + 1, T(42));  // one more than belongs to it
  Room room(sort_room_bytes(args.dtype, false, args.n));
  args.y = y.data();
  args.room = sort_room_bytes(args.dtype, false, args.n) > 0 ? room.get() : nullptr;
  device.backend().kernels().array->sort_rows(device.backend().exec(), args);
  EXPECT_EQ(y.back(), T(42));
  y.pop_back();
  return y;
}

std::vector<int64_t> order_on(const Device& device, SortRowsArgs args) {
  std::vector<int64_t> index(static_cast<size_t>(args.rows * args.n) + 1, -42);
  Room room(sort_room_bytes(args.dtype, true, args.n));
  args.index = index.data();
  args.room = sort_room_bytes(args.dtype, true, args.n) > 0 ? room.get() : nullptr;
  device.backend().kernels().array->sort_rows(device.backend().exec(), args);
  EXPECT_EQ(index.back(), -42);
  index.pop_back();
  return index;
}

// Sorting gives every NaN the same bits.
template <class T>
T quiet(T x) {
  return x != x ? std::numeric_limits<T>::quiet_NaN() : x;
}

template <class T>
void expect_sorted(const Device& device, DType dtype, const std::vector<T>& x, int64_t n) {
  for (const bool descending : {false, true}) {
    const SortRowsArgs args = args_of(dtype, descending, x, n);
    std::vector<int64_t> order;
    std::vector<T> sorted;
    for (int64_t row = 0; row < args.rows; ++row) {
      for (const int64_t i : naive_order(x.data() + row * n, n, descending)) {
        order.push_back(i);
        sorted.push_back(quiet(x[static_cast<size_t>(row * n + i)]));
      }
    }
    ASSERT_EQ(order_on(device, args), order) << "descending " << descending;
    const std::vector<T> y = sorted_on(device, args, x);
    ASSERT_TRUE(n == 0 || std::memcmp(y.data(), sorted.data(), sorted.size() * sizeof(T)) == 0)
        << "descending " << descending;
  }
}

template <class T>
void expect_sorts(DType dtype) {
  for (const Device& device : testing::cpus()) {
    for (const Pattern pattern : kPatterns) {
      for (const int64_t n : {0,  1,  2,  3,   4,   5,   7,   8,   9,   15,  16,  17,  31,  32,   33,  50,
                              63, 64, 65, 127, 128, 129, 200, 255, 256, 257, 300, 511, 513, 1025, 4099}) {
        SCOPED_TRACE(device.description() + " pattern " + std::to_string(static_cast<int>(pattern)) + " n " +
                     std::to_string(n));
        const int64_t rows = n <= 300 ? 3 : 1;
        ASSERT_NO_FATAL_FAILURE(
            expect_sorted(device, dtype, made<T>(pattern, rows * n, static_cast<uint64_t>(n) + 1), n));
      }
    }
  }
}

TEST(SortRows, Floats) {
  expect_sorts<float>(DType::f32);
  expect_sorts<double>(DType::f64);
}

TEST(SortRows, Integers) {
  expect_sorts<int32_t>(DType::i32);
  expect_sorts<uint32_t>(DType::u32);
  expect_sorts<int64_t>(DType::i64);
  expect_sorts<uint64_t>(DType::u64);
  expect_sorts<int16_t>(DType::i16);
  expect_sorts<uint8_t>(DType::u8);
}

// Long enough for threads to share.
TEST(SortRows, LongRows) {
  for (const Device& device : testing::cpus()) {
    for (const Pattern pattern : kPatterns) {
      SCOPED_TRACE(device.description() + " pattern " + std::to_string(static_cast<int>(pattern)));
      ASSERT_NO_FATAL_FAILURE(expect_sorted(device, DType::f32, made<float>(pattern, 40009, 3), 40009));
      ASSERT_NO_FATAL_FAILURE(expect_sorted(device, DType::i64, made<int64_t>(pattern, 40009, 4), 40009));
    }
  }
}

// Numbers that lie so that quicksort takes nearly the least of them for a pivot, time and again: what it looks at is
// given the least numbers that are left. `lanes` are those of its vectors, of which it looks at nine.
std::vector<uint32_t> misleading(int64_t n, int64_t lanes) {
  std::vector<uint32_t> x(static_cast<size_t>(n));
  std::vector<size_t> left(x.size());
  std::iota(left.begin(), left.end(), 0);
  uint32_t next = 1;
  while (static_cast<int64_t>(left.size()) > 10 * lanes) {
    const int64_t step = (static_cast<int64_t>(left.size()) - lanes) / 8;
    std::vector<size_t> seen;
    for (int64_t i = 0; i < 9; ++i) {
      for (int64_t lane = 0; lane < lanes; ++lane) {
        const size_t place = left[static_cast<size_t>(i * step + lane)];
        if (x[place] == 0) x[place] = next++;
        seen.push_back(place);
      }
    }
    std::sort(seen.begin(), seen.end(), [&](size_t a, size_t b) { return x[a] < x[b]; });
    const uint32_t pivot = x[seen[seen.size() / 2]];
    std::erase_if(left, [&](size_t place) { return x[place] != 0 && x[place] < pivot; });
  }
  for (uint32_t& one : x) one = one == 0 ? next++ : one;
  return x;
}

TEST(SortRows, NumbersThatMislead) {
  for (const Device& device : testing::cpus()) {
    for (const int64_t lanes : {4, 8, 16}) {
      for (const int64_t n : {5003, 40009}) {
        ASSERT_NO_FATAL_FAILURE(expect_sorted(device, DType::u32, misleading(n, lanes), n));
      }
      const std::vector<uint32_t> x = misleading(5003, lanes);
      ASSERT_NO_FATAL_FAILURE(expect_sorted(device, DType::u64, std::vector<uint64_t>(x.begin(), x.end()), 5003));
    }
  }
}

// Only some places have to be right.
TEST(SortRows, SomePlaces) {
  for (const Device& device : testing::cpus()) {
    for (const Pattern pattern : kPatterns) {
      for (const int64_t n : {1, 100, 3001, 40009}) {
        const std::vector<float> x = made<float>(pattern, 2 * n, 5);
        for (const bool descending : {false, true}) {
          SortRowsArgs args = args_of(DType::f32, descending, x, n);
          const int64_t places[] = {0, n / 3, n / 3 + (n > 3), n - 1};
          args.places = places;
          args.place_count = 4;
          const std::vector<float> y = sorted_on(device, args, x);
          for (int64_t row = 0; row < 2; ++row) {
            const std::vector<int64_t> order = naive_order(x.data() + row * n, n, descending);
            for (const int64_t place : places) {
              const float want = quiet(x[static_cast<size_t>(row * n + order[static_cast<size_t>(place)])]);
              const float got = y[static_cast<size_t>(row * n + place)];
              ASSERT_EQ(std::memcmp(&got, &want, sizeof(float)), 0)
                  << device.description() << " pattern " << static_cast<int>(pattern) << " place " << place << " of "
                  << n;
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace tern
