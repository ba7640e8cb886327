// SPDX-License-Identifier: Apache-2.0
// Coded weights and activations against naive doubles: what the codes stand for is read back by products with unit
// vectors, so no test knows the layout.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "support/awkward.h"

namespace tern {
namespace {

using testing::awkward_floats;
using testing::Floats;
using testing::normal_floats;
using testing::run_kernel;
using testing::same_bits;

constexpr float kInf = std::numeric_limits<float>::infinity();

// A weight matrix in its own type and as floats.
struct Weights {
  int64_t rows, cols;
  DType dtype;
  Floats values;
  std::vector<uint16_t> halves;

  Weights(int64_t n, int64_t k, DType type, Floats x) : rows(n), cols(k), dtype(type), values(std::move(x)) {
    if (type == DType::f32) return;
    for (float& value : values) {
      halves.push_back(type == DType::bf16 ? bf16(value).bits : f16(value).bits);
      value = type == DType::bf16 ? static_cast<float>(bf16(value)) : static_cast<float>(f16(value));
    }
  }
  const void* data() const { return halves.empty() ? static_cast<const void*>(values.data()) : halves.data(); }
};

struct Coded {
  const Device* device;
  int64_t rows, cols;
  int bits;
  std::vector<uint8_t> memory;
  uint8_t* packed;
  Floats error, norm;

  Coded(const Device& on, const Weights& w, int width)
      : device(&on), rows(w.rows), cols(w.cols), bits(width), error(static_cast<size_t>(rows)), norm(error) {
    memory.resize(on.backend().kernels().coded_bytes(rows, cols, bits) + 64, 0xee);
    packed = memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64;
    run_kernel(on, &Kernels::code_rows, {rows, cols, bits, w.data(), w.dtype, packed, error.data(), norm.data()});
  }
};

struct Activations {
  int64_t rows, cols, stride;
  int planes;
  std::vector<int8_t> q;
  Floats scale;
  std::vector<int32_t> sums;
  Floats error, norm;

  Activations(const Device& device, const Floats& x, int64_t r, int64_t k, int p)
      : rows(r),
        cols(k),
        stride((k + 63) / 64 * 64),
        planes(p),
        q(static_cast<size_t>(r * p * stride), 99),
        scale(static_cast<size_t>(r * stride / 64)),
        sums(scale.size()),
        error(static_cast<size_t>(r)),
        norm(error) {
    run_kernel(device, &Kernels::code_activations,
               {rows, cols, stride, planes, x.data(), q.data(), scale.data(), sums.data(), error.data(), norm.data()});
  }
  // x̂, by its definition.
  double value(int64_t row, int64_t col) const {
    const int8_t* const at = q.data() + row * planes * stride + col;
    const int code = planes == 2 ? 128 * at[0] + at[stride] : at[0];
    return static_cast<double>(scale[static_cast<size_t>(row * stride / 64 + col / 64)]) * code;
  }
};

struct Products {
  Floats y, low, high;
};

Products multiply(const Coded& w, const Activations& x) {
  const auto size = static_cast<size_t>(w.rows * x.rows);
  Products out = {Floats(size), Floats(size), Floats(size)};
  run_kernel(
      *w.device, &Kernels::coded_linear,
      {x.rows, w.rows, w.cols, x.stride, w.bits, x.planes, w.packed, w.error.data(), w.norm.data(), x.q.data(),
       x.scale.data(), x.sums.data(), x.error.data(), x.norm.data(), out.y.data(), out.low.data(), out.high.data()});
  return out;
}

// ŵ to a relative 2^-22: columns of the identity code exactly but for their scale, 1/127·127.
std::vector<double> decoded(const Coded& w) {
  std::vector<double> out(static_cast<size_t>(w.rows * w.cols));
  for (int64_t col = 0; col < w.cols; ++col) {
    Floats unit(static_cast<size_t>(w.cols));
    unit[static_cast<size_t>(col)] = 1.0f;
    const Products p = multiply(w, Activations(*w.device, unit, 1, w.cols, 2));
    for (int64_t row = 0; row < w.rows; ++row) {
      out[static_cast<size_t>(row * w.cols + col)] = static_cast<double>(p.y[static_cast<size_t>(row)]);
    }
  }
  return out;
}

double norm_of(const std::vector<double>& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return std::sqrt(sum);
}

TEST(CodedRows, CodesAreNearAndTheirErrorIsStated) {
  for (const Device& device : testing::cpus()) {
    if (device.threads() != 2) continue;
    for (const int bits : {4, 6, 8}) {
      for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {3, 65}, {17, 130}, {16, 64}, {33, 19}}) {
        for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
          const Weights w(rows, cols, dtype, normal_floats(rows * cols, static_cast<uint32_t>(rows + bits)));
          const Coded coded(device, w, bits);
          const std::vector<double> values = decoded(coded);
          for (int64_t row = 0; row < rows; ++row) {
            double largest = 0;
            std::vector<double> difference, value;
            for (int64_t col = 0; col < cols; ++col) {
              const auto at = static_cast<size_t>(row * cols + col);
              value.push_back(static_cast<double>(w.values[at]));
              difference.push_back(value.back() - values[at]);
              largest = std::max(largest, std::fabs(value.back()));
            }
            const auto stated = [&](const Floats& f) { return static_cast<double>(f[static_cast<size_t>(row)]); };
            // Half a step: a block's step is its maximum / 2^(bits-1), raised to a multiple of 1/127 of the row's.
            const double half_step = largest / (1 << bits) * (1 + 2.0 / 127);
            for (const double d : difference) ASSERT_LE(std::fabs(d), half_step * 1.001) << device.description();
            const double slack = norm_of(value) * 1e-6;  // of `decoded`
            EXPECT_GE(stated(coded.error), norm_of(difference) - slack);
            EXPECT_LE(stated(coded.error), norm_of(difference) * 1.001 + slack);
            EXPECT_GE(stated(coded.norm), norm_of(value));
            EXPECT_LE(stated(coded.norm), norm_of(value) * 1.001);
          }
        }
      }
    }
  }
}

