// SPDX-License-Identifier: Apache-2.0
// The gradient of the normalization of bf16 rows, against its definition in double.
#include <gtest/gtest.h>

#include <limits>

#include "device/mixed/mixed_device.h"

namespace tern {
namespace {

using testing::expect_near;
using testing::Floats;
using testing::Halves;
using testing::kBf16Rounding;
using testing::kF32Rounding;
using testing::normal_floats;
using testing::normal_halves;
using testing::number;
using testing::OnDevice;
using testing::Random;
using testing::same_bytes;

using Doubles = std::vector<double>;

struct Rows {
  int64_t rows, cols;
};

// kXFactor is one over the other.
constexpr float kWeightScale = 0.37f, kXScale = 1.7f, kXFactor = kXScale / kWeightScale;

// Operands; `gate`, `add` or the scales of z, add or e are empty where there are none.
struct Operands {
  Halves x, gate, z, add;
  Floats weight, inv_rms, q_scale, add_scale, e_scale;
  int64_t z_stride;
};

Operands operands(const Rows& n, bool gated, bool added, Random& random) {
  Operands o;
  const int64_t count = n.rows * n.cols;
  o.x = normal_halves(count, random);
  if (gated) o.gate = normal_halves(count, random);
  if (added) o.add = normal_halves(count, random);
  o.z_stride = n.cols + 8 * static_cast<int64_t>(random() % 3);
  o.z = normal_halves(n.rows * o.z_stride, random);
  o.weight = normal_floats(n.cols, random);
  for (int64_t row = 0; row < n.rows; ++row) {
    const auto positive = [&] { return 0.25f + static_cast<float>(random() % 1024) / 512; };
    o.inv_rms.push_back(positive());
    o.q_scale.push_back(positive());
    if (added) o.add_scale.push_back(positive());
    o.e_scale.push_back(positive());
  }
  return o;
}

// Results, or what is expected of them with Σ|terms| of each.
template <class Half, class Float>
struct Gradients {
  std::vector<Half> d, e_gate, e_x;  // contiguous here
  std::vector<Float> d_weight;
};
using Results = Gradients<bf16, float>;
using Exact = Gradients<double, double>;

double relu(double x) { return x < 0 ? 0 : x; }

void pull_back(const Rows& n, const Operands& o, Exact& exact, Exact& magnitude) {
  const auto cols = static_cast<size_t>(n.cols);
  exact.d_weight.assign(cols, 0);
  magnitude.d_weight.assign(cols, 0);
  for (size_t row = 0; row < static_cast<size_t>(n.rows); ++row) {
    const double inv = number(o.inv_rms[row]);
    const auto of_row = [row](const Floats& scales) { return scales.empty() ? 1.0 : number(scales[row]); };
    const double e_factor = o.e_scale.empty() ? 1 : 1 / number(o.e_scale[row]);
    Doubles h(cols), g(cols);
    double sum = 0, sum_of_magnitudes = 0;
    for (size_t j = 0; j < cols; ++j) {
      const size_t at = row * cols + j;
      const double r = o.gate.empty() ? 1 : relu(number(o.gate[at]));
      h[j] = r * r * number(o.x[at]);
      const double dy =
          number(o.z[row * static_cast<size_t>(o.z_stride) + j]) * number(kWeightScale) * of_row(o.q_scale);
      g[j] = dy * number(o.weight[j]);
      sum += g[j] * h[j];
      sum_of_magnitudes += std::fabs(g[j] * h[j]);
      exact.d_weight[j] += dy * h[j] * inv;
      magnitude.d_weight[j] += std::fabs(dy * h[j] * inv);
    }
    const double by = inv * inv / static_cast<double>(n.cols);
    for (size_t j = 0; j < cols; ++j) {
      const size_t at = row * cols + j;
      const double dh = inv * (g[j] - h[j] * sum * by);
      const double of_dh = inv * (std::fabs(g[j]) + std::fabs(h[j]) * sum_of_magnitudes * by);
      if (o.gate.empty()) {
        const double add = o.add.empty() ? 0 : number(o.add[at]) * of_row(o.add_scale);
        exact.d.push_back((add + dh) * e_factor);
        magnitude.d.push_back((std::fabs(add) + of_dh) * e_factor);
        continue;
      }
      const double r = relu(number(o.gate[at]));
      const double of_gate = number(o.x[at]) * 2 * r * e_factor, of_x = r * r * e_factor * number(kXFactor);
      exact.e_gate.push_back(dh * of_gate);
      magnitude.e_gate.push_back(of_dh * std::fabs(of_gate));
      exact.e_x.push_back(dh * of_x);
      magnitude.e_x.push_back(of_dh * of_x);
    }
  }
}

struct Wanted {
  bool d_weight = true;
  bool in_place = false;  // d is add
};

class MixedNormBackward : public testing::MixedTest {
 protected:
  static Results device_results(const Rows& n, const Operands& o, const Wanted& wanted = {}) {
    const bool gated = !o.gate.empty();
    const int64_t count = n.rows * n.cols, padding = gated ? 16 : 0, e_stride = n.cols + padding;
    const OnDevice<bf16> x(o.x), gate(o.gate), z(o.z), add(o.add), d(count), e_gate(n.rows * e_stride),
        e_x(n.rows * e_stride);
    const OnDevice<float> weight(o.weight), inv_rms(o.inv_rms), q_scale(o.q_scale), add_scale(o.add_scale),
        e_scale(o.e_scale), d_weight(n.cols);
    const OnDevice<float> weight_scale(Floats{kWeightScale}), x_scale(Floats{kXScale});
    const OnDevice<bf16>& to = wanted.in_place ? add : d;
    const auto given = [](const Floats& scales, const OnDevice<float>& on_device) {
      return scales.empty() ? nullptr : on_device.data();
    };
    run(&MixedKernels::norm_backward, {n.rows,
                                       n.cols,
                                       x.data(),
                                       gated ? gate.data() : nullptr,
                                       weight.data(),
                                       inv_rms.data(),
                                       z.data(),
                                       o.z_stride,
                                       given(o.q_scale, q_scale),
                                       weight_scale.data(),
                                       o.add.empty() ? nullptr : add.data(),
                                       given(o.add_scale, add_scale),
                                       gated ? nullptr : to.data(),
                                       gated ? e_gate.data() : nullptr,
                                       gated ? e_x.data() : nullptr,
                                       e_stride,
                                       {x_scale.data(), weight_scale.data()},
                                       given(o.e_scale, e_scale),
                                       wanted.d_weight ? d_weight.data() : nullptr});
    Results results;
    if (!gated) results.d = to.values();
    if (gated) results.e_gate = packed(n, e_gate.values(), e_stride);
    if (gated) results.e_x = packed(n, e_x.values(), e_stride);
    if (wanted.d_weight) results.d_weight = d_weight.values();
    return results;
  }

