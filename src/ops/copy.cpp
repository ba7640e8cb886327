// SPDX-License-Identifier: Apache-2.0
#include "ops/copy.h"

#include "ops/array_call.h"
#include "ops/array_pointwise.h"
#include "ops/checks.h"
#include "ops/dims.h"

namespace tern {

namespace {

// A dtype of models of the same size, in whose place elements are moved; one of its own where there is none.
DType moved_as(DType dtype) {
  switch (size_of(dtype)) {
    case 1:
      return DType::u8;
    case 2:
      return DType::bf16;
    case 4:
      return DType::i32;
    case 8:
      return DType::i64;
  }
  return dtype;
}

}  // namespace

void copy_into(const Tensor& from, const Tensor& to) {
  const DType source = from.dtype(), target = to.dtype();
  CopyArgs args;
  args.x = from.raw();
  args.x_dtype = source;
  args.y = to.raw();
  args.y_dtype = target;
  set_loop(args.shape, to.shape(), {{from, args.x_strides}, {to, args.y_strides}});
  if (source == target) args.x_dtype = args.y_dtype = moved_as(source);
  // Kernels for arrays convert in one pass what models' take through blocks of numbers (i32 to f32: 23 us against 11
  // for 100,000); those of models have the instructions for halves.
  const bool converts = source != target && !is_half(source) && !is_half(target);
  const bool in_models = is_model_dtype(args.x_dtype) && is_model_dtype(args.y_dtype);
  if (in_models && !(converts && has_arrays(to))) return call(to.device(), &Kernels::copy, args);
  check_arrays("copy", to, {source, target});
  call(to.device(), &ArrayPointwiseKernels::copy, args);
}

Tensor dense(const Tensor& x) { return x.is_contiguous() ? x : converted(x, x.dtype()); }

Tensor converted(const Tensor& x, DType dtype) {
  const Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  copy_into(x, y);
  return y;
}

}  // namespace tern
