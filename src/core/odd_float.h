// SPDX-License-Identifier: Apache-2.0
// Rounding a double to fewer bits than a float has, by way of a float.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace tern {

// value as a float, rounded to odd where it is not exact, so that rounding again, to fewer bits, does not see two
// roundings.
inline float odd_float(double value) {
  const float near = static_cast<float>(value);
  const auto back = static_cast<double>(near);
  if (back == value || std::isnan(value) || std::isinf(near)) return near;
  const auto bits = std::bit_cast<uint32_t>(near);
  if (bits & 1u) return near;
  return std::bit_cast<float>(std::abs(back) > std::abs(value) ? bits - 1 : bits + 1);
}

}  // namespace tern
