// SPDX-License-Identifier: Apache-2.0
// The products of mixed-precision training: ternary ones to the bit, others within what f32 sums can lose.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <iterator>
#include <list>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "device/mixed/mixed_device.h"

namespace tern {
namespace {

using testing::mixed_device;
using testing::OnDevice;

// A matrix with `stride` elements between rows, of which `columns` are used, on the host and on the device.
template <class T>
struct Matrix {
  int64_t rows, columns, stride;
  std::vector<T> host;
  OnDevice<T> device;

  template <class Value>
  Matrix(int64_t row_count, int64_t column_count, int64_t row_stride, const Value& value)
      : rows(row_count), columns(column_count), stride(row_stride), host(made(rows * stride, value)), device(host) {}

  const T& at(int64_t row, int64_t column) const { return host[static_cast<size_t>(row * stride + column)]; }
  T* data() const { return device.data(); }
  std::vector<T> now() const { return device.values(); }

 private:
  template <class Value>
  static std::vector<T> made(int64_t count, const Value& value) {
    std::vector<T> all(static_cast<size_t>(count));
    for (T& each : all) each = value();
    return all;
  }
};

class MixedProducts : public testing::MixedTest {
 public:
  static void multiply(const MixedMatmulArgs& args) { run(&MixedKernels::matmul, args); }

 protected:
  int64_t integer(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  float real() { return std::normal_distribution<float>()(random_); }
  bf16 short_real() { return bf16(real()); }

  testing::Random random_{1};
};

// ---------------------------------------------------------------- ternary

struct TernaryCase {
  int64_t rows, k;
  std::vector<int64_t> columns;  // of the parts
  int64_t gap;                   // between the rows of y
  bool adds;                     // a residual in every second part that is not rotated, the first too
  int64_t dim = 0;               // of heads that are rotated in all parts but the last, or 0
  int64_t tokens = 1;            // of a sequence

