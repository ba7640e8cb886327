// SPDX-License-Identifier: Apache-2.0
// Running sums and products along an axis, and differences.
#include <vector>

#include "ops/array_call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/gradients.h"
#include "tern/reductions.h"

namespace tern {
namespace {

Tensor reversed(const Tensor& x, int axis) { return slice(x, axis, -1, -x.shape()[axis] - 1, -1); }

// The running result of x, of a dtype that the kernel knows, with `initial` of the op's start in front.
Tensor scanned(ScanOp op, const Tensor& x, int axis, bool initial) {
  const Tensor from = dense(x.detach());
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= x.shape()[i];
  for (int i = axis + 1; i < x.rank(); ++i) inner *= x.shape()[i];
  Shape shape = x.shape();
  shape[axis] += initial ? 1 : 0;
  const Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  if (y.numel() == 0) return y;
  if (initial) assign(slice(y, axis, 0, 1), Tensor::full({}, op == ScanOp::sum ? 0 : 1, x.dtype(), x.device()));
  if (x.numel() == 0) return y;
  call(x.device(), &ArrayReduceKernels::scan,
       {.op = op,
        .dtype = x.dtype(),
        .outer = outer,
        .extent = x.shape()[axis],
        .inner = inner,
        .y_stride = shape[axis] * inner,
        .x = from.raw(),
        .y = slice(y, axis, initial ? 1 : 0, shape[axis]).raw()});
  return y;
}

// Sums of each element and all that follow it.
Tensor sums_from_the_end(const Tensor& x, int axis) {
  return reversed(scanned(ScanOp::sum, reversed(x, axis), axis, false), axis);
}

// With z the place of the first 0 of a row, dx[i] = Σ_{k >= i} dy[k]·y[k] / x[i] before z; at z the same of a row that
// has a 1 there, undivided; 0 behind, where every product has a 0 left.
Tensor product_gradient(const Tensor& x, const Tensor& y, const Tensor& dy, int axis) {
  const Tensor zero = Tensor::full({}, 0, DType::f32, x.device()), one = Tensor::full({}, 1, DType::f32, x.device());
  const Tensor is_zero = cast(equal(x, zero), DType::i64);
  const Tensor zeros = scanned(ScanOp::sum, is_zero, axis, false);
  // Zeros up to here and zeros before: 0 before the first, 1 at it, more behind.
  const Tensor place = zeros + (zeros - is_zero);
  const Tensor before = equal(place, Tensor::full({}, 0, DType::i64, x.device()));
  const Tensor first = equal(place, Tensor::full({}, 1, DType::i64, x.device()));
  const Tensor filled = scanned(ScanOp::prod, where(first, one, x), axis, false);
  const Tensor at_first = where(first, sums_from_the_end(dy * filled, axis), zero);
  return where(before, sums_from_the_end(dy * y, axis) / x, at_first);
}

Tensor scan(ScanOp op, const Tensor& x, int axis, bool initial) {
  const Tensor y = scanned(op, x, axis, initial);
  if (!needs_grad(x)) return y;
  const bool product = op == ScanOp::prod;
  const char* const name = product ? "cumulative_prod" : "cumulative_sum";
  record(y, name, {x}, [=, x = saved(x, product), y = saved(y, product)](const Tensor& gradient) {
    const auto without_initial = [&](const Tensor& t) { return initial ? slice(t, axis, 1, t.shape()[axis]) : t; };
    const Tensor dy = without_initial(gradient);
    return Gradients{product ? product_gradient(x, without_initial(y), dy, axis) : sums_from_the_end(dy, axis)};
  });
  return y;
}

// In 64 bits, or f32, first, then in `dtype`.
Tensor cumulative(const char* name, ScanOp op, const Tensor& x, int axis, std::optional<DType> dtype, bool initial) {
  check_inputs(name, {{"x", x}});
  const DType result = dtype.value_or(sum_dtype(x.dtype()));
  check(result != DType::boolean, name, "expected a dtype of numbers, got bool");
  check_arrays(name, x, {x.dtype(), result});
  const int at = normalize_axis(name, axis, x.rank());
  const DType within = is_half(result) ? DType::f32 : is_integer(result) ? sum_dtype(result) : result;
  return cast(scan(op, cast(cast(x, result), within), at, initial), result);
}

}  // namespace

Tensor cumulative_sum(const Tensor& x, int axis, std::optional<DType> dtype, bool include_initial) {
  return cumulative("cumulative_sum", ScanOp::sum, x, axis, dtype, include_initial);
}

Tensor cumulative_prod(const Tensor& x, int axis, std::optional<DType> dtype, bool include_initial) {
  return cumulative("cumulative_prod", ScanOp::prod, x, axis, dtype, include_initial);
}

Tensor diff(const Tensor& x, int axis, int64_t n, const Tensor& prepend, const Tensor& append) {
  check_inputs("diff", {{"x", x}});
  check(n >= 0, "diff", "expected n of 0 or more, got {}", n);
  const int at = normalize_axis("diff", axis, x.rank());
  std::vector<Tensor> parts;
  for (const Tensor& part : {prepend, x, append}) {
    if (part.defined()) parts.push_back(part);
  }
  Tensor y = parts.size() == 1 ? x : concat(parts, at);
  for (int64_t i = 0; i < n && y.shape()[at] > 0; ++i) {
    const Tensor later = slice(y, at, 1, y.shape()[at]), earlier = slice(y, at, 0, y.shape()[at] - 1);
    y = y.dtype() == DType::boolean ? not_equal(later, earlier) : later - earlier;
  }
  return y;
}

}  // namespace tern