// The root mean square of the greatest of 64 |normals| is 2.64, and that of a rounding error a step / √12.
TEST(CodedRows, ErrorsOfNormalWeights) {
  const Device device = Device::open("cpu", {2, {}});
  const Weights w(64, 2560, DType::bf16, normal_floats(64 * 2560, 5, 0.02f));
  for (const int bits : {4, 6, 8}) {
    const Coded coded(device, w, bits);
    double share = 0;
    for (size_t row = 0; row < 64; ++row) share += static_cast<double>(coded.error[row] / coded.norm[row]) / 64;
    const double expected = 2.64 / (1 << (bits - 1)) / std::sqrt(12.0);
    EXPECT_GT(share, expected * 0.95);
    EXPECT_LT(share, expected * 1.05);
  }
}

TEST(CodedActivations, AreNearAndTheirErrorIsStated) {
  for (const Device& device : testing::cpus()) {
    for (const int64_t cols : {1, 15, 16, 17, 63, 64, 65, 130, 1009}) {
      for (const int planes : {1, 2}) {
        const Floats x = normal_floats(3 * cols, static_cast<uint32_t>(cols), 5.0f);
        const Activations coded(device, x, 3, cols, planes);
        for (int64_t row = 0; row < 3; ++row) {
          std::vector<double> difference, value;
          int64_t sum = 0;
          for (int64_t col = 0; col < coded.stride; ++col) {
            const double v = col < cols ? static_cast<double>(x[static_cast<size_t>(row * cols + col)]) : 0.0;
            value.push_back(v);
            difference.push_back(v - coded.value(row, col));
            const double scale =
                static_cast<double>(coded.scale[static_cast<size_t>(row * coded.stride / 64 + col / 64)]);
            ASSERT_LE(std::fabs(difference.back()), 0.5001 * scale);
            if (col % 64 == 0) sum = 0;
            sum += std::lround(coded.value(row, col) / scale);
            ASSERT_TRUE(col % 64 != 63 || sum == coded.sums[static_cast<size_t>(row * coded.stride / 64 + col / 64)]);
          }
          EXPECT_GE(static_cast<double>(coded.error[static_cast<size_t>(row)]), norm_of(difference));
          EXPECT_GE(static_cast<double>(coded.norm[static_cast<size_t>(row)]), norm_of(value));
          EXPECT_LE(static_cast<double>(coded.norm[static_cast<size_t>(row)]), norm_of(value) * 1.001);
          EXPECT_LE(static_cast<double>(coded.error[static_cast<size_t>(row)]), norm_of(difference) * 1.001 + 1e-12);
        }
      }
    }
  }
}

