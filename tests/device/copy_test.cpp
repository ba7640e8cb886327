// SPDX-License-Identifier: Apache-2.0
// copy between all pairs of types and layouts, and fill.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support/awkward.h"
#include "support/reference_pointwise.h"
#include "support/strided.h"

namespace tern {
namespace {

using testing::Axes;
using testing::count_of;
using testing::dims;
using testing::offset_of;
using testing::run_kernel;
using Bytes = std::vector<uint8_t>;

constexpr DType kTypes[] = {DType::f32, DType::bf16, DType::f16, DType::i8,
                            DType::u8,  DType::i32,  DType::i64, DType::boolean};

template <class T>
T at(const Bytes& bytes, size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

// An element as a number: an integer where the type is one, else a double.
struct Number {
  bool is_integer;
  int64_t integer;
  double real;
};

Number number_at(DType dtype, const Bytes& bytes, size_t i) {
  const auto integer = [](int64_t v) { return Number{true, v, static_cast<double>(v)}; };
  const auto real = [](double v) { return Number{false, 0, v}; };
  switch (dtype) {
    case DType::f32:
      return real(static_cast<double>(at<float>(bytes, i)));
    case DType::bf16:
      return real(reference::bf16_value(at<uint16_t>(bytes, i)));
    case DType::f16:
      return real(reference::f16_value(at<uint16_t>(bytes, i)));
    case DType::i8:
      return integer(at<int8_t>(bytes, i));
    case DType::u8:
      return integer(at<uint8_t>(bytes, i));
    case DType::i32:
      return integer(at<int32_t>(bytes, i));
    case DType::i64:
      return integer(at<int64_t>(bytes, i));
    case DType::boolean:
      return integer(at<uint8_t>(bytes, i) != 0);
    default:  // those of arrays: array_convert_test.cpp
      return {};
  }
}

template <class T>
int64_t as_integer(const Number& x) {
  return x.is_integer ? static_cast<T>(x.integer) : reference::saturated<T>(x.real);
}

// What x becomes in dtype, as a number again.
Number converted(DType dtype, const Number& x) {
  const auto integer = [](int64_t v) { return Number{true, v, static_cast<double>(v)}; };
  const float single = x.is_integer ? static_cast<float>(x.integer) : static_cast<float>(x.real);
  switch (dtype) {
    case DType::f32:
      return {false, 0, static_cast<double>(single)};
    case DType::bf16:
      return {false, 0, reference::as_bf16(single)};
    case DType::f16:
      return {false, 0, reference::as_f16(single)};
    case DType::i8:
      return integer(as_integer<int8_t>(x));
    case DType::u8:
      return integer(as_integer<uint8_t>(x));
    case DType::i32:
      return integer(as_integer<int32_t>(x));
    case DType::i64:
      return integer(as_integer<int64_t>(x));
    case DType::boolean:
      return integer(x.is_integer ? x.integer != 0 : x.real != 0);
    default:
      return {};
  }
}

bool same(const Number& a, const Number& b) {
  if (a.is_integer) return a.integer == b.integer;
  if (std::isnan(a.real) || std::isnan(b.real)) return std::isnan(a.real) && std::isnan(b.real);
  return a.real == b.real && std::signbit(a.real) == std::signbit(b.real);
}

// Elements of a type: small and large numbers and every awkward one.
Bytes elements(DType dtype, int64_t count, uint32_t seed) {
  const testing::Floats floats = testing::awkward_floats(count, seed);
  std::mt19937_64 random(seed);
  Bytes bytes(static_cast<size_t>(count) * size_of(dtype));
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    uint64_t value = random() >> (random() % 64);
    if (dtype == DType::f32) std::memcpy(&value, &floats[i], sizeof floats[i]);
    if (dtype == DType::boolean) value &= 1;
    std::memcpy(bytes.data() + i * size_of(dtype), &value, size_of(dtype));
  }
  return bytes;
}

struct Layout {
  Axes shape, x, y;
};

void expect_copy(const Device& device, DType from, DType to, const Layout& l) {
  SCOPED_TRACE(device.description() + ": " + std::string(name_of(from)) + " to " + std::string(name_of(to)));
  const Bytes x = elements(from, testing::span_of(l.shape, l.x), 11);
  Bytes y(static_cast<size_t>(testing::span_of(l.shape, l.y)) * size_of(to), 0xa5);
  const size_t past_end = y.size();
  y.resize(past_end + 64, 0x5a);
  run_kernel(device, &Kernels::copy, {dims(l.shape), x.data(), from, dims(l.x), y.data(), to, dims(l.y)});
  for (int64_t i = 0; i < count_of(l.shape); ++i) {
    const Number source = number_at(from, x, offset_of(l.shape, l.x, i));
    const Number result = number_at(to, y, offset_of(l.shape, l.y, i));
    ASSERT_TRUE(same(result, converted(to, source)))
        << "element " << i << ": " << source.real << " gave " << result.real;
  }
  for (size_t i = past_end; i < y.size(); ++i) ASSERT_EQ(y[i], 0x5a) << "written past the end";
}

TEST(Copy, ConvertsEveryPairOfTypes) {
  const Layout layouts[] = {
      {{0}, {1}, {1}},
      {{1}, {1}, {1}},
      {{7}, {1}, {1}},
      {{16}, {1}, {1}},
      {{17}, {1}, {1}},
      {{1009}, {1}, {1}},
      {{65}, {3}, {2}},
      {{65}, {0}, {1}},
      {{5, 33}, {1, 5}, {33, 1}},
      {{5, 300}, {300, 1}, {301, 1}},
  };
  for (const Device& device : testing::cpus()) {
    for (const DType from : kTypes) {
      for (const DType to : kTypes) {
        for (const Layout& layout : layouts) expect_copy(device, from, to, layout);
      }
    }
  }
}

TEST(Copy, RearrangesAxes) {
  const Layout layouts[] = {
      {{33, 65}, {1, 33}, {65, 1}},                      // a transposition
      {{33, 65}, {65, 1}, {1, 33}},                      // the same, written across
      {{8, 8}, {1, 8}, {8, 1}},                          // one partial tile
      {{127, 1009}, {1, 127}, {1009, 1}},                // many tiles, split among threads
      {{3, 40, 50}, {2000, 1, 40}, {2000, 50, 1}},       // transpositions in a batch
      {{40, 3, 50}, {1, 2000, 40}, {150, 50, 1}},        // across another axis
      {{2, 3, 5, 7}, {105, 7, 21, 1}, {105, 35, 7, 1}},  // heads and tokens
      {{2, 3, 5, 7}, {1, 2, 6, 30}, {105, 35, 7, 1}},    // all axes reversed
      {{4, 0}, {1, 4}, {0, 1}},
  };
  for (const Device& device : testing::cpus()) {
    for (const DType type : {DType::f32, DType::bf16, DType::i8, DType::i64}) {
      for (const Layout& layout : layouts) expect_copy(device, type, type, layout);
    }
  }
}

TEST(Copy, RoundsAllHalfWayCases) {
  // Every f16 and bf16 value, the midpoint above it and its neighbours.
  Bytes x;
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    for (const double value :
         {reference::f16_value(static_cast<uint16_t>(bits)), reference::bf16_value(static_cast<uint16_t>(bits))}) {
      const auto single = static_cast<float>(value);
      const double next = static_cast<float>(value) * (1 + 0x1p-11);
      for (const float v : {single, static_cast<float>(next), static_cast<float>(value * (1 + 0x1p-8)),
                            std::nextafter(static_cast<float>(next), HUGE_VALF), value == 0 ? 0x1p-25f : -single}) {
        x.resize(x.size() + sizeof v);
        std::memcpy(x.data() + x.size() - sizeof v, &v, sizeof v);
      }
    }
  }
  const auto count = static_cast<int64_t>(x.size() / sizeof(float));
  for (const std::string& isa : Device::cpu_isas()) {
    const Device device = Device::open("cpu", {1, isa});
    for (const DType to : {DType::bf16, DType::f16}) {
      Bytes y(static_cast<size_t>(count) * 2);
      run_kernel(device, &Kernels::copy, {dims({count}), x.data(), DType::f32, dims({1}), y.data(), to, dims({1})});
      for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
        const Number expected = converted(to, number_at(DType::f32, x, i));
        ASSERT_TRUE(same(number_at(to, y, i), expected)) << isa << " of " << at<float>(x, i);
      }
    }
  }
}

TEST(Fill, ConvertsTheValue) {
  for (const Device& device : testing::cpus()) {
    for (const DType type : kTypes) {
      for (const double value : {0.0, 1.0, -1.5, 300.0, 1e300, -1e300, 0x1p-24, static_cast<double>(NAN)}) {
        for (const int64_t count : {0, 1, 17, 65537}) {
          Bytes y((static_cast<size_t>(count) + 1) * size_of(type), 0x5a);
          run_kernel(device, &Kernels::fill, {type, count, value, y.data()});
          for (size_t i = 0; i < static_cast<size_t>(count); i += 16) {
            ASSERT_TRUE(same(number_at(type, y, i), converted(type, {false, 0, value}))) << name_of(type) << value;
          }
          ASSERT_EQ(y.back(), 0x5a);
        }
      }
    }
  }
}

}  // namespace
}  // namespace tern