  std::string name() const {
    std::string text = std::to_string(rows) + " rows, k " + std::to_string(k) + ", n";
    for (const int64_t n : columns) text += " " + std::to_string(n);
    return text;
  }
};

const TernaryCase kTernaryCases[] = {
    {1, 8, {8}, 0, false},
    {5, 64, {72}, 8, true},
    {33, 136, {128, 16}, 0, true},
    {127, 128, {136}, 16, false},
    {129, 384, {40, 0, 264}, 0, true},
    {513, 520, {128}, 8, true},
    {1000, 384, {384, 384, 384}, 0, false},
    {4100, 136, {200}, 24, true},
    {4229, 384, {384}, 0, true},
    {1111, 264, {1032, 1024}, 8, true},
    {8448, 8, {128}, 0, false},
    {1130, 384, {384, 384, 384}, 0, false, 64, 512},
    {1500, 136, {512, 128, 128}, 8, false, 128, 1000},
    {2205, 64, {192, 96, 96}, 0, false, 32, 7},
    {2305, 136, {256, 32, 96}, 8, false, 32, 256},
    {1300, 264, {512, 128, 136}, 0, true, 64, 128},
    {2920, 64, {128, 48, 48}, 0, false, 16, 2920},
    {2400, 64, {192, 96, 96}, 8, false, 96, 300},
    {515, 264, {256, 128, 128}, 0, false, 64, 515},
    {3, 64, {64, 64}, 8, false, 64, 2},
};

// Heads of dim columns side by side in a row of y. Products are rounded, so that the sums are the device's.
void rotate_row(bf16* y, int64_t n, int64_t dim, const float* cos, const float* sin) {
  for (int64_t low = 0; low < n; low % dim + 1 < dim / 2 ? ++low : low += dim / 2 + 1) {
    const int64_t high = low + dim / 2, turn = low % dim;
    const auto a = static_cast<float>(y[low]), b = static_cast<float>(y[high]);
    const volatile float ac = a * cos[turn], bs = b * sin[turn], bc = b * cos[turn], as = a * sin[turn];
    y[low] = bf16(ac - bs);
    y[high] = bf16(bc + as);
  }
}

TEST_F(MixedProducts, OfTernaryMatricesHaveTheBitsOfTheirDefinition) {
  for (const TernaryCase& c : kTernaryCases) {
    SCOPED_TRACE(c.name());
    const int64_t q_stride = quantized_stride(c.k);
    int64_t at = 0;
    const Matrix<int8_t> q(c.rows, c.k, q_stride,
                           [&] { return at++ % q_stride < c.k ? static_cast<int8_t>(integer(-127, 127)) : int8_t{0}; });
    std::vector<int32_t> sums;
    std::vector<float> scale;
    for (int64_t r = 0; r < c.rows; ++r) {
      int32_t sum = 0;
      for (int64_t i = 0; i < c.k; ++i) sum += q.at(r, i);
      sums.push_back(sum);
      scale.push_back(1.0f + std::abs(real()) * 30.0f);
    }
    const OnDevice<int32_t> sums_there(sums);
    const OnDevice<float> scale_there(scale);

    MixedTernaryArgs args = {};
    args.rows = c.rows;
    args.k = c.k;
    args.q_stride = q_stride;
    args.q = q.data();
    args.q_scale = scale_there.data();
    args.sums = sums_there.data();
    args.parts = static_cast<int>(c.columns.size());
    std::vector<float> cos, sin;
    for (int64_t i = 0; i < c.tokens * c.dim / 2; ++i) {
      cos.push_back(std::cos(static_cast<float>(i)));
      sin.push_back(std::sin(static_cast<float>(i)));
    }
    const OnDevice<float> cos_there(cos), sin_there(sin);
    args.rotation = {c.tokens, c.dim, cos_there.data(), sin_there.data()};
    std::list<Matrix<int8_t>> codes;
    std::list<Matrix<bf16>> residuals, results;
    std::list<OnDevice<uint8_t>> packed;
    std::vector<float> weight_scales;
    for (int p = 0; p < args.parts; ++p) weight_scales.push_back(0.02f * static_cast<float>(p + 1));
    const OnDevice<float> weight_scales_there(weight_scales);
    const Backend& backend = mixed_device().backend();
    const Kernels& kernels = backend.kernels();
    for (int p = 0; p < args.parts; ++p) {
      const int64_t n = c.columns[static_cast<size_t>(p)];
      codes.emplace_back(n, c.k, c.k, [&] { return static_cast<int8_t>(integer(-1, 1)); });
      residuals.emplace_back(c.rows, n, n, [&] { return short_real(); });
      results.emplace_back(c.rows, n, n + c.gap, [&] { return short_real(); });
      const bool rotated = c.dim > 0 && p + 1 < args.parts;
      const auto bytes = static_cast<int64_t>(kernels.ternary_packed_bytes(TernaryLayout::two_bit, n, c.k));
      packed.emplace_back(bytes);
      if (n > 0) {
        kernels.ternary_pack(backend.exec(),
                             {TernaryLayout::two_bit, n, c.k, 0, n, codes.back().data(), packed.back().data()});
      }
      args.part[p] = {.packed = packed.back().data(),
                      .n = n,
                      .weight_scale = weight_scales_there.data() + p,
                      .y = results.back().data(),
                      .y_stride = n + c.gap,
                      .residual = c.adds && p % 2 == 0 && !rotated ? residuals.back().data() : nullptr,
                      .rotated = rotated};
    }
    run(&MixedKernels::ternary_matmul, args);

    auto part_codes = codes.begin();
    auto part_residuals = residuals.begin();
    auto part_results = results.begin();
    for (int p = 0; p < args.parts; ++p, ++part_codes, ++part_residuals, ++part_results) {
      const std::vector<bf16> got = part_results->now();
      int64_t wrong = 0;
      for (int64_t r = 0; r < c.rows; ++r) {
        const float factor = weight_scales[static_cast<size_t>(p)] / scale[static_cast<size_t>(r)];
        std::vector<bf16> want;
        for (int64_t j = 0; j < part_results->stride; ++j) {
          want.push_back(part_results->at(r, j));  // untouched between the rows
          if (j >= args.part[p].n) continue;
          int32_t acc = 0;
          for (int64_t x = 0; x < c.k; ++x) acc += q.at(r, x) * part_codes->at(j, x);
          const float product = static_cast<float>(acc) * factor;
          want.back() = bf16(args.part[p].residual ? float(part_residuals->at(r, j)) + product : product);
        }
        const int64_t turn = r % c.tokens * c.dim / 2;
        if (args.part[p].rotated) rotate_row(want.data(), args.part[p].n, c.dim, &cos[turn], &sin[turn]);
        for (size_t j = 0; j < want.size(); ++j) {
          wrong += got[static_cast<size_t>(r * part_results->stride) + j].bits != want[j].bits;
        }
      }
      EXPECT_EQ(wrong, 0) << "part " << p;
    }
  }
}

// ---------------------------------------------------------------- dense

struct DenseCase {
  int64_t m, n, k;
  bool a_transposed, b_transposed;
  DType c_dtype;
  float alpha;
  bool accumulate;
  int64_t gap;  // between the lines of all matrices

