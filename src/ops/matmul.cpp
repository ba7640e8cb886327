// SPDX-License-Identifier: Apache-2.0
// Dense products.
#include "ops/matmul.h"

#include "ops/array_call.h"
#include "ops/array_pointwise.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gradients.h"
#include "tern/ops.h"
#include "tern/promotion.h"

namespace tern {
namespace {

// Everything of a shape but the last two axes.
Shape batch_of(Shape shape) {
  shape.erase(shape.rank() - 1);
  shape.erase(shape.rank() - 1);
  return shape;
}

Shape with_matrix(Shape batch, int64_t rows, int64_t cols) {
  batch.push_back(rows);
  batch.push_back(cols);
  return batch;
}

MatrixInput matrix(const Tensor& x, int64_t offset, int64_t batch_stride) {
  return {static_cast<const std::byte*>(x.raw()) + offset * static_cast<int64_t>(size_of(x.dtype())), x.dtype(),
          batch_stride, x.strides().back(1), x.strides().back(0)};
}

// Matrices that one kernel call multiplies: where the first of a, b and c lie, in elements, and the strides to the
// next.
struct Batch {
  int64_t count;
  int64_t offsets[3], strides[3];
};

// Calls multiply(batch) for all matrices of a, b and c, which have equal leading axes: once for each index of the outer
// ones, so once in all, unless broadcasting lets them not merge.
template <class F>
void for_batches(const Tensor& a, const Tensor& b, const Tensor& c, const F& multiply) {
  const auto loop =
      make_loop<3>(batch_of(a.shape()), {batch_of(a.strides()), batch_of(b.strides()), batch_of(c.strides())});
  const int inner = loop.shape.rank - 1;
  int64_t calls = 1;
  for (int axis = 0; axis < inner; ++axis) calls *= loop.shape.at[axis];
  for (int64_t index = 0; index < calls; ++index) {
    Batch batch = {loop.shape.at[inner], {}, {}};
    for (size_t i = 0; i < 3; ++i) batch.strides[i] = loop.strides[i].at[inner];
    for (int64_t axis = inner - 1, rest = index; axis >= 0; rest /= loop.shape.at[axis--]) {
      for (size_t i = 0; i < 3; ++i) batch.offsets[i] += rest % loop.shape.at[axis] * loop.strides[i].at[axis];
    }
    multiply(batch);
  }
}

// product for the dtypes of arrays.
Tensor array_product(const Tensor& a, const Tensor& b, bool conjugate) {
  check_arrays("matmul", a, {a.dtype()});
  const int64_t m = a.shape().back(1), k = a.shape().back(), n = b.shape().back();
  const Tensor c = Tensor::empty(with_matrix(batch_of(a.shape()), m, n), a.dtype(), a.device());
  const auto size = static_cast<int64_t>(size_of(a.dtype()));
  const auto at = [size](const Tensor& x, int64_t offset) { return static_cast<std::byte*>(x.raw()) + offset * size; };
  for_batches(a, b, c, [&](const Batch& batch) {
    call(a.device(), &ArrayMatmulKernels::array_matmul,
         {.dtype = a.dtype(),
          .batch = batch.count,
          .m = m,
          .n = n,
          .k = k,
          .a = at(a, batch.offsets[0]),
          .a_batch_stride = batch.strides[0],
          .a_row_stride = a.strides().back(1),
          .a_col_stride = a.strides().back(),
          .b = at(b, batch.offsets[1]),
          .b_batch_stride = batch.strides[1],
          .b_row_stride = b.strides().back(1),
          .b_col_stride = b.strides().back(),
          .c = at(c, batch.offsets[2]),
          .c_batch_stride = batch.strides[2],
          .conjugate = conjugate});
  });
  return c;
}

// dy summed over what broadcasting repeated: matmul's operands may have fewer or shorter leading axes than its result.
Tensor operand_gradient(const Tensor& a, const Tensor& b, const Shape& shape) { return sum_to(matmul(a, b), shape); }

}  // namespace

Tensor product(const Tensor& a, const Tensor& b) {
  const int64_t m = a.shape().back(1), k = a.shape().back(), n = b.shape().back();
  const Tensor c = Tensor::empty(with_matrix(batch_of(a.shape()), m, n), DType::f32, a.device());
  for_batches(a, b, c, [&](const Batch& batch) {
    call(a.device(), &Kernels::matmul,
         {.batch = batch.count,
          .m = m,
          .n = n,
          .k = k,
          .a = matrix(a, batch.offsets[0], batch.strides[0]),
          .b = matrix(b, batch.offsets[1], batch.strides[1]),
          .c = c.data<float>() + batch.offsets[2],
          .c_batch_stride = batch.strides[2],
          .c_row_stride = n,
          .accumulate = false});
  });
  return c;
}

void product_into(const Tensor& c, const Tensor& a, const Tensor& b, bool accumulate) {
  call(c.device(), &Kernels::matmul,
       {.batch = 1,
        .m = a.shape()[0],
        .n = b.shape()[1],
        .k = a.shape()[1],
        .a = matrix(a, 0, 0),
        .b = matrix(b, 0, 0),
        .c = c.data<float>(),
        .c_batch_stride = 0,
        .c_row_stride = b.shape()[1],
        .accumulate = accumulate});
}

namespace {

// The product of matrices of one dtype, that of the result; conj(a) · b of complex ones if `conjugate`.
Tensor matrices_product(const Tensor& a, const Tensor& b, bool conjugate) {
  check(a.shape().back() == b.shape().back(1), "matmul", "expected [..., m, k] and [..., k, n], got {} and {}",
        a.shape(), b.shape());
  if (is_half(a.dtype())) {
    return through_f32([](const Tensor& x, const Tensor& y) { return matrices_product(x, y, false); }, a, b);
  }
  const Shape batch = broadcast_shapes("matmul", batch_of(a.shape()), batch_of(b.shape()));
  const Tensor left = expand(a.detach(), with_matrix(batch, a.shape().back(1), a.shape().back()));
  const Tensor right = expand(b.detach(), with_matrix(batch, b.shape().back(1), b.shape().back()));
  if (a.dtype() != DType::f32) {
    check_gradients("matmul", {{"a", a}, {"b", b}}, a.dtype());
    return array_product(left, right, conjugate && is_complex(a.dtype()));
  }
  const Tensor c = product(left, right);
  if (needs_grad(a, b)) {
    record(c, "matmul", {a, b},
           [x = saved(a, b.requires_grad()), y = saved(b, a.requires_grad()), a_shape = a.shape(),
            b_shape = b.shape()](const Tensor& dc) {
             return Gradients{y.defined() ? operand_gradient(dc, transpose(y), a_shape) : Tensor(),
                              x.defined() ? operand_gradient(transpose(x), dc, b_shape) : Tensor()};
           });
  }
  return c;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_inputs("matmul", {{"a", a}, {"b", b}});
  check_rank_at_least("matmul", {"a", a}, 1);
  check_rank_at_least("matmul", {"b", b}, 1);
  const DType dtype = result_type(a.dtype(), b.dtype());
  if (a.rank() > 1 && b.rank() > 1) return matrices_product(cast(a, dtype), cast(b, dtype), false);
  check(a.shape().back() == b.shape().back(b.rank() == 1 ? 0 : 1), "matmul",
        "expected as many elements to sum over in a as in b, got {} and {}", a.shape(), b.shape());
  // A vector is a row of a or a column of b, and leaves no axis.
  const Tensor y = matmul(a.rank() == 1 ? unsqueeze(a, 0) : a, b.rank() == 1 ? unsqueeze(b, 1) : b);
  const Tensor rows = b.rank() == 1 ? squeeze(y, -1) : y;
  return a.rank() == 1 ? squeeze(rows, b.rank() == 1 ? -1 : -2) : rows;
}

Tensor conjugate_product(const Tensor& a, const Tensor& b) {
  const DType dtype = result_type(a.dtype(), b.dtype());
  return matrices_product(cast(a, dtype), cast(b, dtype), true);
}

Tensor linear(const Tensor& x, const Tensor& w) {
  check_inputs("linear", {{"x", x}, {"w", w}});
  check_inputs("linear", DType::f32, {{"x", x}});
  check_floats("linear", {{"w", w}});
  check_rank_at_least("linear", {"x", x}, 1);
  check_rank("linear", {"w", w}, 2);
  check(x.shape().back() == w.shape()[1], "linear", "expected x [..., k] and w [n, k], got {} and {}", x.shape(),
        w.shape());
  check(w.dtype() == DType::f32 || !w.requires_grad(), "linear", "expected w of dtype f32 for its gradient, got {}",
        name_of(w.dtype()));
  const Tensor from = dense(x), weight = dense(w);
  const int64_t rows = rows_of(x.shape()), n = w.shape()[0], k = w.shape()[1];
  const Tensor y = Tensor::empty(with_last(x.shape(), n), DType::f32, x.device());
  call(x.device(), &Kernels::linear,
       {.rows = rows,
        .n = n,
        .k = k,
        .x = from.data<float>(),
        .w = weight.raw(),
        .w_dtype = w.dtype(),
        .y = y.data<float>()});
  if (needs_grad(x, w)) {
    record(y, "linear", {x, w},
           [x = saved(from, w.requires_grad()), w = saved(weight, x.requires_grad()), shape = x.shape(), rows, n,
            k](const Tensor& dy) {
             const Tensor d = reshape(dy, {rows, n});
             return Gradients{w.defined() ? reshape(product(d, cast(w, DType::f32)), shape) : Tensor(),
                              x.defined() ? product(transpose(d), reshape(x, {rows, k})) : Tensor()};
           });
  }
  return y;
}

}  // namespace tern
