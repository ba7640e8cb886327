// SPDX-License-Identifier: Apache-2.0
// Functions of elements in every dtype, against long double, integers of 128 bits and the definition of rounding.
#include "tern/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <limits>
#include <string>

#include "support/array_tensors.h"
#include "support/fails_with.h"
#include "support/test_device.h"

namespace tern {
namespace {

using testing::holds;
using testing::Number;
using testing::Numbers;
using testing::numbers_of;
using testing::Real;
using testing::same_tensor;
using testing::tensor_of;

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

const Device& cpu() {
  static const Device device = testing::test_device();
  return device;
}

__extension__ using Wide = __int128;
__extension__ using UnsignedWide = unsigned __int128;

constexpr DType kReals[] = {DType::f32, DType::f64, DType::f16, DType::bf16};
constexpr DType kIntegers[] = {DType::i8,  DType::u8,  DType::i16, DType::u16,
                               DType::i32, DType::u32, DType::i64, DType::u64};

// What the functions compute in.
DType worked_in(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype; }

int mantissa_of(DType dtype) {
  return dtype == DType::f32 || dtype == DType::c64 ? 23 : dtype == DType::f16 ? 10 : dtype == DType::bf16 ? 7 : 52;
}

// |got - expected| in units of the last place that the dtype has there; 0 for the same special value.
Real ulps(DType dtype, Real got, Real expected) {
  if (std::isnan(got) || std::isnan(expected)) return std::isnan(got) && std::isnan(expected) ? 0 : HUGE_VALL;
  if (got == 0 && expected == 0) return std::signbit(got) == std::signbit(expected) ? 0 : HUGE_VALL;
  const Real rounded = testing::rounded_to(dtype, expected);
  if (std::isinf(got) || std::isinf(rounded)) return got == rounded ? 0 : HUGE_VALL;
  const int least = dtype == DType::f64 || dtype == DType::c128 ? -1022 : dtype == DType::f16 ? -14 : -126;
  const int exponent = expected == 0 ? least : std::max(least, std::ilogb(expected));
  return std::fabs(got - expected) / std::ldexp(1.0L, exponent - mantissa_of(dtype));
}

// The C library's own errors (glibc's manual: at most 2 ulps for these) and its rounding; f16 and bf16 are such an f32,
// of 2^-13 of their ulps, rounded once more.
Real tolerance_of(DType dtype, bool exact) {
  if (dtype == DType::f16 || dtype == DType::bf16) return 0.5L + 0x1p-10L;
  return exact ? 0.5L : 2.5L;
}

struct UnaryCase {
  const char* name;
  Unary op;
  Real (*oracle)(Real);
  bool exact;  // correctly rounded
};

Real sign_of(Real x) { return std::isnan(x) ? x : x > 0 ? 1 : x < 0 ? -1 : 0; }

const UnaryCase kUnary[] = {
    {"abs", abs, [](Real x) { return std::fabs(x); }, true},
    {"negative", negative, [](Real x) { return -x; }, true},
    {"positive", positive, [](Real x) { return x; }, true},
    {"square", square, [](Real x) { return x * x; }, true},
    {"sqrt", sqrt, [](Real x) { return std::sqrt(x); }, true},
    {"reciprocal", reciprocal, [](Real x) { return 1 / x; }, true},
    {"sign", sign, sign_of, true},
    {"floor", floor, [](Real x) { return std::floor(x); }, true},
    {"ceil", ceil, [](Real x) { return std::ceil(x); }, true},
    {"trunc", trunc, [](Real x) { return std::trunc(x); }, true},
    {"round", round, [](Real x) { return std::nearbyint(x); }, true},
    {"expm1", expm1, [](Real x) { return std::expm1(x); }, false},
    {"log1p", log1p, [](Real x) { return std::log1p(x); }, false},
    {"log2", log2, [](Real x) { return std::log2(x); }, false},
    {"log10", log10, [](Real x) { return std::log10(x); }, false},
    {"sin", sin, [](Real x) { return std::sin(x); }, false},
    {"cos", cos, [](Real x) { return std::cos(x); }, false},
    {"tan", tan, [](Real x) { return std::tan(x); }, false},
    {"asin", asin, [](Real x) { return std::asin(x); }, false},
    {"acos", acos, [](Real x) { return std::acos(x); }, false},
    {"atan", atan, [](Real x) { return std::atan(x); }, false},
    {"sinh", sinh, [](Real x) { return std::sinh(x); }, false},
    {"cosh", cosh, [](Real x) { return std::cosh(x); }, false},
    {"asinh", asinh, [](Real x) { return std::asinh(x); }, false},
    {"acosh", acosh, [](Real x) { return std::acosh(x); }, false},
    {"atanh", atanh, [](Real x) { return std::atanh(x); }, false},
};

void expect_unary(const UnaryCase& c, const Tensor& x, DType result) {
  SCOPED_TRACE(std::string(c.name) + " of " + std::string(name_of(x.dtype())));
  const Tensor y = c.op(x);
  ASSERT_EQ(y.dtype(), result);
  ASSERT_EQ(y.shape(), x.shape());
  const Numbers from = numbers_of(x), got = numbers_of(y);
  for (size_t i = 0; i < from.size(); ++i) {
    const Real given = testing::converted(x.dtype(), from[i], worked_in(result)).re;
    ASSERT_LE(ulps(result, got[i].re, c.oracle(given)), tolerance_of(result, c.exact))
        << "of " << given << ": " << got[i].re << ", not " << c.oracle(given);
  }
}

TEST(Elementwise, UnaryAgreesWithLongDouble) {
  for (const UnaryCase& c : kUnary) {
    for (const DType dtype : kReals) {
      for (const int64_t size : {0, 1, 15, 17, 3001}) {
        expect_unary(c, testing::awkward_tensor(dtype, {size}, 3, cpu()), dtype);
      }
    }
  }
  // Those that models have for f32 (math_test.cpp): f64 here.
  const UnaryCase others[] = {{"exp", exp, [](Real x) { return std::exp(x); }, false},
                              {"log", log, [](Real x) { return std::log(x); }, false},
                              {"tanh", tanh, [](Real x) { return std::tanh(x); }, false}};
  for (const UnaryCase& c : others) expect_unary(c, testing::awkward_tensor(DType::f64, {3001}, 3, cpu()), DType::f64);
}

// Numbers of the size that functions are used with, where the awkward ones mostly overflow.
TEST(Elementwise, UnaryAgreesWithLongDoubleNearOne) {
  for (const UnaryCase& c : kUnary) {
    for (const DType dtype : kReals) {
      Numbers numbers;
      for (int i = -2000; i <= 2000; ++i) numbers.push_back({testing::rounded_to(dtype, static_cast<Real>(i) / 371)});
      expect_unary(c, tensor_of(numbers, dtype, cpu()), dtype);
    }
  }
}

TEST(Elementwise, UnaryOfIntegers) {
  for (const DType dtype : kIntegers) {
    const Tensor x = testing::awkward_tensor(dtype, {1009}, 4, cpu());
    for (const UnaryCase& c : kUnary) {
      const std::string name = c.name;
      const bool keeps = name == "abs" || name == "negative" || name == "positive" || name == "square" ||
                         name == "sign" || name == "floor" || name == "ceil" || name == "trunc" || name == "round";
      if (!keeps) {
        expect_unary(c, x, DType::f32);
        continue;
      }
      const Numbers from = numbers_of(x), got = numbers_of(c.op(x));
      ASSERT_EQ(c.op(x).dtype(), dtype) << name;
      for (size_t i = 0; i < from.size(); ++i) {
        const auto wide = static_cast<UnsignedWide>(static_cast<Wide>(from[i].re));
        const Real expected =
            name == "square" ? static_cast<Real>(static_cast<uint64_t>(wide * wide)) : c.oracle(from[i].re);
        ASSERT_EQ(got[i].re, testing::wrapped(dtype, expected))
            << name << " of " << from[i].re << " " << name_of(dtype);
      }
    }
  }
}

TEST(Elementwise, Questions) {
  for (const DType dtype : testing::all_dtypes()) {
    const Tensor x = testing::awkward_tensor(dtype, {1009}, 5, cpu());
    const Numbers from = numbers_of(x);
    const auto expect = [&](Unary op, bool (*oracle)(const Number&)) {
      Numbers expected;
      for (const Number& n : from) expected.push_back({oracle(n) ? 1.0L : 0.0L});
      EXPECT_TRUE(holds(op(x), DType::boolean, expected)) << name_of(dtype);
    };
    expect(isfinite, [](const Number& n) { return std::isfinite(n.re) && std::isfinite(n.im); });
    expect(isinf, [](const Number& n) { return std::isinf(n.re) || std::isinf(n.im); });
    expect(isnan, [](const Number& n) { return std::isnan(n.re) || std::isnan(n.im); });
    expect(logical_not, [](const Number& n) { return n.re == 0 && n.im == 0; });
    if (dtype == DType::boolean || is_complex(dtype)) {
      EXPECT_TRUE(testing::fails_with("[signbit] expected x of", [&] { signbit(x); }));
    } else {
      expect(signbit, [](const Number& n) { return std::signbit(n.re); });
    }
  }
}

// ---------------------------------------------------------------- two inputs

struct BinaryCase {
  const char* name;
  Binary op;
  Real (*oracle)(Real, Real);
  bool exact;
};

Real remainder_of(Real a, Real b) {
  const Real rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(0.0L, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

const BinaryCase kBinary[] = {
    {"add", add, [](Real a, Real b) { return a + b; }, true},
    {"subtract", subtract, [](Real a, Real b) { return a - b; }, true},
    {"multiply", multiply, [](Real a, Real b) { return a * b; }, true},
    {"divide", divide, [](Real a, Real b) { return a / b; }, true},
    {"remainder", remainder, remainder_of, true},
    {"minimum", minimum, [](Real a, Real b) { return std::isnan(a) || a < b ? a : b; }, true},
    {"maximum", maximum, [](Real a, Real b) { return std::isnan(a) || a > b ? a : b; }, true},
    {"copysign", copysign, [](Real a, Real b) { return std::copysign(a, b); }, true},
    {"pow", pow, [](Real a, Real b) { return std::pow(a, b); }, false},
    {"atan2", atan2, [](Real a, Real b) { return std::atan2(a, b); }, false},
    {"hypot", hypot, [](Real a, Real b) { return std::hypot(a, b); }, false},
};

void expect_binary(const BinaryCase& c, const Tensor& a, const Tensor& b) {
  SCOPED_TRACE(std::string(c.name) + " of " + std::string(name_of(a.dtype())) + " and " +
               std::string(name_of(b.dtype())));
  const DType dtype = result_type(a.dtype(), b.dtype()), inner = worked_in(dtype);
  const Tensor y = c.op(a, b);
  ASSERT_EQ(y.dtype(), dtype);
  const Numbers left = numbers_of(a), right = numbers_of(b), got = numbers_of(y);
  for (size_t i = 0; i < left.size(); ++i) {
    const Real p = testing::converted(a.dtype(), left[i], inner).re,
               q = testing::converted(b.dtype(), right[i], inner).re;
    // Twice: f16 and bf16 are a rounded f32.
    const Real once = testing::rounded_to(inner, c.oracle(p, q));
    const Real expected = c.exact ? testing::rounded_to(dtype, once) : c.oracle(p, q);
    // A long double's sum of two doubles may be rounded itself: half an ulp more.
    const Real allowed = !c.exact ? tolerance_of(dtype, false) : dtype == DType::f64 ? 1 : 0;
    ASSERT_LE(ulps(dtype, got[i].re, expected), allowed) << p << ", " << q << ": " << got[i].re << ", not " << expected;
  }
}

TEST(Elementwise, BinaryAgreesWithLongDouble) {
  for (const BinaryCase& c : kBinary) {
    for (const DType dtype : kReals) {
      for (const int64_t size : {0, 1, 17, 6007}) {
        expect_binary(c, testing::awkward_tensor(dtype, {size}, 6, cpu()),
                      testing::awkward_tensor(dtype, {size}, 7, cpu()));
      }
    }
  }
}

TEST(Elementwise, MixedDtypesArePromoted) {
  for (const DType first : testing::all_dtypes()) {
    for (const DType second : testing::all_dtypes()) {
      const DType dtype = result_type(first, second);
      const Tensor a = testing::awkward_tensor(first, {1009}, 8, cpu()),
                   b = testing::awkward_tensor(second, {1009}, 9, cpu());
      if (is_float(dtype)) {
        for (const BinaryCase& c : kBinary) {
          if (std::string(c.name) != "hypot" && std::string(c.name) != "pow") expect_binary(c, a, b);
        }
      } else if (dtype != DType::boolean) {
        EXPECT_TRUE(same_tensor(add(a, b), add(cast(a, dtype), cast(b, dtype))));
      }
      const DType inner = worked_in(dtype);
      EXPECT_TRUE(same_tensor(equal(a, b), equal(cast(a, inner), cast(b, inner))));
      const Tensor condition = testing::awkward_tensor(DType::boolean, {1009}, 10, cpu());
      const Tensor chosen = where(condition, a, b);
      const Numbers from_a = numbers_of(cast(a, dtype)), from_b = numbers_of(cast(b, dtype)), c = numbers_of(condition);
      Numbers expected;
      for (size_t i = 0; i < c.size(); ++i) expected.push_back(c[i].re != 0 ? from_a[i] : from_b[i]);
      EXPECT_TRUE(holds(chosen, dtype, expected)) << name_of(first) << name_of(second);
    }
  }
}

Wide floor_quotient(Wide a, Wide b) { return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0); }

TEST(Elementwise, IntegersWrap) {
  struct Case {
    const char* name;
    Binary op;
    Wide (*oracle)(Wide a, Wide b);
  };
  const Case cases[] = {
      {"add", add, [](Wide a, Wide b) { return a + b; }},
      {"sub", sub, [](Wide a, Wide b) { return a - b; }},
      {"mul", mul,
       [](Wide a, Wide b) { return static_cast<Wide>(static_cast<UnsignedWide>(a) * static_cast<UnsignedWide>(b)); }},
      {"div", div, [](Wide a, Wide b) { return a / b; }},
      {"floor_divide", floor_divide, floor_quotient},
      {"remainder", remainder, [](Wide a, Wide b) { return a - b * floor_quotient(a, b); }},
      {"minimum", minimum, [](Wide a, Wide b) { return a < b ? a : b; }},
      {"maximum", maximum, [](Wide a, Wide b) { return a > b ? a : b; }},
      {"and", bitwise_and, [](Wide a, Wide b) { return a & b; }},
      {"or", bitwise_or, [](Wide a, Wide b) { return a | b; }},
      {"xor", bitwise_xor, [](Wide a, Wide b) { return a ^ b; }},
  };
  for (const DType dtype : kIntegers) {
    const Tensor a = testing::awkward_tensor(dtype, {3001}, 11, cpu());
    const Tensor given = testing::awkward_tensor(dtype, {3001}, 12, cpu());
    const Tensor b = where(equal(given, beside(given, 0)), beside(given, 7), given);
    const Numbers left = numbers_of(a), right = numbers_of(b);
    const Real size = std::ldexp(1.0L, testing::bits_of(dtype));
    for (const Case& c : cases) {
      const Numbers got = numbers_of(c.op(a, b));
      for (size_t i = 0; i < left.size(); ++i) {
        const Wide exact = c.oracle(static_cast<Wide>(left[i].re), static_cast<Wide>(right[i].re));
        const auto low = static_cast<uint64_t>(static_cast<UnsignedWide>(exact));
        const Real expected = testing::wrapped(dtype, std::fmod(static_cast<Real>(low), size));
        ASSERT_EQ(got[i].re, expected) << c.name << " " << name_of(dtype) << ": " << left[i].re << ", " << right[i].re;
      }
    }
  }
}

TEST(Elementwise, ShiftsAndPowersOfIntegers) {
  const auto numbers = [](std::initializer_list<Real> values) {
    Numbers out;
    for (const Real value : values) out.push_back({value});
    return out;
  };
  for (const DType dtype : kIntegers) {
    const bool is_signed = is_signed_integer(dtype);
    const int bits = testing::bits_of(dtype);
    const Real low = is_signed ? -5 : 5, last = is_signed ? -1 : 0;
    const Tensor a = tensor_of(numbers({1, 3, low, low, low, 100}), dtype, cpu());
    const Tensor by = tensor_of(numbers({0, 2, 1, static_cast<Real>(bits), 100, 1}), dtype, cpu());
    EXPECT_TRUE(holds(bitwise_left_shift(a, by), dtype, numbers({1, 12, 2 * low, 0, 0, testing::wrapped(dtype, 200)})));
    EXPECT_TRUE(holds(bitwise_right_shift(a, by), dtype, numbers({1, 0, is_signed ? -3.0L : 2.0L, last, last, 50})));
    const Tensor base = tensor_of(numbers({0, 0, 1, 2, 3, 2}), dtype, cpu());
    const Tensor exponent = tensor_of(numbers({0, 5, 100, 6, 4, 64}), dtype, cpu());
    EXPECT_TRUE(holds(pow(base, exponent), dtype, numbers({1, 0, 1, 64, 81, 0})));
    if (!is_signed) continue;
    EXPECT_TRUE(holds(pow(tensor_of(numbers({-1, -1, 1, 2, -3}), dtype, cpu()),
                          tensor_of(numbers({-3, -2, -7, -1, 3}), dtype, cpu())),
                      dtype, numbers({-1, 1, 1, 0, -27})));
  }
}

TEST(Elementwise, ComparisonsAndLogic) {
  for (const DType dtype : testing::all_dtypes()) {
    const Tensor a = testing::awkward_tensor(dtype, {3001}, 13, cpu());
    const Tensor mixed = testing::awkward_tensor(dtype, {3001}, 14, cpu());
    const Tensor b = where(testing::awkward_tensor(DType::boolean, {3001}, 15, cpu()), a, mixed);
    const Numbers left = numbers_of(a), right = numbers_of(b);
    const auto expect = [&](Binary op, bool (*oracle)(const Number&, const Number&)) {
      Numbers expected;
      for (size_t i = 0; i < left.size(); ++i) expected.push_back({oracle(left[i], right[i]) ? 1.0L : 0.0L});
      EXPECT_TRUE(holds(op(a, b), DType::boolean, expected)) << name_of(dtype);
    };
    expect(equal, [](const Number& p, const Number& q) { return p.re == q.re && p.im == q.im; });
    expect(not_equal, [](const Number& p, const Number& q) { return p.re != q.re || p.im != q.im; });
    expect(logical_and,
           [](const Number& p, const Number& q) { return (p.re != 0 || p.im != 0) && (q.re != 0 || q.im != 0); });
    expect(logical_or,
           [](const Number& p, const Number& q) { return p.re != 0 || p.im != 0 || q.re != 0 || q.im != 0; });
    expect(logical_xor,
           [](const Number& p, const Number& q) { return (p.re != 0 || p.im != 0) != (q.re != 0 || q.im != 0); });
    if (is_complex(dtype)) {
      EXPECT_TRUE(testing::fails_with("[less] expected a of bool or an integer or a float dtype", [&] { less(a, b); }));
      continue;
    }
    expect(less, [](const Number& p, const Number& q) { return p.re < q.re; });
    expect(less_equal, [](const Number& p, const Number& q) { return p.re <= q.re; });
    expect(greater, [](const Number& p, const Number& q) { return p.re > q.re; });
    expect(greater_equal, [](const Number& p, const Number& q) { return p.re >= q.re; });
  }
}

TEST(Elementwise, BoolHasItsLogic) {
  const Tensor a = Tensor::from_bytes(std::as_bytes(std::span("\0\0\1\1", 4)), {4}, DType::boolean, cpu());
  const Tensor b = Tensor::from_bytes(std::as_bytes(std::span("\0\1\0\1", 4)), {4}, DType::boolean, cpu());
  const Numbers any = {{0}, {1}, {1}, {1}}, both = {{0}, {0}, {0}, {1}}, one = {{0}, {1}, {1}, {0}};
  for (const Binary op : {Binary{add}, Binary{maximum}, Binary{bitwise_or}, Binary{logical_or}}) {
    EXPECT_TRUE(holds(op(a, b), DType::boolean, any));
  }
  for (const Binary op : {Binary{mul}, Binary{minimum}, Binary{bitwise_and}, Binary{logical_and}}) {
    EXPECT_TRUE(holds(op(a, b), DType::boolean, both));
  }
  for (const Binary op : {Binary{bitwise_xor}, Binary{logical_xor}, Binary{not_equal}}) {
    EXPECT_TRUE(holds(op(a, b), DType::boolean, one));
  }
  EXPECT_TRUE(holds(bitwise_invert(a), DType::boolean, {{1}, {1}, {0}, {0}}));
  EXPECT_TRUE(holds(bitwise_invert(tensor_of({{0}, {1}, {-7}}, DType::i16, cpu())), DType::i16, {{-1}, {-2}, {6}}));
}

// ---------------------------------------------------------------- special values

constexpr Real kInf = HUGE_VALL;
const Real kNan = std::numeric_limits<Real>::quiet_NaN();

void expect_special(Binary op, Real a, Real b, Real expected) {
  for (const DType dtype : kReals) {
    const Real got = numbers_of(op(tensor_of({{a}}, dtype, cpu()), tensor_of({{b}}, dtype, cpu())))[0].re;
    EXPECT_TRUE(testing::same(got, expected))
        << name_of(dtype) << " " << a << ", " << b << ": " << got << ", not " << expected;
  }
}

TEST(Elementwise, QuotientsRoundDownAsTheStandardHasIt) {
  const Real cases[][3] = {
      {7, 2, 3},         {-7, 2, -4},        {7, -2, -4},     {-7, -2, 3},       {6, 3, 2},
      {-6, 3, -2},       {1, 0, kInf},       {-1, 0, -kInf},  {1, -0.0L, -kInf}, {0, 3, 0},
      {-0.0L, 3, -0.0L}, {0, -3, -0.0L},     {-0.0L, -3, 0},  {0, 0, kNan},      {kInf, 2, kInf},
      {-kInf, 2, -kInf}, {kInf, -2, -kInf},  {5, kInf, 0},    {5, -kInf, -0.0L}, {-5, kInf, -0.0L},
      {-5, -kInf, 0},    {kInf, kInf, kNan}, {kNan, 1, kNan}, {1, kNan, kNan},   {1, 0.1015625L, 9}};
  for (const auto& c : cases) expect_special(floor_divide, c[0], c[1], c[2]);
  const Real rests[][3] = {{7, 2, 1},     {-7, 2, 1},        {7, -2, -1},      {-7, -2, -1},
                           {-0.0L, 3, 0}, {0, -3, -0.0L},    {1, 0, kNan},     {kInf, 2, kNan},
                           {5, kInf, 5},  {5, -kInf, -kInf}, {-5, kInf, kInf}, {-5, -kInf, -5}};
  for (const auto& c : rests) expect_special(remainder, c[0], c[1], c[2]);
}

TEST(Elementwise, ExtremaOfNan) {
  for (const Binary op : {Binary{minimum}, Binary{maximum}}) {
    expect_special(op, kNan, 1, kNan);
    expect_special(op, 1, kNan, kNan);
  }
}

TEST(Elementwise, SumsOfExponentials) {
  expect_special(logaddexp, kInf, 1, kInf);
  expect_special(logaddexp, -kInf, -kInf, -kInf);
  expect_special(logaddexp, -kInf, 2, 2);
  expect_special(logaddexp, kInf, -kInf, kInf);
  expect_special(logaddexp, kInf, kInf, kInf);
  expect_special(logaddexp, kNan, kInf, kNan);
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (int i = -50; i <= 50; ++i) {
      const Real a = testing::rounded_to(dtype, i / 7.0L), b = testing::rounded_to(dtype, (i * i % 23 - 11) / 3.0L);
      const Real got = numbers_of(logaddexp(tensor_of({{a}}, dtype, cpu()), tensor_of({{b}}, dtype, cpu())))[0].re;
      const Real larger = std::max(a, b), expected = std::log(std::exp(a) + std::exp(b));
      // An ulp of log1p's result and of the sum: the larger of the inputs and the result counts where they cancel.
      const Real unit = std::ldexp(std::max({std::fabs(larger), std::fabs(expected), 0.7L}), -mantissa_of(dtype));
      EXPECT_LE(std::fabs(got - expected), 2 * unit) << a << ", " << b;
    }
  }
}

TEST(Elementwise, NeighboursOfEveryDtype) {
  for (const DType dtype : kReals) {
    const FloatInfo info = finfo(dtype);
    expect_special(nextafter, 0, -0.0L, -0.0L);
    const auto next = [&](Real a, Real b) {
      return numbers_of(nextafter(tensor_of({{a}}, dtype, cpu()), tensor_of({{b}}, dtype, cpu())))[0].re;
    };
    EXPECT_EQ(next(1, 2), 1.0L + info.eps);
    EXPECT_EQ(next(1, 0), 1.0L - info.eps / 2);
    EXPECT_EQ(next(0, -1), -static_cast<Real>(info.smallest_subnormal));
    EXPECT_EQ(next(info.max, kInf), kInf);
    EXPECT_EQ(next(-kInf, 0), static_cast<Real>(info.min));
    EXPECT_EQ(next(-1, 1), -1.0L + info.eps / 2);
    EXPECT_EQ(next(3, 3), 3);
    EXPECT_TRUE(std::isnan(next(kNan, 1)) && std::isnan(next(1, kNan)));
  }
}

// ---------------------------------------------------------------- complex numbers

using Complex = std::complex<Real>;

Complex direction(const Complex& x) { return x == Complex(0) ? x : x / std::abs(x); }

TEST(Elementwise, ComplexFunctionsAgreeWithLongDouble) {
  struct Case {
    const char* name;
    Unary op;
    Complex (*oracle)(const Complex&);
  };
  const Case cases[] = {
      {"abs", abs, [](const Complex& x) { return Complex(std::abs(x)); }},
      {"negative", negative, [](const Complex& x) { return -x; }},
      {"conj", conj, [](const Complex& x) { return std::conj(x); }},
      {"square", square, [](const Complex& x) { return x * x; }},
      {"sqrt", sqrt, [](const Complex& x) { return std::sqrt(x); }},
      {"reciprocal", reciprocal, [](const Complex& x) { return Complex(1) / x; }},
      {"sign", sign, direction},
      {"round", round, [](const Complex& x) { return Complex(std::nearbyint(x.real()), std::nearbyint(x.imag())); }},
      {"exp", exp, [](const Complex& x) { return std::exp(x); }},
      {"expm1", expm1, [](const Complex& x) { return std::exp(x) - Complex(1); }},
      {"log", log, [](const Complex& x) { return std::log(x); }},
      {"log1p", log1p, [](const Complex& x) { return std::log(Complex(1) + x); }},
      {"log2", log2, [](const Complex& x) { return std::log(x) / std::log(2.0L); }},
      {"log10", log10, [](const Complex& x) { return std::log10(x); }},
      {"sin", sin, [](const Complex& x) { return std::sin(x); }},
      {"cos", cos, [](const Complex& x) { return std::cos(x); }},
      {"tan", tan, [](const Complex& x) { return std::tan(x); }},
      {"asin", asin, [](const Complex& x) { return std::asin(x); }},
      {"acos", acos, [](const Complex& x) { return std::acos(x); }},
      {"atan", atan, [](const Complex& x) { return std::atan(x); }},
      {"sinh", sinh, [](const Complex& x) { return std::sinh(x); }},
      {"cosh", cosh, [](const Complex& x) { return std::cosh(x); }},
      {"tanh", tanh, [](const Complex& x) { return std::tanh(x); }},
      {"asinh", asinh, [](const Complex& x) { return std::asinh(x); }},
      {"acosh", acosh, [](const Complex& x) { return std::acosh(x); }},
      {"atanh", atanh, [](const Complex& x) { return std::atanh(x); }},
  };
  for (const DType dtype : {DType::c64, DType::c128}) {
    Numbers numbers = {{1, 0}, {0.5L, 0}, {0, 2}, {-3, 0.25L}};
    for (int i = 0; i < 400; ++i) {
      numbers.push_back(
          {testing::rounded_to(dtype, (i % 20 - 9.7L) / 3), testing::rounded_to(dtype, (i / 20 - 9.6L) / 3)});
    }
    const Tensor x = tensor_of(numbers, dtype, cpu());
    for (const Case& c : cases) {
      const Tensor y = c.op(x);
      const bool real = std::string(c.name) == "abs";
      ASSERT_EQ(y.dtype(), real ? real_dtype(dtype) : dtype) << c.name;
      const Numbers got = numbers_of(y);
      for (size_t i = 0; i < got.size(); ++i) {
        const Complex expected = c.oracle({numbers[i].re, numbers[i].im});
        if (std::isinf(std::abs(expected))) {
          EXPECT_TRUE(testing::same(got[i], {expected.real(), expected.imag()})) << c.name << " of " << numbers[i];
          continue;
        }
        // glibc: at most 4 ulps a part for these; of the whole number where a part cancels.
        const Real unit = std::ldexp(std::abs(expected), -mantissa_of(dtype)) + std::ldexp(1.0L, -140);
        EXPECT_LE(std::abs(Complex(got[i].re, got[i].im) - expected), 6 * unit)
            << c.name << " of " << numbers[i] << ": " << got[i] << ", not " << expected;
      }
    }
  }
}

// By their series: exp(x) - 1 and log(1 + x) cancel there.
TEST(Elementwise, ComplexFunctionsDoNotCancelNearZero) {
  for (const DType dtype : {DType::c64, DType::c128}) {
    for (int angle = 0; angle < 16; ++angle) {
      const Complex x(testing::rounded_to(dtype, 1e-6L * std::cos(angle / 2.5L)),
                      testing::rounded_to(dtype, 1e-6L * std::sin(angle / 2.5L)));
      const Tensor given = tensor_of({{x.real(), x.imag()}}, dtype, cpu());
      const Number grown = numbers_of(expm1(given))[0], logarithm = numbers_of(log1p(given))[0];
      const Real unit = std::ldexp(std::abs(x), -mantissa_of(dtype));
      const Complex third = x * x * x;
      EXPECT_LE(std::abs(Complex(grown.re, grown.im) - (x + x * x / 2.0L + third / 6.0L)), 2 * unit);
      EXPECT_LE(std::abs(Complex(logarithm.re, logarithm.im) - (x - x * x / 2.0L + third / 3.0L)), 2 * unit);
    }
  }
}

// As the array API standard has it: what is exact at 0, whatever its sign.
TEST(Elementwise, FunctionsOfZeros) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const Real zero : {0.0L, -0.0L}) {
      const Tensor x = tensor_of({{zero}}, dtype, cpu());
      for (const auto odd : {sin, tan, asin, atan, sinh, tanh, asinh, atanh, expm1, log1p})
        EXPECT_TRUE(testing::same(numbers_of(odd(x))[0].re, zero)) << name_of(dtype);
      for (const auto even : {cos, cosh, exp}) EXPECT_EQ(numbers_of(even(x))[0].re, 1) << name_of(dtype);
    }
  }
}