TEST(CodedLinear, IsTheProductOfWhatTheCodesStandFor) {
  const Device device = Device::open("cpu", {1, "scalar"});
  for (const int bits : {4, 6, 8}) {
    for (const int planes : {1, 2}) {
      const int64_t rows = 35, cols = 150, batch = 11;
      const Weights w(rows, cols, DType::f32, normal_floats(rows * cols, 3));
      const Coded coded(device, w, bits);
      const std::vector<double> values = decoded(coded);
      const Activations x(device, normal_floats(batch * cols, 4), batch, cols, planes);
      const Products p = multiply(coded, x);
      for (int64_t r = 0; r < batch; ++r) {
        for (int64_t j = 0; j < rows; ++j) {
          double sum = 0, size = 0;
          for (int64_t k = 0; k < cols; ++k) {
            const double term = x.value(r, k) * values[static_cast<size_t>(j * cols + k)];
            sum += term;
            size += std::fabs(term);
          }
          EXPECT_NEAR(static_cast<double>(p.y[static_cast<size_t>(r * rows + j)]), sum, size * 1e-6);
        }
      }
    }
  }
}

TEST(CodedLinear, TheSameBitsEverywhere) {
  for (const int bits : {4, 6, 8}) {
    for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {15, 63}, {17, 65}, {515, 257}, {40, 2560}}) {
      for (const bool awkward : {false, true}) {
        const int64_t batch = 5;
        const Weights w(rows, cols, DType::f32,
                        awkward ? awkward_floats(rows * cols, 6) : normal_floats(rows * cols, 6));
        const Floats x = awkward ? awkward_floats(batch * cols, 7) : normal_floats(batch * cols, 7);
        for (const int planes : {1, 2}) {
          Products first;
          Floats error, norm;
          for (const Device& device : testing::cpus()) {
            const Coded coded(device, w, bits);
            const Activations activations(device, x, batch, cols, planes);
            const Products p = multiply(coded, activations);
            // A row alone is the row among others.
            const Activations last(device, Floats(x.end() - cols, x.end()), 1, cols, planes);
            EXPECT_TRUE(same_bits(multiply(coded, last).y, Floats(p.y.end() - rows, p.y.end())));
            if (first.y.empty()) {
              first = p;
              error = coded.error;
              norm = coded.norm;
            }
            EXPECT_TRUE(same_bits(p.y, first.y)) << device.description();
            EXPECT_TRUE(same_bits(p.low, first.low)) << device.description();
            EXPECT_TRUE(same_bits(p.high, first.high)) << device.description();
            EXPECT_TRUE(same_bits(coded.error, error)) << device.description();
            EXPECT_TRUE(same_bits(coded.norm, norm)) << device.description();
          }
        }
      }
    }
  }
}

// Extremes of the codes: every byte product at its largest, with either sign.
TEST(CodedLinear, LargestSumsAreExact) {
  for (const Device& device : testing::cpus()) {
    for (const int bits : {4, 6, 8}) {
      const int64_t rows = 16, cols = 640;
      Floats values, x;
      for (int64_t i = 0; i < rows * cols; ++i) values.push_back(i / cols % 2 == 0 ? 1.0f : -1.0f);
      for (int64_t i = 0; i < cols; ++i) x.push_back(-1.0f);
      const Products p =
          multiply(Coded(device, Weights(rows, cols, DType::f32, values), bits), Activations(device, x, 1, cols, 2));
      for (size_t j = 0; j < 16; ++j) {
        const double expected = j % 2 == 0 ? -640 : 640;
        EXPECT_NEAR(static_cast<double>(p.y[j]), expected, 640.0 / (1 << bits)) << device.description();
        EXPECT_LE(p.low[j], expected);
        EXPECT_GE(p.high[j], expected);
      }
    }
  }
}

