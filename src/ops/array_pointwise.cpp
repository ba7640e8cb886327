// SPDX-License-Identifier: Apache-2.0
#include "ops/array_pointwise.h"

#include <string>
#include <vector>

#include "base/check_kind.h"
#include "ops/array_call.h"
#include "ops/dims.h"

namespace tern {
namespace {

unsigned bit_of(DType dtype) {
  switch (kind_of(dtype)) {
    case ScalarKind::boolean:
      return kBools;
    case ScalarKind::integer:
      return kIntegers;
    case ScalarKind::real:
      return kReals;
    default:
      return kComplexes;
  }
}

std::string to_string(unsigned kinds) {
  std::vector<const char*> names;
  if (kinds & kBools) names.push_back("bool");
  if (kinds & kIntegers) names.push_back("an integer");
  if (kinds & kReals) names.push_back("a float");
  if (kinds & kComplexes) names.push_back("a complex");
  return fmt::format("{}", fmt::join(names, " or "));
}

DType worked_in(DType dtype) { return is_half(dtype) ? DType::f32 : dtype; }

}  // namespace

bool has_arrays(const Tensor& x) { return x.device().backend().kernels().array != nullptr; }

void check_kinds(const char* op, std::initializer_list<Input> inputs, unsigned kinds) {
  for (const Input& input : inputs) {
    if (bit_of(input.tensor.dtype()) & kinds) continue;
    fail_as<WrongType>(op, "expected {} of {} dtype, got {}", input.name, to_string(kinds),
                       name_of(input.tensor.dtype()));
  }
}

DType float_dtype(DType dtype) { return is_float(dtype) || is_complex(dtype) ? dtype : kDefaultFloat; }

void check_gradients(const char* op, std::initializer_list<Input> inputs, DType result) {
  if (has_gradient(result)) return;
  for (const Input& input : inputs) {
    check_as<WrongType>(!input.tensor.requires_grad(), op,
                        "expected {} without a gradient, which a result of dtype {} cannot carry", input.name,
                        name_of(result));
  }
}

void run(const char* name, ArrayUnaryOp op, DType dtype, const Tensor& x, const Tensor& y) {
  check_arrays(name, x, {x.dtype(), y.dtype()});
  ArrayUnaryArgs args;
  args.op = op;
  args.dtype = worked_in(dtype);
  args.x = x.raw();
  args.x_dtype = x.dtype();
  args.y = y.raw();
  args.y_dtype = y.dtype();
  set_loop(args.shape, y.shape(), {{x, args.x_strides}, {y, args.y_strides}});
  call(x.device(), &ArrayPointwiseKernels::array_unary, args);
}

void run(const char* name, ArrayBinaryOp op, DType dtype, const Tensor& a, const Tensor& b, const Tensor& y) {
  check_arrays(name, a, {a.dtype(), b.dtype(), y.dtype()});
  ArrayBinaryArgs args;
  args.op = op;
  args.dtype = op == ArrayBinaryOp::nextafter ? dtype : worked_in(dtype);  // a neighbour is one of the dtype itself
  args.a = a.raw();
  args.a_dtype = a.dtype();
  args.b = b.raw();
  args.b_dtype = b.dtype();
  args.y = y.raw();
  args.y_dtype = y.dtype();
  set_loop(args.shape, y.shape(), {{a, args.a_strides}, {b, args.b_strides}, {y, args.y_strides}});
  call(a.device(), &ArrayPointwiseKernels::array_binary, args);
}

Tensor made(const char* name, ArrayUnaryOp op, DType dtype, const Tensor& x, DType result) {
  const Tensor y = Tensor::empty(x.shape(), result, x.device());
  run(name, op, dtype, x, y);
  return y;
}

Tensor made(const char* name, ArrayBinaryOp op, DType dtype, const Tensor& a, const Tensor& b, DType result) {
  const Tensor y = Tensor::empty(broadcast_shapes(name, a.shape(), b.shape()), result, a.device());
  run(name, op, dtype, a, b, y);
  return y;
}

}  // namespace tern
