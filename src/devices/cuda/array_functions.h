// SPDX-License-Identifier: Apache-2.0
// Functions of elements that are more than a few instructions, from files of their own.
#pragma once

#include "device/array_pointwise.h"

namespace tern::cuda {

// exp to atanh of f32 and f64.
void real_function(const Exec& exec, const ArrayUnaryArgs& args) noexcept;
// absolute, reciprocal, sqrt, sign and exp to atanh of c64 and c128.
void complex_function(const Exec& exec, const ArrayUnaryArgs& args) noexcept;

// floor_divide to nextafter of floats; divide and floor_divide to pow of integers.
void real_function(const Exec& exec, const ArrayBinaryArgs& args) noexcept;
// divide and pow of c64 and c128.
void complex_function(const Exec& exec, const ArrayBinaryArgs& args) noexcept;

}  // namespace tern::cuda
