// SPDX-License-Identifier: Apache-2.0
// Arrays from nothing, from numbers and from other arrays: the creation functions of the Python array API standard
// (2024.12) with their names. Results are contiguous and of any dtype. Errors are as in ops.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tern/scalar.h"
#include "tern/tensor.h"

namespace tern {

// Of `shape`: elements that are not initialized, zeros, ones, or all `value` (Scalar::element says what of it fits).
Tensor empty(const Shape& shape, DType dtype, const Device& device);
Tensor zeros(const Shape& shape, DType dtype, const Device& device);
Tensor ones(const Shape& shape, DType dtype, const Device& device);
Tensor full(const Shape& shape, const Scalar& value, DType dtype, const Device& device);

// The same of x's shape on x's device, and of its dtype where none is given.
Tensor empty_like(const Tensor& x, std::optional<DType> dtype = {});
Tensor zeros_like(const Tensor& x, std::optional<DType> dtype = {});
Tensor ones_like(const Tensor& x, std::optional<DType> dtype = {});
Tensor full_like(const Tensor& x, const Scalar& value, std::optional<DType> dtype = {});

// start, start + step, …, all before stop: ceil((stop - start) / step) numbers, of an integer or real float dtype. For
// an integer dtype the three are integers and the result is exact; floats are start + i·step in double, rounded once.
// Throws Error for a step of 0, and for numbers that the dtype has no room for.
Tensor arange(const Scalar& start, const Scalar& stop, const Scalar& step, DType dtype, const Device& device);

// `count` numbers from start to stop at even distances, stop among them where `endpoint` is set. Computed in double
// (each part, of complex numbers) and rounded once, down for integer dtypes; the first and the last are start and stop.
Tensor linspace(const Scalar& start, const Scalar& stop, int64_t count, DType dtype, const Device& device,
                bool endpoint = true);

// [rows, cols] with ones on the diagonal `offset` (above the main one for > 0) and zeros elsewhere. cols defaults to
// rows.
Tensor eye(int64_t rows, std::optional<int64_t> cols, int64_t offset, DType dtype, const Device& device);

// x [..., rows, cols] with zeros above (tril) or below (triu) the diagonal `offset`. Differentiable.
Tensor tril(const Tensor& x, int64_t offset = 0);
Tensor triu(const Tensor& x, int64_t offset = 0);

// The diagonal `offset` of a matrix, a view; or, of a vector, the square matrix that has it there and zeros elsewhere.
// Differentiable.
Tensor diag(const Tensor& x, int64_t offset = 0);

// The coordinates of a grid: every array, of at most one axis, repeated along the axes of the others, each result a
// copy. The axes are in the arrays' order (ij), or with the first two swapped (xy).
enum class GridIndexing : uint8_t { xy, ij };
std::vector<Tensor> meshgrid(std::span<const Tensor> arrays, GridIndexing indexing = GridIndexing::xy);

// x with another dtype or on another device: x itself where nothing changes, unless `copy` is true; Error where
// something changes and `copy` is false.
Tensor asarray(const Tensor& x, std::optional<DType> dtype = {}, std::optional<Device> device = {},
               std::optional<bool> copy = {});

}  // namespace tern
