// SPDX-License-Identifier: Apache-2.0
// The canonical codes: what a quantized weight matrix is before any file format and before any device layout.
#pragma once

#include "tern/tensor.h"

namespace tern {

// A ternary matrix W ≈ scale · codes, one scale for the whole tensor (b1.58, arXiv 2402.17764 section 2). Formats decode
// to this and encode from it; devices pack from it.
struct TernaryCodes {
  Tensor codes;        // i8 [rows, cols], each -1, 0 or +1, contiguous
  float scale = 1.0f;  // multiplies the codes (absmean), whatever the file stored
};

}  // namespace tern
