// SPDX-License-Identifier: Apache-2.0
// nextafter of floats of any format by their bits, for all devices.
#pragma once

namespace tern {

// The neighbour of a on the way to b; Bits are those of one sign and a size, `infinity` the size of infinity.
template <class Bits>
constexpr Bits step_towards(Bits a, Bits b, Bits infinity) {
  constexpr Bits kSign = static_cast<Bits>(Bits{1} << (8 * sizeof(Bits) - 1));
  const Bits a_size = static_cast<Bits>(a & ~kSign), b_size = static_cast<Bits>(b & ~kSign);
  if (a_size > infinity) return a;
  if (b_size > infinity || a == b || (a_size == 0 && b_size == 0)) return b;
  if (a_size == 0) return static_cast<Bits>((b & kSign) | 1);
  const bool shrinks = ((a ^ b) & kSign) != 0 || a_size > b_size;
  return static_cast<Bits>(shrinks ? a - 1 : a + 1);
}

}  // namespace tern
