// SPDX-License-Identifier: Apache-2.0
// Numbers without a dtype beside tensors, and conversions by name.
#include <span>

#include "base/check_kind.h"
#include "ops/array_call.h"
#include "ops/array_pointwise.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "tern/elementwise.h"

namespace tern {

Tensor beside(const Tensor& x, const Scalar& value, const char* op) {
  check_inputs(op, {{"x", x}});
  const DType dtype = result_type(x.dtype(), value.kind());
  const auto bytes = value.element(dtype, op);
  return Tensor::from_bytes(std::span(bytes).first(size_of(dtype)), {}, dtype, x.device());
}

Tensor astype(const Tensor& x, DType dtype, bool copy) {
  check_inputs("astype", {{"x", x}});
  check_as<WrongType>(!is_complex(x.dtype()) || is_complex(dtype) || dtype == DType::boolean, "astype",
                      "expected a complex dtype or bool for x of dtype {}, got {}", name_of(x.dtype()), name_of(dtype));
  if (x.dtype() != dtype) return cast(x, dtype);
  return copy ? clone(x) : x;
}

Tensor cast_saturating(const Tensor& x, DType dtype) {
  check_inputs("cast_saturating", {{"x", x}});
  if (!is_integer(x.dtype()) || !is_integer(dtype)) return cast(x, dtype);
  check_arrays("cast_saturating", x, {x.dtype(), dtype});
  const Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  CopyArgs args;
  args.x = x.raw();
  args.x_dtype = x.dtype();
  args.y = y.raw();
  args.y_dtype = dtype;
  set_loop(args.shape, x.shape(), {{x, args.x_strides}, {y, args.y_strides}});
  call(x.device(), &ArrayPointwiseKernels::saturate, args);
  return y;
}

}  // namespace tern