TEST(Elementwise, ComplexTanhOfInfinities) {
  constexpr Real kInfinity = std::numeric_limits<Real>::infinity();
  for (const DType dtype : {DType::c64, DType::c128}) {
    for (const Real re : {1.0L, -1.0L}) {
      for (const Real im : {1.0L, 2.0L, -1.0L, -2.0L}) {  // sin(2·2) is below 0
        const Number got = numbers_of(tanh(tensor_of({{re * kInfinity, im}}, dtype, cpu())))[0];
        EXPECT_TRUE(testing::same(got, {re, std::copysign(0.0L, im)})) << re << " " << im << ": " << got;
      }
    }
  }
}

// The array API standard: +0 whatever the sign of the real part.
TEST(Elementwise, ComplexExpm1OfZeros) {
  for (const DType dtype : {DType::c64, DType::c128}) {
    for (const Number& given : {Number{0.0L, 0.0L}, Number{-0.0L, 0.0L}, Number{-0.0L, -0.0L}}) {
      const Number got = numbers_of(expm1(tensor_of({given}, dtype, cpu())))[0];
      EXPECT_TRUE(testing::same(got, {0.0L, given.im})) << given << ": " << got;
    }
  }
}

// Where the exponential of the real part overflows, 0 remains of the imaginary one: it was infinity times 0.
TEST(Elementwise, ComplexExpm1OfLargeRealNumbers) {
  for (const DType dtype : {DType::c64, DType::c128}) {
    for (const Real im : {0.0L, -0.0L}) {
      const Number got = numbers_of(expm1(tensor_of({{800.0L, im}}, dtype, cpu())))[0];
      EXPECT_TRUE(testing::same(got, {std::numeric_limits<Real>::infinity(), im})) << im << ": " << got;
    }
  }
}

