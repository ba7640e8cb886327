// SPDX-License-Identifier: Apache-2.0
// Sums of products over named axes, and the products that are cases of it. matmul is in ops.h. Operands of different
// dtypes are promoted (promotion.h) and results are of the promoted dtype: integers wrap, bools are whether any product
// is true, bf16 and f16 are computed in f32 and rounded once. Differentiable for f32, bf16 and f16; errors are as in
// ops.h.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "tern/ops.h"
#include "tern/tensor.h"

namespace tern {

// NumPy's einsum: "ij,jk->ik". Every operand names its axes by letters; axes of one letter have one extent, or 1, which
// is broadcast. A letter twice in an operand takes its diagonal. The letters behind the arrow, each once, are the
// result's axes, and over others is summed; without an arrow they are those that occur once, in the order of the
// alphabet (A to Z before a to z). "..." stands for axes without letters, which are broadcast from the last one on and
// come first where there is no arrow. Operands are multiplied in pairs, the cheapest pair first, as matrix products.
Tensor einsum(std::string_view subscripts, std::span<const Tensor> operands);
inline Tensor einsum(std::string_view subscripts, std::initializer_list<Tensor> operands) {
  return einsum(subscripts, std::span(operands.begin(), operands.size()));
}

// Sums of products over pairs of axes, which have equal extents; then a's other axes and b's. A number stands for as
// many last axes of a and first ones of b, in order.
Tensor tensordot(const Tensor& a, const Tensor& b, std::span<const int> a_axes, std::span<const int> b_axes);
Tensor tensordot(const Tensor& a, const Tensor& b, int axes = 2);

// Σ conj(a)·b along an axis of both, the same counted from the end of either if negative; other axes are broadcast.
Tensor vecdot(const Tensor& a, const Tensor& b, int axis = -1);
// All products of two vectors: [m] and [n] give [m, n].
Tensor outer(const Tensor& a, const Tensor& b);
// NumPy's Kronecker product: b for every element of a, times it, side by side along every axis; the one with fewer axes
// has leading ones of 1. Up to 4 axes.
Tensor kron(const Tensor& a, const Tensor& b);

}  // namespace tern
