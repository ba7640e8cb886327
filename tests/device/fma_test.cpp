// SPDX-License-Identifier: Apache-2.0
// The fused multiply-add of every instruction set against libm's, bit for bit, where emulations go wrong: a product of
// two vectors, one step deep, computes fma(a[i], b[j], c[i, j]).
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>

#include "support/awkward.h"

namespace tern {
namespace {

using testing::Floats;

constexpr int64_t kSide = 512;

using Random = std::mt19937;
// c for a pair a, b.
using Addend = std::function<float(float a, float b)>;

int between(int low, int high, Random& random) {
  return low + static_cast<int>(random() % static_cast<uint32_t>(high - low + 1));
}

float sign(Random& random) { return random() % 2 ? 1.0f : -1.0f; }

// ±[1, 2) · 2^exponent with 24 random bits.
float random_float(int exponent, Random& random) {
  const float mantissa = 1.0f + static_cast<float>(random() % (1u << 23)) * 0x1p-23f;
  return sign(random) * std::ldexp(mantissa, exponent);
}

// ±(1 + i·2^-23) · 2^exponent, |i| <= 4: products of two lie a few units of 2^-46 beside a power of two.
float about_one(int exponent, Random& random) {
  return sign(random) * std::ldexp(1.0f + static_cast<float>(between(-4, 4, random)) * 0x1p-23f, exponent);
}

template <class Make>
Floats floats(int64_t count, const Make& make) {
  Floats x(static_cast<size_t>(count));
  for (float& value : x) value = make();
  return x;
}

void expect_fused(const Floats& a, const Floats& b, const Addend& addend) {
  const int64_t rows = static_cast<int64_t>(a.size()), columns = static_cast<int64_t>(b.size());
  Floats c, expected;
  for (const float x : a) {
    for (const float y : b) {
      c.push_back(addend(x, y));
      expected.push_back(std::fmaf(x, y, c.back()));
    }
  }
  for (const std::string& isa : Device::cpu_isas()) {
    Floats got = c;
    testing::run_kernel(Device::open("cpu", {1, isa}), &Kernels::matmul,
                        {1,
                         rows,
                         columns,
                         1,
                         {a.data(), DType::f32, 0, 1, 1},
                         {b.data(), DType::f32, 0, columns, 1},
                         got.data(),
                         0,
                         columns,
                         true});
    EXPECT_TRUE(testing::same_bits(expected, got)) << isa;
  }
}

// The product is half a unit in the last place of c, or almost: c at both ends of the range and between.
TEST(Fma, HalfwayBetweenTwoFloats) {
  Random random(1);
  for (const int exponent : {127, 60, 24, 0, -60, -101}) {
    const int product = exponent - 24, first = product / 2;
    expect_fused(floats(kSide, [&] { return about_one(first, random); }),
                 floats(kSide, [&] { return about_one(product - first, random); }),
                 [&](float, float) { return random_float(exponent, random); });
  }
}

TEST(Fma, HalfwayBetweenTwoSubnormals) {
  Random random(2);
  for (const int product : {-150, -151, -149}) {
    expect_fused(floats(kSide, [&] { return about_one(-75, random); }),
                 floats(kSide, [&] { return about_one(product + 75, random); }), [&](float, float) {
                   return sign(random) * static_cast<float>(between(0, 1 << 24, random)) * 0x1p-149f;
                 });
  }
}

TEST(Fma, SubnormalProducts) {
  Random random(3);
  for (const int product : {-127, -140, -149, -160, -200}) {
    expect_fused(floats(kSide, [&] { return random_float(product / 2, random); }),
                 floats(kSide, [&] { return random_float(product - product / 2, random); }),
                 [&](float, float) { return static_cast<float>(between(-8, 8, random)) * 0x1p-149f; });
  }
}

TEST(Fma, Cancellation) {
  Random random(4);
  for (const int exponent : {0, -50, 60}) {
    expect_fused(floats(kSide, [&] { return random_float(exponent, random); }),
                 floats(kSide, [&] { return random_float(between(-3, 3, random), random); }),
                 [&](float a, float b) { return -std::nextafter(a * b, static_cast<float>(between(-1, 1, random))); });
    expect_fused(floats(kSide, [&] { return random_float(exponent, random); }),
                 floats(kSide, [&] { return random_float(0, random); }), [](float a, float b) { return -(a * b); });
  }
}

TEST(Fma, AllExponents) {
  Random random(5);
  for (int round = 0; round < 4; ++round) {
    const auto any = [&] { return random_float(between(-149, 127, random), random); };
    expect_fused(floats(kSide, any), floats(kSide, any), [&](float, float) { return any(); });
    // Sums of numbers whose sizes are close.
    expect_fused(floats(kSide, [&] { return random_float(between(-8, 8, random), random); }),
                 floats(kSide, [&] { return random_float(between(-8, 8, random), random); }),
                 [&](float a, float b) { return random_float(std::ilogb(a * b) + between(-26, 26, random), random); });
  }
}

TEST(Fma, Overflow) {
  Random random(6);
  constexpr float kMax = std::numeric_limits<float>::max();
  expect_fused(floats(kSide, [&] { return about_one(51, random); }),
               floats(kSide, [&] { return about_one(52, random); }),
               [&](float, float) { return sign(random) * (random() % 2 ? kMax : std::nextafter(kMax, 0.0f)); });
}

TEST(Fma, SpecialValues) {
  const Floats& special = testing::special_floats();
  for (const float c : special) {
    expect_fused(special, special, [&](float, float) { return c; });
  }
}

}  // namespace
}  // namespace tern
