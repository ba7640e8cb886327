// SPDX-License-Identifier: Apache-2.0
// x = function(x, y), written where x lies.
#include "base/check_kind.h"
#include "ops/array_pointwise.h"
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "tern/elementwise.h"

namespace tern {
namespace {

using Function = Tensor (*)(const Tensor& a, const Tensor& b);

// What every form checks: x has elements of its own, of the result's shape, and of at least its kind.
void check_target(const char* name, const Tensor& x, const Tensor& y, DType result) {
  check(!needs_grad(x, y), name, "expected tensors outside any graph, got one that requires a gradient");
  check(broadcast_shapes(name, x.shape(), y.shape()) == x.shape(), name, "expected y that broadcasts to {}, got {}",
        x.shape(), y.shape());
  for (int axis = 0; axis < x.rank(); ++axis) {
    check(x.strides()[axis] != 0 || x.shape()[axis] <= 1, name,
          "expected x with elements of its own, got one that axis {} repeats", axis);
  }
  check_as<WrongType>(kind_of(result) <= kind_of(x.dtype()), name, "expected a result that dtype {} holds, got {}",
                      name_of(x.dtype()), name_of(result));
}

bool is_same_view(const Tensor& x, const Tensor& y) {
  return x.raw() == y.raw() && x.shape() == y.shape() && x.strides() == y.strides() && x.dtype() == y.dtype();
}

// By one kernel that writes x, where the device has it; otherwise, and for what a kernel does not do alone, by
// `function`.
void in_place(const char* name, ArrayBinaryOp op, unsigned kinds, const Tensor& x, const Tensor& y, Function function) {
  check_inputs(name, {{"x", x}, {"y", y}});
  check_kinds(name, {{"x", x}, {"y", y}}, kinds);
  const DType promoted = result_type(x.dtype(), y.dtype());
  const DType dtype = op == ArrayBinaryOp::divide ? float_dtype(promoted) : promoted;
  check_target(name, x, y, dtype);
  if (!has_arrays(x) || dtype == DType::boolean) return assign(x, function(x, y));
  const bool overlaps = x.shares_storage_with(y) && !is_same_view(x, y);
  run(name, op, dtype, x, overlaps ? converted(y, y.dtype()) : y, x);
}

}  // namespace

void add_(const Tensor& x, const Tensor& y) { in_place("add_", ArrayBinaryOp::add, kAll, x, y, add); }
void subtract_(const Tensor& x, const Tensor& y) {
  in_place("subtract_", ArrayBinaryOp::subtract, kNumbers, x, y, subtract);
}
void multiply_(const Tensor& x, const Tensor& y) {
  in_place("multiply_", ArrayBinaryOp::multiply, kAll, x, y, multiply);
}
void divide_(const Tensor& x, const Tensor& y) { in_place("divide_", ArrayBinaryOp::divide, kAll, x, y, divide); }
void floor_divide_(const Tensor& x, const Tensor& y) {
  check_divisor("floor_divide_", x, y);
  in_place("floor_divide_", ArrayBinaryOp::floor_divide, kRealNumbers, x, y, floor_divide);
}
void remainder_(const Tensor& x, const Tensor& y) {
  check_divisor("remainder_", x, y);
  in_place("remainder_", ArrayBinaryOp::remainder, kRealNumbers, x, y, remainder);
}
void pow_(const Tensor& x, const Tensor& y) { in_place("pow_", ArrayBinaryOp::pow, kNumbers, x, y, pow); }
void bitwise_and_(const Tensor& x, const Tensor& y) {
  in_place("bitwise_and_", ArrayBinaryOp::bitwise_and, kBits, x, y, bitwise_and);
}
void bitwise_or_(const Tensor& x, const Tensor& y) {
  in_place("bitwise_or_", ArrayBinaryOp::bitwise_or, kBits, x, y, bitwise_or);
}
void bitwise_xor_(const Tensor& x, const Tensor& y) {
  in_place("bitwise_xor_", ArrayBinaryOp::bitwise_xor, kBits, x, y, bitwise_xor);
}
void bitwise_left_shift_(const Tensor& x, const Tensor& y) {
  in_place("bitwise_left_shift_", ArrayBinaryOp::left_shift, kIntegers, x, y, bitwise_left_shift);
}
void bitwise_right_shift_(const Tensor& x, const Tensor& y) {
  in_place("bitwise_right_shift_", ArrayBinaryOp::right_shift, kIntegers, x, y, bitwise_right_shift);
}

}  // namespace tern
