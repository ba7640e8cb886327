// SPDX-License-Identifier: Apache-2.0
// Products that are matrix products or broadcast ones in other shapes.
#include <algorithm>
#include <numeric>

#include "ops/checks.h"
#include "ops/matmul.h"
#include "tern/einsum.h"
#include "tern/manipulation.h"
#include "tern/promotion.h"

namespace tern {
namespace {

// The axes of x that are not in `axes`, then these, or these first: x as a matrix of the others and these.
struct Unfolded {
  Tensor matrix;
  Shape others;
};

Unfolded unfolded(const Tensor& x, const std::vector<int>& axes, bool axes_last) {
  Unfolded out;
  std::vector<int> order;
  int64_t rows = 1, cols = 1;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) != axes.end()) continue;
    order.push_back(axis);
    out.others.push_back(x.shape()[axis]);
    rows *= x.shape()[axis];
  }
  for (const int axis : axes) cols *= x.shape()[axis];
  order.insert(axes_last ? order.end() : order.begin(), axes.begin(), axes.end());
  out.matrix = reshape(permute(x, order), axes_last ? Shape{rows, cols} : Shape{cols, rows});
  return out;
}

std::vector<int> axes_of(const Tensor& x, std::span<const int> axes) {
  std::vector<int> out;
  for (const int axis : axes) {
    out.push_back(normalize_axis("tensordot", axis, x.rank()));
    check(std::count(out.begin(), out.end(), out.back()) == 1, "tensordot",
          "expected each axis once, got axis {} twice", out.back());
  }
  return out;
}

}  // namespace

Tensor tensordot(const Tensor& a, const Tensor& b, std::span<const int> a_axes, std::span<const int> b_axes) {
  check_inputs("tensordot", {{"a", a}, {"b", b}});
  check(a_axes.size() == b_axes.size(), "tensordot", "expected as many axes of a as of b, got {} and {}", a_axes.size(),
        b_axes.size());
  const std::vector<int> of_a = axes_of(a, a_axes), of_b = axes_of(b, b_axes);
  for (size_t i = 0; i < of_a.size(); ++i) {
    check(a.shape()[of_a[i]] == b.shape()[of_b[i]], "tensordot",
          "expected equal extents of axis {} of a and axis {} of b, got shapes {} and {}", of_a[i], of_b[i], a.shape(),
          b.shape());
  }
  const Unfolded left = unfolded(a, of_a, true), right = unfolded(b, of_b, false);
  Shape shape = left.others;
  for (const int64_t extent : right.others) shape.push_back(extent);
  return reshape(matmul(left.matrix, right.matrix), shape);
}

Tensor tensordot(const Tensor& a, const Tensor& b, int axes) {
  check_inputs("tensordot", {{"a", a}, {"b", b}});
  check(axes >= 0 && axes <= std::min(a.rank(), b.rank()), "tensordot", "expected 0 to {} axes, got {}",
        std::min(a.rank(), b.rank()), axes);
  std::vector<int> of_a(static_cast<size_t>(axes)), of_b(of_a.size());
  std::iota(of_a.begin(), of_a.end(), a.rank() - axes);
  std::iota(of_b.begin(), of_b.end(), 0);
  return tensordot(a, b, of_a, of_b);
}

Tensor vecdot(const Tensor& a, const Tensor& b, int axis) {
  check_inputs("vecdot", {{"a", a}, {"b", b}});
  const int a_axis = normalize_axis("vecdot", axis, a.rank()), b_axis = normalize_axis("vecdot", axis, b.rank());
  check(a.shape()[a_axis] == b.shape()[b_axis], "vecdot", "expected equal extents of axis {}, got shapes {} and {}",
        axis, a.shape(), b.shape());
  const Tensor rows = unsqueeze(moveaxis(a, std::vector<int>{a_axis}, std::vector<int>{-1}), -2);
  const Tensor columns = unsqueeze(moveaxis(b, std::vector<int>{b_axis}, std::vector<int>{-1}), -1);
  return squeeze(squeeze(conjugate_product(rows, columns), -1), -1);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  check_inputs("outer", {{"a", a}, {"b", b}});
  check_rank("outer", {"a", a}, 1);
  check_rank("outer", {"b", b}, 1);
  return mul(unsqueeze(a, 1), b);
}

Tensor kron(const Tensor& a, const Tensor& b) {
  check_inputs("kron", {{"a", a}, {"b", b}});
  const int rank = std::max(a.rank(), b.rank());
  check(rank <= kMaxRank / 2, "kron", "expected up to {} axes, got shapes {} and {}", kMaxRank / 2, a.shape(),
        b.shape());
  Shape a_shape, b_shape, shape;
  for (int axis = 0; axis < rank; ++axis) {
    const int from_end = rank - 1 - axis;
    const int64_t outside = from_end < a.rank() ? a.shape().back(from_end) : 1;
    const int64_t inside = from_end < b.rank() ? b.shape().back(from_end) : 1;
    a_shape.push_back(outside);
    a_shape.push_back(1);
    b_shape.push_back(1);
    b_shape.push_back(inside);
    shape.push_back(outside * inside);
  }
  return reshape(mul(reshape(a, a_shape), reshape(b, b_shape)), shape);
}

}  // namespace tern
