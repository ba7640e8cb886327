// SPDX-License-Identifier: Apache-2.0
// The complex half of array_math.h.
#pragma once

#include "devices/cpu/array_math.h"

namespace tern::cpu {

// dtype c64 or c128.
UnaryRun complex_unary(ArrayUnaryOp op, DType dtype) noexcept;
BinaryRun complex_binary(ArrayBinaryOp op, DType dtype) noexcept;

}  // namespace tern::cpu
