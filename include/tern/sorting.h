// SPDX-License-Identifier: Apache-2.0
// Sorting, searching and sets of tensors of any dtype, by the Python array API standard (2024.12).
//
// The order: numbers ascend, 0 and -0 are equal, false is before true, NaNs are last, in descending order, too; complex
// numbers go by their real parts, then by their imaginary ones. All sorts are stable: what is equal keeps its order.
// Indices are i64. They need a device that has kernels for arrays. Every failure throws Error("[op] expected …, got
// …").
#pragma once

#include <cstdint>
#include <vector>

#include "tern/tensor.h"

namespace tern {

// ---------------------------------------------------------------- sorting

// The elements along an axis in order. Differentiable.
Tensor sort(const Tensor& x, int axis = -1, bool descending = false);
// Where they were: x taken there is sort(x).
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false);

// The k greatest (or least) along an axis, in order, and where they are: the first k of sort and argsort.
struct TopK {
  Tensor values, indices;
};
TopK topk(const Tensor& x, int64_t k, int axis = -1, bool largest = true);

// ---------------------------------------------------------------- searching

enum class SearchSide : uint8_t { left, right };

// For each of `values`, of any shape, the first (left) or last (right) place where it could be put into `sorted`, one
// axis in ascending order, to keep it in order. `sorter`, if it is defined, are i64 indices that put `sorted` in order.
// Both of one real dtype or bool.
Tensor searchsorted(const Tensor& sorted, const Tensor& values, SearchSide side = SearchSide::left,
                    const Tensor& sorter = {});

// Where x is not 0, in row-major order: a vector of indices for each axis. x has at least one axis.
std::vector<Tensor> nonzero(const Tensor& x);

// ---------------------------------------------------------------- sets: of all elements, in order

// Each value once; every NaN is a value of its own; of 0 and -0 the first counts.
struct UniqueAll {
  Tensor values;
  Tensor indices;          // of the first element of each value, in row-major order
  Tensor inverse_indices;  // x's shape: which value an element has
  Tensor counts;           // how many elements have each value
};
UniqueAll unique_all(const Tensor& x);

struct UniqueCounts {
  Tensor values, counts;
};
UniqueCounts unique_counts(const Tensor& x);

struct UniqueInverse {
  Tensor values, inverse_indices;
};
UniqueInverse unique_inverse(const Tensor& x);

Tensor unique_values(const Tensor& x);

// Whether each element of x is one of `values` (or is none, if `invert`): bool of x's shape. NaN is not. Both of one
// real dtype or bool.
Tensor isin(const Tensor& x, const Tensor& values, bool invert = false);

}  // namespace tern