  // Rows of a matrix with a stride, between which nothing may have been written.
  static Halves packed(const Rows& n, const Halves& x, int64_t stride) {
    Halves y;
    for (int64_t i = 0; i < n.rows * stride; ++i) {
      const bf16 value = x[static_cast<size_t>(i)];
      if (i % stride < n.cols) {
        y.push_back(value);
      } else {
        EXPECT_TRUE(OnDevice<bf16>::is_poison(value)) << "row " << i / stride << ", column " << i % stride;
      }
    }
    return y;
  }

  static void expect_case(const Rows& n, const Operands& o, const Wanted& wanted = {}) {
    SCOPED_TRACE(::testing::Message() << n.rows << " x " << n.cols << (o.gate.empty() ? "" : ", gated")
                                      << (o.add.empty() ? "" : ", added") << (wanted.in_place ? ", in place" : ""));
    const Results got = device_results(n, o, wanted);
    Exact exact, magnitude;
    pull_back(n, o, exact, magnitude);
    // About 16 roundings of each element, and those of the sum over a row as in norm_quantize_test.cpp.
    const double by_row = (static_cast<double>(n.cols) / 4096 + 48) * kF32Rounding;
    const auto expect_halves = [&](const Halves& x, const Doubles& expected, const Doubles& terms) {
      expect_near(x, expected, [&](size_t i) { return kBf16Rounding * std::fabs(expected[i]) + by_row * terms[i]; });
    };
    const bool gated = !o.gate.empty();
    if (!gated) expect_halves(got.d, exact.d, magnitude.d);
    if (gated) expect_halves(got.e_gate, exact.e_gate, magnitude.e_gate);
    if (gated) expect_halves(got.e_x, exact.e_x, magnitude.e_x);
    const double by_column = static_cast<double>(n.rows + 48) * kF32Rounding;
    if (wanted.d_weight) {
      expect_near(got.d_weight, exact.d_weight, [&](size_t i) { return by_column * magnitude.d_weight[i]; });
    }
  }
};

constexpr Rows kRows[] = {{0, 64},   {1, 8},    {2, 16},   {37, 120},  {3, 128},   {1, 136},   {2500, 384}, {7, 392},
                          {5, 512},  {6, 520},  {35, 768}, {3, 1024},  {2, 1032},  {9, 1536},  {4, 2048},   {2, 2056},
                          {5, 2560}, {3, 5120}, {4, 6912}, {1, 12288}, {2, 16384}, {2, 16392}, {300, 20000}};

TEST_F(MixedNormBackward, FollowsItsDefinition) {
  Random random(1);
  for (const Rows n : kRows) {
    expect_case(n, operands(n, false, true, random));
    expect_case(n, operands(n, false, true, random), {.in_place = true});
    expect_case(n, operands(n, false, false, random));
    expect_case(n, operands(n, true, false, random));
  }
}

// More of them than are under way at one time.
TEST_F(MixedNormBackward, OfManyRows) {
  Random random(5);
  for (const Rows n : {Rows{9001, 384}, Rows{4507, 768}, Rows{1201, 2560}, Rows{401, 6912}, Rows{503, 16392}}) {
    expect_case(n, operands(n, false, true, random), {.in_place = true});
    expect_case(n, operands(n, true, false, random));
  }
}

TEST_F(MixedNormBackward, WithoutWhatIsOptional) {
  Random random(2);
  for (const Rows n : {Rows{5, 48}, Rows{9, 768}, Rows{3, 2560}, Rows{2, 20000}}) {
    expect_case(n, operands(n, false, true, random), {.d_weight = false});
    expect_case(n, operands(n, true, false, random), {.d_weight = false});
    for (Floats Operands::*scales : {&Operands::q_scale, &Operands::add_scale, &Operands::e_scale}) {
      Operands o = operands(n, false, true, random);
      (o.*scales).clear();
      expect_case(n, o);
    }
  }
}

TEST_F(MixedNormBackward, KeepsNanInItsRow) {
  Random random(3);
  for (const int64_t cols : {384, 1024, 2560}) {
    const Rows n = {6, cols};
    for (const bool gated : {false, true}) {
      Operands o = operands(n, gated, false, random);
      o.x[static_cast<size_t>(2 * cols + 5)] = bf16(std::numeric_limits<float>::quiet_NaN());
      if (gated) o.gate[static_cast<size_t>(2 * cols + 5)] = bf16(1.0f);
      expect_case(n, o, {.d_weight = false});
    }
  }
}

TEST_F(MixedNormBackward, IsTheSameInEachRun) {
  Random random(4);
  for (const Rows n : {Rows{3001, 384}, Rows{1500, 1024}, Rows{700, 2560}}) {
    for (const bool gated : {false, true}) {
      const Operands o = operands(n, gated, !gated, random);
      const Results a = device_results(n, o), b = device_results(n, o);
      EXPECT_TRUE(same_bytes(a.d, b.d));
      EXPECT_TRUE(same_bytes(a.e_gate, b.e_gate));
      EXPECT_TRUE(same_bytes(a.e_x, b.e_x));
      EXPECT_TRUE(same_bytes(a.d_weight, b.d_weight));
    }
  }
}

}  // namespace
}  // namespace tern
