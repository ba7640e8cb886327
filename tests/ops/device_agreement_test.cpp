// SPDX-License-Identifier: Apache-2.0
// What has the same bits on every device: sums in the order of device/array_reduce.h, scans, products of f64, complex
// numbers and integers, arithmetic, conversions, orders and random numbers. The oracle is the plain C++ set of a CPU.
#include <functional>
#include <string>
#include <vector>

#include "support/array_tensors.h"
#include "support/array_test.h"
#include "support/every_dtype.h"
#include "tern/creation.h"
#include "tern/elementwise.h"
#include "tern/random.h"
#include "tern/reductions.h"
#include "tern/sorting.h"

namespace tern {
namespace {

using namespace testing;
using Function = std::function<Tensor(const Tensor&)>;

const Device& oracle() {
  static const Device device = Device::open("cpu", {.threads = 1, .isa = "scalar"});
  return device;
}

// f of the same awkward elements on both devices. NaNs may differ in what they carry.
void expect_agreement(const std::string& name, const Function& f, DType dtype, const Shape& shape) {
  const Tensor expected = f(awkward_tensor(dtype, shape, 7, oracle()));
  const Tensor got = f(awkward_tensor(dtype, shape, 7, cpu()));
  EXPECT_TRUE(same_tensor(got, expected)) << name << " of " << name_of(dtype) << to_string(shape);
}

// Finite numbers of several sizes, so that the order of sums shows.
void expect_sums_agree(const std::string& name, const Function& f, DType dtype, const Shape& shape) {
  Generator generator(3);
  const Tensor x = generator.normal(shape, DType::f64, oracle(), 0, 1);
  const Tensor there = cast(
      x * pow(Tensor::full({}, 2, DType::f64, oracle()), generator.normal(shape, DType::f64, oracle(), 0, 8)), dtype);
  EXPECT_TRUE(same_tensor(f(to_device(there, cpu())), f(there)))
      << name << " of " << name_of(dtype) << to_string(shape);
}

const std::vector<Shape> kShapes = {{1}, {7}, {63, 65}, {3, 1024}, {2, 1025, 3}, {5, 4099}, {70001}, {129, 2, 257}};

TEST(DeviceAgreement, OfReductions) {
  for (const DType dtype : {DType::f32, DType::f64, DType::c64, DType::c128, DType::i16, DType::u64}) {
    for (const Shape& shape : kShapes) {
      for (int axis = 0; axis < shape.rank(); ++axis) {
        const std::vector<int> axes = {axis};
        // Models' kernels take short sums of f32, in an order of their own.
        if (dtype != DType::f32)
          expect_sums_agree(
              "sum", [&](const Tensor& x) { return sum(x, axes); }, dtype, shape);
        expect_sums_agree(
            "prod", [&](const Tensor& x) { return prod(x, axes); }, dtype, shape);
        expect_sums_agree(
            "cumulative_sum", [&](const Tensor& x) { return cumulative_sum(x, axis); }, dtype, shape);
        expect_sums_agree(
            "cumulative_prod", [&](const Tensor& x) { return cumulative_prod(x, axis); }, dtype, shape);
        if (is_complex(dtype)) continue;
        expect_sums_agree(
            "var", [&](const Tensor& x) { return var(x, axes); }, dtype, shape);
        expect_agreement(
            "max", [&](const Tensor& x) { return max(x, axes); }, dtype, shape);
        expect_agreement(
            "argmin", [&](const Tensor& x) { return argmin(x, axis); }, dtype, shape);
      }
      expect_agreement(
          "count_nonzero", [](const Tensor& x) { return count_nonzero(x); }, dtype, shape);
    }
  }
  expect_sums_agree("sum", [](const Tensor& x) { return sum(x); }, DType::f32, {70001});
  expect_sums_agree("sum", [](const Tensor& x) { return sum(x); }, DType::f32, {3, 65537});
}

// Of so many blocks that GPUs join them in several ways; rows that begin where vectors do, and others.
TEST(DeviceAgreement, OfLongReductions) {
  const std::vector<int> last = {-1};
  const Function rows = [&](const Tensor& x) { return sum(x, last); };
  const Function later = [&](const Tensor& x) { return sum(slice(x, 0, 1, x.size(0)), last); };
  for (const Shape& shape : {Shape{66 * 1024 + 1}, Shape{3, 70004}, Shape{3, 70003}}) {
    for (const DType dtype : {DType::f32, DType::f64, DType::c64, DType::c128, DType::u8}) {
      expect_sums_agree("sum", rows, dtype, shape);
      if (shape.rank() == 1) expect_sums_agree("sum", later, dtype, shape);
    }
    expect_sums_agree(
        "var", [&](const Tensor& x) { return var(x, last); }, DType::f32, shape);
    for (const DType dtype : {DType::f32, DType::f64, DType::i16, DType::u8}) {
      expect_agreement(
          "max", [&](const Tensor& x) { return max(x, last); }, dtype, shape);
      expect_agreement(
          "argmax", [](const Tensor& x) { return argmax(x, -1); }, dtype, shape);
    }
  }
  expect_sums_agree("sum", rows, DType::f64, {1050001});
  expect_sums_agree("sum", later, DType::f32, {4300003});
  expect_agreement("argmin", [](const Tensor& x) { return argmin(x, -1); }, DType::u8, {8500003});
}

TEST(DeviceAgreement, OfProducts) {
  for (const DType dtype : {DType::f64, DType::c64, DType::c128, DType::i32, DType::i64, DType::u8}) {
    for (const auto& [m, k, n] : {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1},
                                  {3, 5, 7},
                                  {65, 63, 66},
                                  {17, 300, 31},
                                  {0, 4, 3},
                                  {2, 0, 3}}) {
      for (const bool transposed : {false, true}) {
        expect_sums_agree("product",
                          [&](const Tensor& x) {
                            const Tensor a = transposed ? transpose(reshape(slice(x, 0, 0, m * k), {k, m}))
                                                        : reshape(slice(x, 0, 0, m * k), {m, k});
                            return matmul(a, reshape(slice(x, 0, m * k, m * k + k * n), {k, n}));
                          },
                          dtype, {m * k + k * n});
      }
    }
    expect_sums_agree("batch", [](const Tensor& x) { return matmul(x, transpose(x)); }, dtype, {70, 3, 5});
  }
}

TEST(DeviceAgreement, OfArithmetic) {
  for (const DType dtype :
       {DType::f32, DType::f64, DType::f16, DType::bf16, DType::c64, DType::i8, DType::u32, DType::i64}) {
    const auto halves = [](const auto& f) {
      return [f](const Tensor& x) { return f(slice(x, 0, 0, 500), slice(x, 0, 500, 1000)); };
    };
    expect_agreement("add", halves([](const Tensor& a, const Tensor& b) { return a + b; }), dtype, {1000});
    expect_agreement("sub", halves([](const Tensor& a, const Tensor& b) { return a - b; }), dtype, {1000});
    expect_agreement("mul", halves([](const Tensor& a, const Tensor& b) { return a * b; }), dtype, {1000});
    if (is_float(dtype)) {
      expect_agreement("div", halves([](const Tensor& a, const Tensor& b) { return divide(a, b); }), dtype, {1000});
      expect_agreement("sqrt", [](const Tensor& x) { return sqrt(x); }, dtype, {1000});
      expect_agreement("floor", [](const Tensor& x) { return floor(x); }, dtype, {1000});
      expect_agreement("round", [](const Tensor& x) { return round(x); }, dtype, {1000});
    }
    if (!is_complex(dtype)) {
      // Of integers not by 0.
      const auto divisor = [dtype](const Tensor& x) { return is_integer(dtype) ? bitwise_or(x, ones_like(x)) : x; };
      expect_agreement("remainder", halves([&](const Tensor& a, const Tensor& b) { return remainder(a, divisor(b)); }),
                       dtype, {1000});
      expect_agreement("less", halves([](const Tensor& a, const Tensor& b) { return less(a, b); }), dtype, {1000});
    }
  }
}

TEST(DeviceAgreement, OfConversions) {
  for (const DType from : kEveryDType) {
    for (const DType to : kEveryDType) {
      if (is_complex(from) && !is_complex(to) && to != DType::boolean) continue;
      expect_agreement("astype", [&](const Tensor& x) { return astype(x, to); }, from, {977});
      if (is_complex(from) || is_complex(to)) continue;
      expect_agreement("cast_saturating", [&](const Tensor& x) { return cast_saturating(x, to); }, from, {977});
    }
  }
}

TEST(DeviceAgreement, OfOrders) {
  for (const DType dtype : kEveryDType) {
    if (is_complex(dtype)) continue;
    for (const Shape& shape : {Shape{1}, Shape{1000}, Shape{70, 33}, Shape{3, 5000}, Shape{100003}, Shape{4, 0}}) {
      for (const bool descending : {false, true}) {
        expect_agreement(
            "sort", [&](const Tensor& x) { return sort(x, -1, descending); }, dtype, shape);
        expect_agreement(
            "argsort", [&](const Tensor& x) { return argsort(x, -1, descending); }, dtype, shape);
      }
    }
  }
}

TEST(DeviceAgreement, OfRandomNumbers) {
  const auto expect_same = [](const std::string& name, const std::function<Tensor(Generator&, const Device&)>& draw) {
    Generator here(11), there(11);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(same_tensor(draw(here, cpu()), draw(there, oracle()))) << name << " " << i;
  };
  for (const Shape& shape : {Shape{}, Shape{5}, Shape{1001}, Shape{3, 70001}, Shape{0}}) {
    for (const DType dtype : {DType::f32, DType::f64, DType::f16, DType::bf16}) {
      expect_same("uniform", [&](Generator& g, const Device& on) { return g.uniform(shape, dtype, on, -3, 5); });
      expect_same("normal", [&](Generator& g, const Device& on) { return g.normal(shape, dtype, on, 1, 3); });
      expect_same("exponential", [&](Generator& g, const Device& on) { return g.exponential(shape, dtype, on, 2); });
    }
    for (const DType dtype : {DType::i8, DType::u16, DType::i32, DType::i64, DType::u64}) {
      expect_same("integers", [&](Generator& g, const Device& on) { return g.integers(3, 101, shape, dtype, on); });
      expect_same("bits", [&](Generator& g, const Device& on) { return g.bits(shape, dtype, on); });
    }
    expect_same("bernoulli", [&](Generator& g, const Device& on) { return g.bernoulli(0.3, shape, on); });
  }
}

}  // namespace
}  // namespace tern
