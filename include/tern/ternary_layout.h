// SPDX-License-Identifier: Apache-2.0
// How a device may hold ternary matrices.
#pragma once

#include <cstdint>
#include <string_view>

namespace tern {

// 2 bits a weight, or 1.6 (five weights in a byte) for more arithmetic.
enum class TernaryLayout : uint8_t { two_bit, base3 };

// "two_bit", "base3".
std::string_view name_of(TernaryLayout layout);
// The inverse of name_of. Throws Error for an unknown name.
TernaryLayout ternary_layout_from_name(std::string_view name);

}  // namespace tern