  std::string name() const {
    return std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k) + (a_transposed ? " aT" : "") +
           (b_transposed ? " bT" : "") + (c_dtype == DType::f32 ? " f32" : " bf16") + (accumulate ? " +=" : "");
  }
};

const DenseCase kDenseCases[] = {
    {1, 8, 8, false, false, DType::f32, 1.0f, false, 0},
    {5, 72, 16, false, false, DType::bf16, 0.5f, false, 8},
    {131, 200, 264, false, false, DType::bf16, 1.0f, false, 0},
    {300, 136, 128, false, true, DType::bf16, 1.0f, false, 16},
    {256, 264, 1000, true, false, DType::f32, 0.25f, false, 8},
    {384, 128, 4096, true, false, DType::f32, 1.0f, true, 0},
    {8, 520, 77, true, false, DType::f32, 2.0f, true, 8},
    {129, 64, 512, false, false, DType::f32, 1.0f, true, 0},
    {512, 1024, 384, false, true, DType::bf16, 1.0f, false, 0},
};

// What the matrix of that case has in row i, column j.
template <class T>
T element(const Matrix<T>& x, bool transposed, int64_t i, int64_t j) {
  return transposed ? x.at(j, i) : x.at(i, j);
}

template <class T>
MixedMatrix view(const Matrix<T>& x, bool transposed) {
  return transposed ? MixedMatrix{x.data(), 1, x.stride} : MixedMatrix{x.data(), x.stride, 1};
}

// Of a sum of k products of bf16 numbers, which are exact, each addition loses less than a unit in the last place of
// f32, whether it rounds or cuts; alpha and what is added to take one rounding each. So |error| < (k +
// 3)·2^-23·Σ|a||b|, and half a unit in the last place of bf16 where that is what is stored.
template <class T, class B>
void expect_product(const DenseCase& c, const Matrix<bf16>& a, const Matrix<B>& b, const Matrix<T>& out) {
  const std::vector<T> got = out.now();
  double worst = 0;  // as a share of what is allowed
  bool kept = true;
  for (int64_t i = 0; i < c.m; ++i) {
    for (int64_t j = 0; j < out.stride; ++j) {
      const T value = got[static_cast<size_t>(i * out.stride + j)];
      if (j >= c.n) {
        kept = kept && float(value) == float(out.at(i, j));
        continue;
      }
      double sum = 0, magnitude = 0;
      for (int64_t x = 0; x < c.k; ++x) {
        const double product =
            double(float(element(a, c.a_transposed, i, x))) * double(float(element(b, c.b_transposed, x, j)));
        sum += product;
        magnitude += std::abs(product);
      }
      sum *= double(c.alpha);
      magnitude *= double(c.alpha);
      if (c.accumulate) {
        sum += double(float(out.at(i, j)));
        magnitude += std::abs(double(float(out.at(i, j))));
      }
      double allowed = static_cast<double>(c.k + 3) * std::ldexp(magnitude, -23) + 1e-30;
      if (c.c_dtype == DType::bf16) allowed += std::ldexp(std::abs(sum), -8);
      const double share = std::abs(double(float(value)) - sum) / allowed;
      worst = share > worst || std::isnan(share) ? share : worst;
    }
  }
  EXPECT_LE(worst, 1.0);
  EXPECT_TRUE(kept) << "wrote between the rows";
}

template <class T, class B, class MakeB>
void check_product(const DenseCase& c, const Matrix<bf16>& a, const MakeB& make_b, const Matrix<T>& out) {
  const auto length = [&](int64_t used) { return (used + 15) / 16 * 16 + c.gap * 2; };
  const int64_t b_rows = c.b_transposed ? c.n : c.k, b_columns = c.b_transposed ? c.k : c.n;
  const Matrix<B> b(b_rows, b_columns, length(b_columns), make_b);
  const MixedMatmulArgs args = {.m = c.m,
                                .n = c.n,
                                .k = c.k,
                                .a = view(a, c.a_transposed),
                                .b = view(b, c.b_transposed),
                                .c = out.data(),
                                .c_dtype = c.c_dtype,
                                .c_row_stride = out.stride,
                                .alpha = c.alpha,
                                .accumulate = c.accumulate};
  MixedProducts::multiply(args);
  expect_product(c, a, b, out);
}

TEST_F(MixedProducts, OfDenseMatricesAreAsGoodAsF32Sums) {
  for (const DenseCase& c : kDenseCases) {
    SCOPED_TRACE(c.name());
    const int64_t a_rows = c.a_transposed ? c.k : c.m, a_columns = c.a_transposed ? c.m : c.k;
    const Matrix<bf16> a(a_rows, a_columns, (a_columns + 7) / 8 * 8 + c.gap, [&] { return short_real(); });
    const auto make_b = [&] { return short_real(); };
    if (c.c_dtype == DType::f32) {
      check_product<float, bf16>(c, a, make_b, Matrix<float>(c.m, c.n, c.n + c.gap, [&] { return real(); }));
    } else {
      check_product<bf16, bf16>(c, a, make_b, Matrix<bf16>(c.m, c.n, c.n + c.gap, [&] { return short_real(); }));
    }
  }
}

// ---------------------------------------------------------------- gradients of masters

struct GradientInput {
  int64_t cols;
  std::vector<int64_t> parts;
  int unwanted;  // a part, or -1
  int64_t gap;   // between the rows of e
};
struct GradientCase {
  int64_t rows;
  std::vector<GradientInput> inputs;
};

// Some fill tiles of 256 by 256, of 192 by 384 or of 192 by 256, others none; of several inputs also one of them alone.
const GradientCase kGradientCases[] = {
    {1, {{256, {256}, -1, 0}}},
    {65, {{8, {8, 16}, 0, 8}}},
    {100, {{72, {136}, -1, 0}}},
    {1000, {{248, {512}, -1, 8}}},
    {777, {{768, {256, 504, 256}, 1, 0}}},
    {1500, {{256, {256, 256, 256}, -1, 16}}},
    {1003, {{384, {384, 384, 384}, -1, 0}}},
    {700, {{376, {192, 8, 184}, 1, 8}}},
    {64, {{384, {504, 72}, -1, 0}}},
    {130, {{384, {1024, 1024}, -1, 0}}},
    {333, {{1016, {384}, -1, 8}}},
    {5000, {{384, {192}, -1, 0}}},
    {0, {{16, {8}, -1, 0}}},
    {1100, {{256, {512, 512}, -1, 0}, {512, {256}, -1, 8}}},
    {300, {{384, {384, 384, 384}, 2, 8}, {384, {384}, -1, 0}, {1024, {384}, -1, 0}}},
    {90, {{256, {256}, -1, 0}, {8, {8, 40}, -1, 0}, {256, {0}, -1, 0}, {72, {256}, -1, 8}}},
    {0, {{256, {256}, -1, 0}, {16, {8}, -1, 0}}},
};

// An input of a case on the device.
struct GradientOperands {
  Matrix<bf16> e;
  Matrix<int8_t> q;
  std::list<OnDevice<float>> results;

