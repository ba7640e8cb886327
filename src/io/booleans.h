// SPDX-License-Identifier: Apache-2.0
// Bytes of a file that become C++ bools, of which only 0 and 1 exist.
#pragma once

#include <cstddef>
#include <span>

namespace tern {

inline bool are_booleans(std::span<const std::byte> bytes) {
  std::byte all{0};
  for (std::byte byte : bytes) all |= byte;
  return (all & ~std::byte{1}) == std::byte{0};
}

}  // namespace tern
