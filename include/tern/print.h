// SPDX-License-Identifier: Apache-2.0
// Tensors as text for people: NumPy's (array2string), character by character.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

#include "tern/tensor.h"

namespace tern {

struct PrintOptions {
  // Digits behind the point at most. Fewer where fewer tell a number from its neighbours of the same dtype.
  int precision = 8;
  // Small numbers beside large ones are rounded to 0 instead of all being written with exponents.
  bool suppress_small = false;
  // Tensors of more elements are shown without the middle of long axes, of which so many stay on each side.
  int64_t threshold = 1000;
  int64_t edge_items = 3;
  // Characters of a line; those of them that the caller has before the first bracket and behind the last.
  int line_width = 75;
  int indent = 0;
  int suffix = 0;
  std::string_view separator = " ";
};

// "[[1.  2.5]\n [3.  4. ]]". Waits for the device. Throws Error for an undefined tensor.
std::string to_string(const Tensor& x, const PrintOptions& options = {});

std::ostream& operator<<(std::ostream& out, const Tensor& x);

}  // namespace tern
