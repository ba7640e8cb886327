// SPDX-License-Identifier: Apache-2.0
// Powers, products and parts of matrices.
#include "linalg/products.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "linalg/inputs.h"
#include "linalg/matrices.h"
#include "linalg/on_device.h"
#include "linalg/routines.h"
#include "ops/copy.h"
#include "ops/view.h"
#include "tern/elementwise.h"
#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern::linalg {
namespace {

// The view of a diagonal. Elements of it are distinct, so the gradient goes where they came from.
Tensor diagonal_view(const Tensor& x, int64_t offset) {
  const int64_t rows = x.size(-2), columns = x.size(-1);
  const int64_t first_row = std::max<int64_t>(-offset, 0), first_column = std::max<int64_t>(offset, 0);
  const int64_t count = std::max<int64_t>(0, std::min(rows - first_row, columns - first_column));
  const int64_t row_step = x.strides().back(1), column_step = x.strides().back();
  const int64_t start = count > 0 ? first_row * row_step + first_column * column_step : 0;
  return x.as_strided(with_axes(leading(x.shape(), 2), {count}),
                      with_axes(leading(x.strides(), 2), {row_step + column_step}), start);
}

}  // namespace

Tensor product(const Tensor& a, const Tensor& b) {
  if (a.dtype() == DType::f32 || on_device::holds(a)) return tern::matmul(a, b);
  const Shape a_batch = leading(a.shape(), 2), b_batch = leading(b.shape(), 2);
  const Shape batch = broadcast_shapes("matmul", a_batch, b_batch);
  const std::vector<int64_t> of_a = broadcast_indices(a_batch, batch), of_b = broadcast_indices(b_batch, batch);
  const Tensor left = dense(a), right = dense(b);
  const int64_t m = a.size(-2), k = a.size(-1), n = b.size(-1);
  const Tensor c = Tensor::empty(with_axes(batch, {m, n}), a.dtype(), a.device());
  const double work = static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(n);
  for_element_type(a.dtype(), [&]<class T>() {
    for_matrices(a.device(), batch.numel(), work, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        // To BLAS these are the transposes, and cᵀ = bᵀ·aᵀ.
        multiply('N', 'N', static_cast<Integer>(n), static_cast<Integer>(m), static_cast<Integer>(k),
                 right.data<T>() + of_b[static_cast<size_t>(i)] * k * n,
                 left.data<T>() + of_a[static_cast<size_t>(i)] * m * k, c.data<T>() + i * m * n);
      }
    });
  });
  return c;
}

Tensor adjoint(const Tensor& x) { return transpose(is_complex(x.dtype()) ? conj(x) : x); }

Tensor identity(const Shape& batch, int64_t n, DType dtype, const Device& device) {
  const Tensor out = Tensor::zeros(with_axes(batch, {n, n}), dtype, device);
  const Tensor diagonals = diagonal_view(out, 0);
  copy_into(expand(Tensor::full({}, 1, DType::f32, device), diagonals.shape()), diagonals);
  return out;
}

Tensor matrix_power(const Tensor& given, int64_t n) {
  check_square("matrix_power", {"x", given});
  const Tensor x = promoted(given);
  if (n == 0) return identity(leading(x.shape(), 2), x.size(-1), x.dtype(), x.device());
  Tensor square = n < 0 ? inv(x) : x;
  Tensor power;
  for (uint64_t rest = n < 0 ? uint64_t{0} - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);;) {
    if ((rest & 1) != 0) power = power.defined() ? product(power, square) : square;
    rest >>= 1;
    if (rest == 0) break;
    square = product(square, square);
  }
  return n == 1 ? clone(power) : power;
}

Tensor cross(const Tensor& a, const Tensor& b, int axis) {
  check_inputs("cross", {{"a", a}, {"b", b}});
  const int rank = std::min(a.rank(), b.rank());
  check(axis < 0 && axis >= -rank, "cross", "expected an axis in [{}, 0), got {}", -rank, axis);
  check(a.size(axis) == 3 && b.size(axis) == 3, "cross", "expected 3 elements on axis {}, got shapes {} and {}", axis,
        a.shape(), b.shape());
  std::vector<Tensor> parts;
  for (int i = 0; i < 3; ++i) {
    const int j = (i + 1) % 3, k = (i + 2) % 3;
    const Tensor part = sub(mul(select(a, axis, j), select(b, axis, k)), mul(select(a, axis, k), select(b, axis, j)));
    parts.push_back(unsqueeze(part, axis));
  }
  return concat(parts, axis);
}

Tensor matrix_transpose(const Tensor& x) {
  check_inputs("matrix_transpose", {{"x", x}});
  check_rank_at_least("matrix_transpose", {"x", x}, 2);
  return transpose(x);
}

Tensor diagonal(const Tensor& x, int64_t offset) {
  check_inputs("diagonal", {{"x", x}});
  check_rank_at_least("diagonal", {"x", x}, 2);
  const Tensor view = diagonal_view(x, offset);
  return differentiable("diagonal", x, view,
                        scattered(x, [offset](const Tensor& dx) { return diagonal_view(dx, offset); }));
}

Tensor trace(const Tensor& x, int64_t offset) {
  const Tensor elements = diagonal(x, offset);
  const DType dtype = x.dtype();
  const DType wide = is_unsigned_integer(dtype) ? DType::u64 : is_integer(dtype) ? DType::i64 : dtype;
  const int last = -1;
  return sum(cast(elements, wide), std::span(&last, 1));
}

}  // namespace tern::linalg
