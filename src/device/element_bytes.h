// SPDX-License-Identifier: Apache-2.0
// Elements by their bytes, whatever they mean, for all devices.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tern {

// Not aligned to more than its parts, as complex numbers are not.
struct Sixteen {
  uint64_t low, high;
};

// Calls fn(T{}) with an unsigned type of so many bytes, or one of 16.
template <class Fn>
void with_bytes(size_t bytes, const Fn& fn) {
  switch (bytes) {
    case 1:
      return fn(uint8_t{});
    case 2:
      return fn(uint16_t{});
    case 4:
      return fn(uint32_t{});
    case 8:
      return fn(uint64_t{});
    default:
      return fn(Sixteen{});
  }
}

}  // namespace tern
