// SPDX-License-Identifier: Apache-2.0
// norm_quantize against the kernels that it stands for, bit for bit.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "support/awkward.h"

namespace tern {
namespace {

using testing::awkward_floats;
using testing::cpus;
using testing::Floats;
using testing::normal_floats;
using testing::run_kernel;
using testing::same_bits;

constexpr float kEps = 1e-5f;

struct Rows {
  int64_t rows, cols;
  int64_t stride() const { return quantized_stride(cols); }
  size_t size() const { return static_cast<size_t>(rows * cols); }
};

struct Result {
  Floats sum;
  std::vector<int8_t> q;
  Floats scale;
  std::vector<int32_t> sums;

  explicit Result(const Rows& n)
      : q(static_cast<size_t>(n.rows * n.stride()), 99),
        scale(static_cast<size_t>(n.rows), -7.0f),
        sums(static_cast<size_t>(n.rows), -7) {}
};

void expect_equal(const Result& a, const Result& b) {
  EXPECT_TRUE(same_bits(a.sum, b.sum));
  EXPECT_EQ(a.q, b.q);
  EXPECT_TRUE(same_bits(a.scale, b.scale));
  EXPECT_EQ(a.sums, b.sums);
}

enum class Kind { plain, added, gated };

Result composed(const Device& device, const Rows& n, Kind kind, const Floats& x, const Floats& other,
                const Floats& weight) {
  Result r(n);
  Floats h = x, y(n.size());
  const auto count = static_cast<int64_t>(n.size());
  if (kind == Kind::added) {
    const Dims shape = {1, {count}}, step = {1, {1}};
    run_kernel(device, &Kernels::binary,
               {BinaryOp::add, DType::f32, shape, {x.data(), step}, {other.data(), step}, h.data()});
    r.sum = h;
  } else if (kind == Kind::gated) {
    run_kernel(device, &Kernels::relu2_gate, {count, other.data(), x.data(), h.data()});
  }
  run_kernel(device, &Kernels::rms_norm, {n.rows, n.cols, h.data(), weight.data(), kEps, y.data(), nullptr});
  run_kernel(device, &Kernels::quantize_rows,
             {n.rows, n.cols, n.stride(), y.data(), r.q.data(), r.scale.data(), r.sums.data()});
  return r;
}

Result fused(const Device& device, const Rows& n, Kind kind, const Floats& x, const Floats& other,
             const Floats& weight) {
  Result r(n);
  Floats in = x;
  run_kernel(device, &Kernels::norm_quantize,
             {n.rows, n.cols, n.stride(), in.data(), kind == Kind::added ? other.data() : nullptr,
              kind == Kind::gated ? other.data() : nullptr, kind == Kind::added ? in.data() : nullptr, weight.data(), kEps,
              r.q.data(), r.scale.data(), r.sums.data()});
  if (kind == Kind::added) r.sum = in;
  return r;
}

void expect_case(const Rows& n, const Floats& x, const Floats& other) {
  const Floats weight = normal_floats(n.cols, 9);
  for (const Kind kind : {Kind::plain, Kind::added, Kind::gated}) {
    const Result expected = composed(cpus().front(), n, kind, x, other, weight);
    for (const Device& device : cpus()) {
      SCOPED_TRACE(::testing::Message() << n.rows << " x " << n.cols << ", kind " << static_cast<int>(kind) << ", "
                                        << device.description());
      expect_equal(fused(device, n, kind, x, other, weight), expected);
    }
  }
}

TEST(NormQuantize, IsItsComposition) {
  for (const int64_t cols : {1, 2, 15, 16, 17, 63, 64, 65, 127, 1009, 2560}) {
    const Rows n = {5, cols};
    expect_case(n, normal_floats(5 * cols, 1), normal_floats(5 * cols, 2));
    expect_case(n, normal_floats(5 * cols, 3, 1e-20f), normal_floats(5 * cols, 4, 1e-20f));
    expect_case(n, awkward_floats(5 * cols, 5), awkward_floats(5 * cols, 6));
    expect_case(n, Floats(n.size()), Floats(n.size()));
  }
  expect_case({0, 7}, {}, {});
  expect_case({301, 97}, normal_floats(301 * 97, 7), normal_floats(301 * 97, 8));
}

}  // namespace
}  // namespace tern
