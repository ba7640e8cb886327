// SPDX-License-Identifier: Apache-2.0
// Numbers without a dtype beside tensors, and conversions by name.
#include <bit>
#include <cmath>
#include <span>

#include "core/dispatch.h"
#include "ops/array_pointwise.h"
#include "ops/call.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "tern/elementwise.h"

namespace tern {
namespace {

template <class T>
Tensor element(const T& value, const Device& device) {
  return Tensor::from_bytes(std::as_bytes(std::span(&value, 1)), {}, dtype_of<T>, device);
}

// Rounded to an odd last bit, so that rounding it again to 12 bits or fewer is rounding once.
float odd_float(double x) {
  const auto near = static_cast<float>(x);
  if (static_cast<double>(near) == x || !std::isfinite(near) || (std::bit_cast<uint32_t>(near) & 1) != 0) return near;
  return std::nextafter(near, static_cast<double>(near) < x ? HUGE_VALF : -HUGE_VALF);
}

}  // namespace

Tensor Scalar::as(DType dtype, const Device& device, const char* op) const {
  check(is_complex(dtype) || im_ == 0, op, "expected a real number for dtype {}, got {}{:+}i", name_of(dtype), re_,
        im_);
  if (is_integer(dtype)) {
    const IntegerInfo info = iinfo(dtype);
    const bool whole = kind_ <= ScalarKind::integer;
    const bool fits = whole && (is_negative_ ? static_cast<int64_t>(integer_) >= info.min : integer_ <= info.max);
    check(whole, op, "expected an integer for dtype {}, got {}", name_of(dtype), re_);
    check(fits, op, "expected a number in [{}, {}] for dtype {}, got {}", info.min, info.max, name_of(dtype), re_);
  }
  return dispatch(dtype, [&]<class T>() -> Tensor {
    if constexpr (std::is_same_v<T, bool>) {
      return element(re_ != 0 || im_ != 0, device);
    } else if constexpr (std::is_integral_v<T>) {
      return element(static_cast<T>(integer_), device);
    } else if constexpr (std::is_same_v<T, f16> || std::is_same_v<T, bf16>) {
      return element(T(odd_float(re_)), device);
    } else if constexpr (std::is_floating_point_v<T>) {
      return element(static_cast<T>(re_), device);
    } else {
      return element(T(std::complex<double>(re_, im_)), device);
    }
  });
}

Tensor beside(const Tensor& x, const Scalar& value, const char* op) {
  check_inputs(op, {{"x", x}});
  return value.as(result_type(x.dtype(), value.kind()), x.device(), op);
}

Tensor astype(const Tensor& x, DType dtype, bool copy) {
  check_inputs("astype", {{"x", x}});
  check(!is_complex(x.dtype()) || is_complex(dtype) || dtype == DType::boolean, "astype",
        "expected a complex dtype or bool for x of dtype {}, got {}", name_of(x.dtype()), name_of(dtype));
  if (x.dtype() != dtype) return cast(x, dtype);
  return copy ? clone(x) : x;
}

Tensor cast_saturating(const Tensor& x, DType dtype) {
  check_inputs("cast_saturating", {{"x", x}});
  if (!is_integer(x.dtype()) || !is_integer(dtype)) return cast(x, dtype);
  check_arrays("cast_saturating", x, {x.dtype(), dtype});
  const Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  const auto loop = make_loop<2>(x.shape(), {x.strides(), y.strides()});
  call(x.device(), &ArrayPointwiseKernels::saturate,
       {.shape = loop.shape,
        .x = x.raw(),
        .x_dtype = x.dtype(),
        .x_strides = loop.strides[0],
        .y = y.raw(),
        .y_dtype = dtype,
        .y_strides = loop.strides[1]});
  return y;
}

}  // namespace tern