// The contract of low and high, over everything that is hard on it.
TEST(CodedLinear, BoundsHold) {
  std::mt19937 random(8);
  const std::vector<Device> devices = testing::cpus();
  int64_t known = 0;
  for (int round = 0; round < 300; ++round) {
    const Device& device = devices[random() % devices.size()];
    const int64_t rows = 1 + static_cast<int64_t>(random() % 70), cols = 1 + static_cast<int64_t>(random() % 300);
    Floats values = round % 5 == 0 ? awkward_floats(rows * cols, random()) : normal_floats(rows * cols, random());
    Floats x = round % 7 == 0 ? awkward_floats(cols, random()) : normal_floats(cols, random());
    if (round % 3 == 0) std::for_each(x.begin(), x.end(), [&](float& v) { v = random() % 8 == 0 ? v * 1e4f : v; });
    if (round % 11 == 1) {
      for (float& v : values) v = std::ldexp(v, 120);
    }
    if (round % 11 == 2) {
      for (float& v : values) v = std::ldexp(v, -135);
    }
    if (round % 13 == 3) {
      for (float& v : x) v = std::ldexp(v, round % 2 == 0 ? -140 : 125);
    }
    const DType dtype = round % 2 == 0 ? DType::f32 : round % 4 == 1 ? DType::bf16 : DType::f16;
    const Weights w(rows, cols, dtype, values);
    const int bits = 4 + 2 * static_cast<int>(random() % 3);
    const Products p = multiply(Coded(device, w, bits), Activations(device, x, 1, cols, 1 + round % 2));
    Floats exact(static_cast<size_t>(rows));
    run_kernel(device, &Kernels::linear, {1, rows, cols, x.data(), w.data(), dtype, exact.data()});
    for (size_t j = 0; j < exact.size(); ++j) {
      if (std::isnan(p.low[j]) || std::isnan(p.high[j])) continue;
      ASSERT_TRUE(std::isfinite(exact[j]) || !std::isfinite(p.low[j]) || !std::isfinite(p.high[j])) << exact[j];
      ASSERT_LE(p.low[j], exact[j]) << "round " << round << ", " << rows << " x " << cols << ", " << bits << " bits";
      ASSERT_GE(p.high[j], exact[j]) << "round " << round << ", " << rows << " x " << cols << ", " << bits << " bits";
      known += std::isfinite(p.low[j]) && std::isfinite(p.high[j]);
    }
  }
  EXPECT_GT(known, 5000);
}

TEST(CodedLinear, OutputsThatAreNotAskedForAreLeftAlone) {
  const Device device = Device::open("cpu", {1, {}});
  const Weights w(20, 30, DType::f32, normal_floats(600, 1));
  const Coded coded(device, w, 6);
  const Activations x(device, normal_floats(30, 2), 1, 30, 1);
  const Products all = multiply(coded, x);
  Floats y(20);
  run_kernel(device, &Kernels::coded_linear,
             {1, 20, 30, x.stride, 6, 1, coded.packed, coded.error.data(), coded.norm.data(), x.q.data(),
              x.scale.data(), x.sums.data(), x.error.data(), x.norm.data(), y.data(), nullptr, nullptr});
  EXPECT_EQ(y, all.y);
  run_kernel(device, &Kernels::coded_linear,
             {1, 20, 30, x.stride, 6, 1, coded.packed, coded.error.data(), coded.norm.data(), x.q.data(),
              x.scale.data(), x.sums.data(), x.error.data(), x.norm.data(), nullptr, nullptr, y.data()});
  EXPECT_EQ(y, all.high);
}

TEST(LinearRows, AreRowsOfLinear) {
  std::mt19937 random(2);
  for (const Device& device : testing::cpus()) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const int64_t cols : {0, 1, 15, 16, 17, 130, 1009}) {
        const int64_t rows = 37;
        const Weights w(rows, cols, dtype, awkward_floats(rows * cols, 3));
        const Floats x = awkward_floats(cols, 4);
        Floats all(static_cast<size_t>(rows));
        run_kernel(device, &Kernels::linear, {1, rows, cols, x.data(), w.data(), dtype, all.data()});
        for (const int64_t count : {0, 1, 3, 4, 5, 200}) {
          std::vector<int64_t> ids;
          Floats expected, got(static_cast<size_t>(count), kInf);
          for (int64_t i = 0; i < count; ++i) {
            ids.push_back(static_cast<int64_t>(random() % static_cast<uint32_t>(rows)));
            expected.push_back(all[static_cast<size_t>(ids.back())]);
          }
          run_kernel(device, &Kernels::linear_rows, {count, cols, x.data(), w.data(), dtype, ids.data(), got.data()});
          EXPECT_TRUE(same_bits(got, expected)) << device.description();
        }
      }
    }
  }
}

}  // namespace
}  // namespace tern