TEST(Elementwise, ComplexArithmetic) {
  for (const DType dtype : {DType::c64, DType::c128}) {
    const Tensor a = tensor_of({{1, 2}, {-3, 0.5L}, {0, 0}, {2, 0}}, dtype, cpu());
    const Tensor b = tensor_of({{2, -1}, {4, 0}, {1, 1}, {0, 2}}, dtype, cpu());
    EXPECT_TRUE(holds(add(a, b), dtype, {{3, 1}, {1, 0.5L}, {1, 1}, {2, 2}}));
    EXPECT_TRUE(holds(subtract(a, b), dtype, {{-1, 3}, {-7, 0.5L}, {-1, -1}, {2, -2}}));
    EXPECT_TRUE(holds(multiply(a, b), dtype, {{4, 3}, {-12, 2}, {0, 0}, {0, 4}}));
    EXPECT_TRUE(holds(divide(a, b), dtype, {{0, 1}, {-0.75L, 0.125L}, {0, 0}, {0, -1}}));
    const Tensor two = tensor_of({{2, 0}}, dtype, cpu()), half = tensor_of({{0.5L, 0}}, dtype, cpu());
    EXPECT_TRUE(same_tensor(pow(a, two), square(a)));
    EXPECT_TRUE(holds(pow(a, tensor_of({{0, 0}}, dtype, cpu())), dtype, {{1, 0}, {1, 0}, {1, 0}, {1, 0}}));
    const Numbers roots = numbers_of(pow(a, half)), expected = numbers_of(sqrt(a));
    for (size_t i = 0; i < roots.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(roots[i].re), static_cast<double>(expected[i].re), 1e-6);
      EXPECT_NEAR(static_cast<double>(roots[i].im), static_cast<double>(expected[i].im), 1e-6);
    }
  }
}

TEST(Elementwise, PartsAreViews) {
  const Tensor x = reshape(tensor_of({{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}, {11, 12}}, DType::c128, cpu()), {2, 3});
  const Tensor turned = transpose(slice(x, 1, -1, -4, -1));  // [[5, 11], [3, 9], [1, 7]] + …
  EXPECT_TRUE(real(turned).shares_storage_with(x));
  EXPECT_TRUE(holds(real(turned), DType::f64, {{5}, {11}, {3}, {9}, {1}, {7}}));
  EXPECT_TRUE(holds(imag(turned), DType::f64, {{6}, {12}, {4}, {10}, {2}, {8}}));
  EXPECT_TRUE(holds(sqrt(imag(turned)), DType::f64, numbers_of(sqrt(contiguous(imag(turned))))));
  const Tensor plain = tensor_of({{1}, {2}}, DType::f32, cpu());
  EXPECT_TRUE(real(plain).shares_storage_with(plain));
  EXPECT_TRUE(testing::fails_with("[imag] expected x of a complex dtype, got f32", [&] { imag(plain); }));
}

}  // namespace
}  // namespace tern