  template <class Real, class Code>
  GradientOperands(int64_t rows, const GradientInput& input, const Real& real, const Code& code)
      : e(rows, columns(input), columns(input) + input.gap, real),
        q(rows, input.cols, quantized_stride(input.cols), code) {
    for (const int64_t n : input.parts) results.emplace_back(n * input.cols);
  }
  static int64_t columns(const GradientInput& input) {
    return std::accumulate(input.parts.begin(), input.parts.end(), int64_t{0});
  }
};

// The greatest error of rows [first, first + n) of the gradients, as a share of what is allowed, which is
// (rows + 4)·2^-23·Σ|e||q|.
double gradient_error(const GradientOperands& input, int64_t first, int64_t n, double factor,
                      const std::vector<float>& got) {
  double worst = 0;
  const int64_t rows = input.e.rows, cols = input.q.columns;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      double sum = 0, magnitude = 0;
      for (int64_t r = 0; r < rows; ++r) {
        const double product = testing::number(input.e.at(r, first + i)) * double(input.q.at(r, j));
        sum += product;
        magnitude += std::abs(product);
      }
      const double allowed = static_cast<double>(rows + 4) * std::ldexp(magnitude * factor, -23) + 1e-30;
      const double share = std::abs(double(got[static_cast<size_t>(i * cols + j)]) - sum * factor) / allowed;
      worst = share > worst || std::isnan(share) ? share : worst;
    }
  }
  return worst;
}

