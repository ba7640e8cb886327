// SPDX-License-Identifier: Apache-2.0
// The device that the kernels of mixed-precision training are judged on, and operands in its memory. References are
// naive and in double; where the device has no such kernels, as a CPU, tests skip.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "device/backend.h"
#include "device/mixed_kernels.h"
#include "support/test_device.h"

namespace tern::testing {

inline const Device& mixed_device() {
  static const Device device = test_device(DeviceOptions{.matmul_precision = MatmulPrecision::bf16});
  return device;
}

class MixedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (mixed_device().backend().kernels().mixed == nullptr) {
      GTEST_SKIP() << mixed_device().description() << " has no kernels of mixed precision";
    }
  }

  // Calls one: run(&MixedKernels::codes, args).
  template <class Args>
  static void run(Kernel<Args> MixedKernels::*kernel, const Args& args) {
    const Backend& backend = mixed_device().backend();
    (backend.kernels().mixed->*kernel)(backend.exec(), args);
  }
};

// Elements in device memory and, behind them, some that no kernel may write to.
template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values) : count_(values.size()) {
    std::vector<T> all = values;
    all.resize(count_ + kBehind, poison());
    data_ = static_cast<T*>(memory().allocate(all.size() * sizeof(T)));
    memory().copy_to_device(data_, all.data(), all.size() * sizeof(T));
  }
  // Not written yet.
  explicit OnDevice(int64_t count) : OnDevice(std::vector<T>(static_cast<size_t>(count), poison())) {}
  ~OnDevice() { memory().release(data_, (count_ + kBehind) * sizeof(T)); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  T* data() const { return data_; }

  std::vector<T> values() const {
    std::vector<T> all(count_ + kBehind);
    memory().copy_to_host(all.data(), data_, all.size() * sizeof(T));
    for (size_t i = count_; i < all.size(); ++i) EXPECT_TRUE(is_poison(all[i])) << "element " << i << " of " << count_;
    all.resize(count_);
    return all;
  }

  // A NaN in the types that have them.
  static T poison() {
    T value;
    std::memset(static_cast<void*>(&value), 0xff, sizeof value);
    return value;
  }
  static bool is_poison(const T& value) {
    const T expected = poison();
    return std::memcmp(&value, &expected, sizeof value) == 0;
  }

 private:
  static constexpr size_t kBehind = 64;
  static DeviceMemory& memory() { return mixed_device().memory(); }

  size_t count_;
  T* data_ = nullptr;
};

// ---------------------------------------------------------------- numbers

using Random = std::mt19937;
using Floats = std::vector<float>;
using Halves = std::vector<bf16>;

inline Floats normal_floats(int64_t count, Random& random, float scale = 1.0f) {
  std::normal_distribution<float> normal(0.0f, scale);
  Floats x(static_cast<size_t>(count));
  for (float& value : x) value = normal(random);
  return x;
}

inline Halves in_bf16(const Floats& x) {
  Halves y(x.size());
  std::transform(x.begin(), x.end(), y.begin(), [](float value) { return bf16(value); });
  return y;
}

inline Halves normal_halves(int64_t count, Random& random, float scale = 1.0f) {
  return in_bf16(normal_floats(count, random, scale));
}

inline double number(float x) { return static_cast<double>(x); }
inline double number(bf16 x) { return static_cast<double>(static_cast<float>(x)); }

// ---------------------------------------------------------------- comparison

// What rounding to nearest changes, as a share of the number.
inline constexpr double kBf16Rounding = 0x1p-8, kF32Rounding = 0x1p-24;

// Element i within tolerance(i) of expected[i]; a NaN where a NaN is expected.
template <class T, class Tolerance>
void expect_near(const std::vector<T>& got, const std::vector<double>& expected, const Tolerance& tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const double x = number(got[i]);
    if (std::isnan(expected[i]) && std::isnan(x)) continue;
    if (std::isinf(expected[i]) && x == expected[i]) continue;
    ASSERT_LE(std::fabs(x - expected[i]), tolerance(i)) << "element " << i << ": " << x << " and " << expected[i];
  }
}

template <class T>
::testing::AssertionResult same_bytes(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return ::testing::AssertionFailure() << a.size() << " and " << b.size() << " elements";
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(T)) != 0) return ::testing::AssertionFailure() << "differ at element " << i;
  }
  return ::testing::AssertionSuccess();
}

}  // namespace tern::testing
