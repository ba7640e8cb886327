// SPDX-License-Identifier: Apache-2.0
// Loops over contiguous elements, and those among them that call the C library: one code for every instruction set.
#pragma once

#include "device/array_pointwise.h"

namespace tern::cpu {

// y may be x (or a, or b). The run is one of those of a thread, `share` elements in all, by which a loop may decide how
// it uses the caches.
using UnaryRun = void (*)(const void* x, void* y, int64_t count, int64_t share);
using BinaryRun = void (*)(const void* a, const void* b, void* y, int64_t count, int64_t share);

// The loop of a function in a dtype, null where there is none here: f32, f64, c64 and c128; for two arguments the
// integers as well, and f16 and bf16 for nextafter.
UnaryRun math_unary(ArrayUnaryOp op, DType dtype) noexcept;
BinaryRun math_binary(ArrayBinaryOp op, DType dtype) noexcept;

}  // namespace tern::cpu
