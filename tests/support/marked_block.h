// SPDX-License-Identifier: Apache-2.0
// A block of memory filled with a mark, by which one sees whether another block lies over it.
#pragma once

#include <cstddef>
#include <cstring>

namespace tern::testing {

struct MarkedBlock {
  unsigned char* at;
  size_t bytes;
  unsigned char mark;

  bool holds_its_mark() const {
    return bytes == 0 || (at[0] == mark && std::memcmp(at, at + 1, bytes - 1) == 0);
  }
};

inline MarkedBlock marked(void* block, size_t bytes, unsigned char mark) {
  if (block != nullptr) std::memset(block, mark, bytes);
  return {static_cast<unsigned char*>(block), bytes, mark};
}

}  // namespace tern::testing
