// SPDX-License-Identifier: Apache-2.0
// Along the last axis: norms, softmax, rotary embedding, table look-up.
#include "ops/call.h"
#include "ops/checked_indices.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gradients.h"
#include "tern/ops.h"

namespace tern {
namespace {

// rope, or its inverse, which is its gradient, on checked contiguous operands.
Tensor rotate(const Tensor& x, const Tensor& positions, const Tensor& cos, const Tensor& sin, bool inverse) {
  const Tensor y = Tensor::empty(x.shape(), DType::f32, x.device());
  call(x.device(), &Kernels::rope,
       {.tokens = x.shape()[0] * x.shape()[1],
        .heads = x.shape()[2],
        .dim = x.shape()[3],
        .x = x.data<float>(),
        .positions = positions.data<int32_t>(),
        .cos = cos.data<float>(),
        .sin = sin.data<float>(),
        .inverse = inverse,
        .y = y.data<float>()});
  return y;
}

void check_rope(const Tensor& x, const Tensor& positions, const Tensor& cos, const Tensor& sin) {
  check_inputs("rope", {{"x", x}, {"positions", positions}, {"cos", cos}, {"sin", sin}});
  check_inputs("rope", DType::i32, {{"positions", positions}});
  check_inputs("rope", DType::f32, {{"cos", cos}, {"sin", sin}});
  check(!needs_grad(cos, sin), "rope", "expected cos and sin without a gradient, got one that requires it");
  check_rank("rope", {"x", x}, 4);
  check(x.shape()[3] % 2 == 0, "rope", "expected x with an even last extent, got shape {}", x.shape());
  check_shape("rope", {"positions", positions}, Shape{x.shape()[0], x.shape()[1]});
  check_rank("rope", {"cos", cos}, 2);
  check_shape("rope", {"cos", cos}, Shape{cos.shape()[0], x.shape()[3] / 2});
  check_shape("rope", {"sin", sin}, cos.shape());
}

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, float eps) {
  check_floats("rms_norm", {{"x", x}, {"weight", weight}});
  check_rank_at_least("rms_norm", {"x", x}, 1);
  check_shape("rms_norm", {"weight", weight}, Shape{x.shape().back()});
  if (is_half(x.dtype())) {
    return through_f32([eps](const Tensor& a, const Tensor& b) { return rms_norm(a, b, eps); }, x, weight);
  }
  const Tensor from = dense(x), scale = dense(weight);
  const int64_t rows = rows_of(x.shape()), cols = x.shape().back();
  const Tensor y = Tensor::empty(x.shape(), DType::f32, x.device());
  const Tensor inv_rms = needs_grad(x, weight) ? Tensor::empty({rows}, DType::f32, x.device()) : Tensor();
  call(x.device(), &Kernels::rms_norm,
       {.rows = rows,
        .cols = cols,
        .x = from.data<float>(),
        .weight = scale.data<float>(),
        .eps = eps,
        .y = y.data<float>(),
        .inv_rms = inv_rms.defined() ? inv_rms.data<float>() : nullptr});
  if (needs_grad(x, weight)) {
    record(y, "rms_norm", {x, weight},
           [x = saved(from), weight = saved(scale), inv_rms, rows, cols](const Tensor& grad) {
             const Tensor dy = dense(grad);
             const Tensor dx = Tensor::empty(x.shape(), DType::f32, x.device());
             const Tensor d_weight = Tensor::empty(weight.shape(), DType::f32, x.device());
             call(x.device(), &Kernels::rms_norm_backward,
                  {.rows = rows,
                   .cols = cols,
                   .x = x.data<float>(),
                   .weight = weight.data<float>(),
                   .inv_rms = inv_rms.data<float>(),
                   .dy = dy.data<float>(),
                   .dx = dx.data<float>(),
                   .d_weight = d_weight.data<float>()});
             return Gradients{dx, d_weight};
           });
  }
  return y;
}

Tensor softmax(const Tensor& x) {
  check_floats("softmax", {{"x", x}});
  check_rank_at_least("softmax", {"x", x}, 1);
  if (is_half(x.dtype())) return through_f32(softmax, x);
  const Tensor from = dense(x);
  const int64_t rows = rows_of(x.shape()), cols = x.shape().back();
  const Tensor y = Tensor::empty(x.shape(), DType::f32, x.device());
  call(x.device(), &Kernels::softmax, {.rows = rows, .cols = cols, .x = from.data<float>(), .y = y.data<float>()});
  if (needs_grad(x)) {
    record(y, "softmax", {x}, [y = saved(y), rows, cols](const Tensor& grad) {
      const Tensor dy = dense(grad);
      const Tensor dx = Tensor::empty(y.shape(), DType::f32, y.device());
      call(y.device(), &Kernels::softmax_backward,
           {.rows = rows, .cols = cols, .y = y.data<float>(), .dy = dy.data<float>(), .dx = dx.data<float>()});
      return Gradients{dx};
    });
  }
  return y;
}

Tensor checked::rope(const Tensor& x, const Tensor& positions, const Tensor& cos, const Tensor& sin) {
  if (is_half(x.dtype())) {
    return through_f32([&](const Tensor& wide) { return checked::rope(wide, positions, cos, sin); }, x);
  }
  const Tensor at = dense(positions), c = dense(cos), s = dense(sin);
  const Tensor y = rotate(dense(x), at, c, s, false);
  if (needs_grad(x)) {
    record(y, "rope", {x}, [at = saved(at), c = saved(c), s = saved(s)](const Tensor& dy) {
      return Gradients{rotate(dense(dy), at, c, s, true)};
    });
  }
  return y;
}

Tensor rope(const Tensor& x, const Tensor& positions, const Tensor& cos, const Tensor& sin) {
  check_rope(x, positions, cos, sin);
  check_floats("rope", {{"x", x}});
  check_indices("rope", {"positions", positions}, cos.shape()[0]);
  return checked::rope(x, positions, cos, sin);
}

Tensor gather_rows(const Tensor& table, const Tensor& ids) {
  Shape shape = ids.shape();
  shape.push_back(table.shape()[1]);
  const Tensor y = Tensor::empty(shape, table.dtype(), table.device());
  call(table.device(), &Kernels::gather_rows,
       {.count = ids.numel(),
        .row_bytes = static_cast<size_t>(table.shape()[1]) * size_of(table.dtype()),
        .table = table.raw(),
        .ids = ids.data<int64_t>(),
        .y = y.raw()});
  return y;
}

Tensor embed_rows(const Tensor& table, const Tensor& ids) {
  if (table.device().backend().kernels().embed_rows == nullptr) return cast(gather_rows(table, ids), DType::f32);
  Shape shape = ids.shape();
  shape.push_back(table.size(1));
  const Tensor y = Tensor::empty(shape, DType::f32, table.device());
  call(table.device(), &Kernels::embed_rows,
       {.count = ids.numel(),
        .cols = table.size(1),
        .table = table.raw(),
        .table_dtype = table.dtype(),
        .ids = ids.data<int64_t>(),
        .y = y.data<float>()});
  return y;
}

Tensor checked::embedding(const Tensor& table, const Tensor& ids) {
  const Tensor at = dense(ids), y = gather_rows(dense(table), at);
  if (needs_grad(table)) {
    record_adding(y, "embedding", table, [at = saved(at)](const Tensor& grad, const Tensor& to) {
      const Tensor dy = dense(grad);
      call(dy.device(), &Kernels::scatter_add_rows,
           {.count = at.numel(),
            .cols = to.size(1),
            .x = dy.data<float>(),
            .ids = at.data<int64_t>(),
            .y = to.data<float>()});
    });
  }
  return y;
}

Tensor embedding(const Tensor& table, const Tensor& ids) {
  check_inputs("embedding", {{"table", table}, {"ids", ids}});
  check_inputs("embedding", DType::i64, {{"ids", ids}});
  check_rank("embedding", {"table", table}, 2);
  check_indices("embedding", {"ids", ids}, table.shape()[0]);
  return checked::embedding(table, ids);
}

}  // namespace tern
