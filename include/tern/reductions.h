// SPDX-License-Identifier: Apache-2.0
// Reductions, statistics and running sums of tensors of any dtype, by the Python array API standard (2024.12).
//
// Conventions. `axes` are those that an op goes over, each once; none means all. `keep` leaves extents of 1. (Over no
// axes at all: unsqueeze(x, 0) over axis 0.) bf16 and f16 are computed in f32 and rounded once at the end. Floats are
// summed in fixed orders (docs/numerics.md), the same for every layout, instruction set and number of threads. Dtypes
// beyond those of models need a device that has kernels for them. Every failure throws Error("[op] expected …, got …").
//
// sum, mean, max, min, argmax and argmin of ops.h take any dtype as well: sum and mean numbers or bool, the others real
// numbers or bool. mean of no elements is NaN, of integers f32.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "tern/ops.h"
#include "tern/tensor.h"

namespace tern {

// What the standard sums and multiplies x's dtype in when it is not told: i64 of signed integers and bool, u64 of
// unsigned ones, floats and complex numbers as they are. sum(x) of ops.h gives this, too, but i32 for i32.
DType sum_dtype(DType dtype);

// ---------------------------------------------------------------- reductions

// Elements are converted to `dtype`, then summed; integers wrap. Differentiable from and to floats.
Tensor sum(const Tensor& x, std::span<const int> axes, bool keep, DType dtype);
// The product, in `dtype` or sum_dtype; 1 of no elements. Differentiable, at zeros, too.
Tensor prod(const Tensor& x, std::span<const int> axes = {}, bool keep = false, std::optional<DType> dtype = {});
// The extreme over several axes, or all. NaN where any is; needs at least one element. The gradient goes to the first
// extreme element.
Tensor max(const Tensor& x, std::span<const int> axes = {}, bool keep = false);
Tensor min(const Tensor& x, std::span<const int> axes = {}, bool keep = false);
// Whether an element is not 0, whether all are: bool, of any dtype. NaN is not 0.
Tensor any(const Tensor& x, std::span<const int> axes = {}, bool keep = false);
Tensor all(const Tensor& x, std::span<const int> axes = {}, bool keep = false);
// How many elements are not 0: i64, of any dtype.
Tensor count_nonzero(const Tensor& x, std::span<const int> axes = {}, bool keep = false);

// ---------------------------------------------------------------- statistics, of real numbers; integers give f32

// Σ |x - mean|² / (n - correction), in two passes and in f64; NaN or Inf where n <= correction, as IEEE divides.
// Differentiable.
Tensor var(const Tensor& x, std::span<const int> axes = {}, double correction = 0, bool keep = false);
Tensor std(const Tensor& x, std::span<const int> axes = {}, double correction = 0, bool keep = false);
// log Σ exp(x), without overflow: Inf where the greatest is, -Inf where all are or there are none. Differentiable.
Tensor logsumexp(const Tensor& x, std::span<const int> axes = {}, bool keep = false);

// Between which elements of n in order a quantile lies, as Hyndman and Fan number them (1996) and NumPy names them;
// where 4 to 9 interpolate, linear (7) is the default. lower, higher, nearest (ties to even) and midpoint are variants
// of it.
enum class QuantileMethod : uint8_t {
  inverted_cdf,               // 1
  averaged_inverted_cdf,      // 2
  closest_observation,        // 3
  interpolated_inverted_cdf,  // 4
  hazen,                      // 5
  weibull,                    // 6
  linear,                     // 7
  median_unbiased,            // 8
  normal_unbiased,            // 9
  lower,
  higher,
  midpoint,
  nearest,
};

// The q-quantile, 0 <= q <= 1; NaN where any element is. Needs at least one element. Differentiable.
Tensor quantile(const Tensor& x, double q, std::span<const int> axes = {}, bool keep = false,
                QuantileMethod method = QuantileMethod::linear);
// Several: a first axis with one for each q, then what one gives.
Tensor quantile(const Tensor& x, std::span<const double> q, std::span<const int> axes = {}, bool keep = false,
                QuantileMethod method = QuantileMethod::linear);
// quantile(x, 0.5): of an even number of elements the mean of the two in the middle.
Tensor median(const Tensor& x, std::span<const int> axes = {}, bool keep = false);

// ---------------------------------------------------------------- along one axis

// Sums and products of all elements up to each, in `dtype` or sum_dtype: one operation after the other, but along the
// last axis sums of 1024 elements each, to which the sum of all before them is added.
// `include_initial` puts a 0 or 1 in front. Differentiable (products by their quotients, but exactly at zeros).
Tensor cumulative_sum(const Tensor& x, int axis, std::optional<DType> dtype = {}, bool include_initial = false);
Tensor cumulative_prod(const Tensor& x, int axis, std::optional<DType> dtype = {}, bool include_initial = false);
// x[i + 1] - x[i], n times; for bool, whether they differ. `prepend` and `append` go before and after x first;
// undefined: nothing. Of x's dtype.
Tensor diff(const Tensor& x, int axis = -1, int64_t n = 1, const Tensor& prepend = {}, const Tensor& append = {});

}  // namespace tern
