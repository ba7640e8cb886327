// SPDX-License-Identifier: Apache-2.0
#include "ops/copy.h"

#include "ops/array_call.h"
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
  const auto loop = make_loop<2>(to.shape(), {from.strides(), to.strides()});
  CopyArgs args = {.shape = loop.shape,
                   .x = from.raw(),
                   .x_dtype = from.dtype(),
                   .x_strides = loop.strides[0],
                   .y = to.raw(),
                   .y_dtype = to.dtype(),
                   .y_strides = loop.strides[1]};
  if (from.dtype() == to.dtype()) args.x_dtype = args.y_dtype = moved_as(from.dtype());
  if (is_model_dtype(args.x_dtype) && is_model_dtype(args.y_dtype)) return call(to.device(), &Kernels::copy, args);
  check_arrays("copy", to, {from.dtype(), to.dtype()});
  call(to.device(), &ArrayPointwiseKernels::copy, args);
}

Tensor dense(const Tensor& x) { return x.is_contiguous() ? x : converted(x, x.dtype()); }

Tensor converted(const Tensor& x, DType dtype) {
  const Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  copy_into(x, y);
  return y;
}

}  // namespace tern
