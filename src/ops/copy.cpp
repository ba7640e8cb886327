// SPDX-License-Identifier: Apache-2.0
#include "ops/copy.h"

#include "ops/call.h"
#include "ops/dims.h"

namespace tern {

void copy_into(const Tensor& from, const Tensor& to) {
  const auto loop = make_loop<2>(to.shape(), {from.strides(), to.strides()});
  call(to.device(), &Kernels::copy,
       {.shape = loop.shape,
        .x = from.raw(),
        .x_dtype = from.dtype(),
        .x_strides = loop.strides[0],
        .y = to.raw(),
        .y_dtype = to.dtype(),
        .y_strides = loop.strides[1]});
}

Tensor dense(const Tensor& x) { return x.is_contiguous() ? x : converted(x, x.dtype()); }

Tensor converted(const Tensor& x, DType dtype) {
  const Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  copy_into(x, y);
  return y;
}

}  // namespace tern
