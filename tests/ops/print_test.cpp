// SPDX-License-Identifier: Apache-2.0
// Tensors as text. python/tests/test_print.py holds the same code to NumPy's texts of many more; those here are
// NumPy's, too.
#include "tern/print.h"

#include <gtest/gtest.h>

#include <complex>
#include <limits>
#include <sstream>

#include "support/fails_with.h"
#include "support/test_device.h"
#include "tern/creation.h"
#include "tern/ops.h"

namespace tern {
namespace {

using testing::fails_with;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInfinity = std::numeric_limits<double>::infinity();

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

Tensor doubles(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, cpu());
}

TEST(Print, AlignsNumbersInTheirBrackets) {
  const Tensor x = Tensor::from({1.0f, 2.5f, -3.0f, 1.0f / 3}, {2, 2}, cpu());
  EXPECT_EQ(to_string(x), "[[ 1.          2.5       ]\n [-3.          0.33333334]]");
  EXPECT_EQ(to_string(transpose(x), {.precision = 2, .separator = ", "}), "[[ 1.  , -3.  ],\n [ 2.5 ,  0.33]]");
  EXPECT_EQ(to_string(zeros({2, 1, 2}, DType::i8, cpu())), "[[[0 0]]\n\n [[0 0]]]");
  EXPECT_EQ(to_string(Tensor::from({true, false}, {2}, cpu())), "[ True False]");
  EXPECT_EQ(to_string(Tensor::from({std::complex<double>(1, 2), std::complex<double>(0, -1.5)}, {2}, cpu())),
            "[1.+2.j  0.-1.5j]");
}

TEST(Print, ANumberAloneAndNoneAtAll) {
  EXPECT_EQ(to_string(full({}, 0.5, DType::f32, cpu())), "0.5");
  EXPECT_EQ(to_string(full({}, true, DType::boolean, cpu())), "True");
  EXPECT_EQ(to_string(full({}, -7, DType::i64, cpu())), "-7");
  EXPECT_EQ(to_string(zeros({0, 3}, DType::f32, cpu())), "[]");
}

TEST(Print, ExponentsWhereSizesDiffer) {
  EXPECT_EQ(to_string(doubles({1e-9, 1})), "[1.e-09 1.e+00]");
  EXPECT_EQ(to_string(doubles({1e-9, 1}), {.suppress_small = true}), "[0. 1.]");
  EXPECT_EQ(to_string(doubles({1.25e300, 3})), "[1.25e+300 3.00e+000]");
  EXPECT_EQ(to_string(doubles({kNaN, 1, -kInfinity})), "[ nan   1. -inf]");
  EXPECT_EQ(to_string(doubles({-0.0, 99999999})), "[      -0. 99999999.]");
}

TEST(Print, DigitsAreThoseOfTheDType) {
  for (const auto& [dtype, text] :
       {std::pair(DType::f64, "[0.1        0.33333333]"), std::pair(DType::f32, "[0.1        0.33333334]"),
        std::pair(DType::f16, "[0.1    0.3333]"), std::pair(DType::bf16, "[0.1   0.334]")}) {
    EXPECT_EQ(to_string(cast(doubles({0.1, 1.0 / 3}), dtype)), text) << name_of(dtype);
  }
}

TEST(Print, LeavesOutTheMiddleOfWhatIsLong) {
  EXPECT_EQ(to_string(Tensor::arange(1001, DType::i64, cpu())), "[   0    1    2 ...  998  999 1000]");
  EXPECT_EQ(to_string(reshape(Tensor::arange(30, DType::i32, cpu()), {5, 6}), {.threshold = 9, .edge_items = 1}),
            "[[ 0 ...  5]\n ...\n [24 ... 29]]");
  EXPECT_EQ(to_string(Tensor::arange(6, DType::i64, cpu()), {.line_width = 8}), "[0 1 2\n 3 4 5]");
}

TEST(Print, GoesToStreams) {
  std::ostringstream out;
  out << Tensor::arange(3, DType::i64, cpu());
  EXPECT_EQ(out.str(), "[0 1 2]");
}

TEST(Print, NamesWhatItCannotDo) {
  const Tensor x = Tensor::arange(3, DType::i64, cpu());
  EXPECT_TRUE(
      fails_with("[to_string] expected a precision in [0, 20], got -1", [&] { to_string(x, {.precision = -1}); }));
  EXPECT_TRUE(fails_with("[to_string] expected edge_items > 0, got 0", [&] { to_string(x, {.edge_items = 0}); }));
  EXPECT_TRUE(fails_with("[to_string]", [] { to_string(Tensor()); }));
}

}  // namespace
}  // namespace tern
