// SPDX-License-Identifier: Apache-2.0
// A trial of OpenBLAS's kernels before anything is left to them.
#pragma once

#include "linalg/blas_library.h"

namespace tern::linalg {

// Whether products of small integers, which are exact in any order, and factorizations of matrices beyond a block's
// size are right in all four precisions. Takes about a millisecond.
bool computes_correctly(const BlasLibrary& library);

}  // namespace tern::linalg
