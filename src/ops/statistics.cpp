// SPDX-License-Identifier: Apache-2.0
// Variances and the logarithm of a sum of exponentials.
#include <limits>

#include "ops/array_pointwise.h"
#include "ops/copy.h"
#include "ops/gradients.h"
#include "ops/reduce_axes.h"
#include "tern/reductions.h"

namespace tern {
namespace {

// (2 / (n - correction)) · (x - mean) · dy.
Gradients variance_gradient(const Tensor& x, const Tensor& center, double divisor, const Tensor& dy) {
  const Tensor twice = Tensor::full({}, 2 / divisor, DType::f32, x.device());
  return {(x - converted(center, DType::f32)) * (dy * twice)};
}

// Of f32 or f64, along an axis that is kept as 1. Both passes are in f64.
Tensor variance_along(const Tensor& x, int axis, double correction) {
  const Tensor from = dense(x);
  const auto count = static_cast<double>(x.shape()[axis]);
  const Tensor center = reduce_along(ArrayReduceOp::sum, from, axis, {.result = DType::f64, .divisor = count});
  const double divisor = count > correction ? count - correction : 0;
  const Tensor squares = reduce_along(ArrayReduceOp::sum_squares, from, axis,
                                      {.result = DType::f64, .center = center, .divisor = divisor});
  if (x.dtype() == DType::f64) return squares;
  const Tensor y = converted(squares, DType::f32);
  if (needs_grad(x)) {
    record(y, "var", {x},
           [x = saved(x), center, divisor](const Tensor& dy) { return variance_gradient(x, center, divisor, dy); });
  }
  return y;
}

Tensor variance(const char* name, const Tensor& x, std::span<const int> axes, double correction, bool keep) {
  check_inputs(name, {{"x", x}});
  check(!is_complex(x.dtype()), name, "expected x of a real dtype, got {}", name_of(x.dtype()));
  check_arrays(name, x, {x.dtype()});
  check_gradients(name, {{"x", x}}, x.dtype());
  if (is_half(x.dtype())) {
    return through_f32([&](const Tensor& wide) { return variance(name, wide, axes, correction, keep); }, x);
  }
  const AxisSet set = axis_set(name, axes, x.rank());
  const Merged merged = merge_set(is_float(x.dtype()) ? x : cast(x, DType::f64), set);
  const Tensor kept = variance_along(merged.x, merged.axis, correction);
  return reshape(cast(kept, is_float(x.dtype()) ? x.dtype() : DType::f32), reduced_shape(x.shape(), set, keep));
}

}  // namespace

Tensor var(const Tensor& x, std::span<const int> axes, double correction, bool keep) {
  return variance("var", x, axes, correction, keep);
}

Tensor std(const Tensor& x, std::span<const int> axes, double correction, bool keep) {
  return sqrt(variance("std", x, axes, correction, keep));
}

Tensor logsumexp(const Tensor& x, std::span<const int> axes, bool keep) {
  check_inputs("logsumexp", {{"x", x}});
  check(!is_complex(x.dtype()), "logsumexp", "expected x of a real dtype, got {}", name_of(x.dtype()));
  if (!is_float(x.dtype())) return logsumexp(cast(x, DType::f32), axes, keep);
  if (is_half(x.dtype())) return through_f32([&](const Tensor& wide) { return logsumexp(wide, axes, keep); }, x);
  const AxisSet set = axis_set("logsumexp", axes, x.rank());
  const Merged merged = merge_set(x, set);
  const Shape shape = reduced_shape(x.shape(), set, keep);
  const auto scalar = [&](double value) { return Tensor::full({}, value, x.dtype(), x.device()); };
  const double infinity = std::numeric_limits<double>::infinity();
  if (merged.x.shape()[merged.axis] == 0) return clone(expand(scalar(-infinity), shape));
  // What is subtracted has no gradient: it cancels. An infinity is not subtracted from itself.
  const Tensor greatest = max(merged.x.detach(), merged.axis, true);
  const Tensor shift = where(equal(abs(greatest), scalar(infinity)), scalar(0), greatest);
  const int axis[] = {merged.axis};
  return reshape(log(sum(exp(merged.x - shift), axis, true)) + shift, shape);
}

}  // namespace tern
