// SPDX-License-Identifier: Apache-2.0
// What the functions of linalg expect of their inputs.
#pragma once

#include <cstdint>

#include "linalg/lapack.h"
#include "ops/checks.h"
#include "tern/dtype.h"
#include "tern/linalg.h"
#include "tern/tensor.h"

namespace tern::linalg {

// f32, f64, c64 and c128 are computed in themselves, all others in f32.
DType computed_dtype(DType dtype);
// The one in which both are computed.
DType computed_dtype(DType a, DType b);
// The real dtype of the same precision.
DType real_dtype(DType dtype);
bool is_double(DType dtype);

// x in the dtype in which it is computed, still in its graph.
Tensor promoted(const Tensor& x);

// x is defined, on a CPU or a device with factorizations of its own, and has matrices whose extents LAPACK can count /
// square ones / one axis or more.
void check_matrices(const char* op, const Input& x);
void check_square(const char* op, const Input& x);
void check_vectors(const char* op, const Input& x);
// On such a device.
void check_device(const char* op, const Input& x);

// Throws LinalgError when one of the `count` elements, which belong to the matrix of that index, is NaN or infinite.
template <class T>
void check_finite(const char* op, const Input& x, const T* values, int64_t count, int64_t index);

// The same of one that has.
[[noreturn]] void fail_not_finite(const char* op, const Input& x, int64_t index);

// [op] expected `expected`, `name` (the matrix of that index) `got`.
[[noreturn]] void fail_numerically(const char* op, const char* expected, const Input& x, int64_t index,
                                   const std::string& got);

}  // namespace tern::linalg