// As for the others, without what is added to, and with a quotient.
TEST_F(MixedProducts, OfGradientsAndCodesAreAsGoodAsF32Sums) {
  const std::vector<float> scales = {0.5f, 0.8f, 1.1f, 1.4f};
  const OnDevice<float> scales_there(scales);
  for (const GradientCase& c : kGradientCases) {
    SCOPED_TRACE(::testing::Message() << c.rows << " rows, " << c.inputs.size() << " inputs, the first of "
                                      << c.inputs[0].cols << " columns, " << c.inputs[0].parts.size() << " parts");
    std::list<GradientOperands> operands;
    MixedGradientArgs args = {.rows = c.rows, .inputs = static_cast<int>(c.inputs.size()), .input = {}};
    for (int k = 0; k < args.inputs; ++k) {
      const GradientInput& input = c.inputs[static_cast<size_t>(k)];
      GradientOperands& at = operands.emplace_back(
          c.rows, input, [&] { return short_real(); }, [&] { return static_cast<int8_t>(integer(-128, 127)); });
      args.input[k] = {.cols = input.cols,
                       .q_stride = at.q.stride,
                       .q = at.q.data(),
                       .e = at.e.data(),
                       .e_stride = at.e.stride,
                       .parts = static_cast<int>(input.parts.size()),
                       .part = {}};
      auto result = at.results.begin();
      for (int p = 0; p < args.input[k].parts; ++p, ++result) {
        args.input[k].part[p] = {input.parts[static_cast<size_t>(p)],
                                 p == input.unwanted ? nullptr : result->data(),
                                 {scales_there.data(), scales_there.data() + p}};
      }
    }
    run(&MixedKernels::weight_gradient, args);

    auto at = operands.begin();
    for (const GradientInput& input : c.inputs) {
      int64_t first = 0;
      auto result = at->results.begin();
      for (size_t p = 0; p < input.parts.size(); first += input.parts[p++], ++result) {
        if (static_cast<int>(p) == input.unwanted) continue;
        const double factor = double(scales[0]) / double(scales[p]);
        EXPECT_LE(gradient_error(*at, first, input.parts[p], factor, result->values()), 1.0)
            << "input " << std::distance(operands.begin(), at) << ", part " << p;
      }
      ++at;
    }
  }
}

TEST_F(MixedProducts, GiveTheSameBitsInEachRun) {
  const int64_t m = 256, n = 256, k = 8192;
  const Matrix<bf16> a(k, m, m, [&] { return short_real(); }), b(k, n, n, [&] { return short_real(); });
  std::vector<float> first;
  for (int i = 0; i < 3; ++i) {
    const Matrix<float> out(m, n, n, [&] { return real(); });
    multiply({.m = m,
              .n = n,
              .k = k,
              .a = view(a, true),
              .b = view(b, false),
              .c = out.data(),
              .c_dtype = DType::f32,
              .c_row_stride = n,
              .alpha = 1.0f,
              .accumulate = false});
    if (i == 0) first = out.now();
    EXPECT_EQ(out.now(), first);
  }
}

TEST_F(MixedProducts, OfNothingAreZeros) {
  const Matrix<bf16> empty(1, 8, 8, [&] { return short_real(); });
  const Matrix<float> out(3, 8, 16, [] { return 7.0f; });
  MixedMatmulArgs args = {.m = 3,
                          .n = 8,
                          .k = 0,
                          .a = {empty.data(), 8, 1},
                          .b = {empty.data(), 8, 1},
                          .c = out.data(),
                          .c_dtype = DType::f32,
                          .c_row_stride = 16,
                          .alpha = 1.0f,
                          .accumulate = true};
  multiply(args);
  EXPECT_EQ(out.now(), out.host);
  args.accumulate = false;
  multiply(args);
  const std::vector<float> got = out.now();
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], i % 16 < 8 ? 0.0f : 7.0f);
}

}  // namespace
}  // namespace tern
