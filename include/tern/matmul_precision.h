// SPDX-License-Identifier: Apache-2.0
// What training may round to.
#pragma once

#include <cstdint>
#include <string_view>

namespace tern {

// What training rounds to: operands of dense products of many rows (matmul, linear with f32 weights; gradients of both and
// of ternary layers), and on Hopper GPUs activations and their gradients. Ternary products are exact, whatever this says.
enum class MatmulPrecision : uint8_t {
  f32,   // nothing
  bf16,  // bfloat16, and sums in f32, on devices with tensor cores for that: training; int8 operands stay exact
};

// "f32", "bf16".
std::string_view name_of(MatmulPrecision precision);
// The inverse of name_of. Throws Error for an unknown name.
MatmulPrecision matmul_precision_from_name(std::string_view name);

}  // namespace tern
