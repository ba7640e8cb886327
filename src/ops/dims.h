// SPDX-License-Identifier: Apache-2.0
// Shapes as kernels take them.
#pragma once

#include <cstdint>

#include "device/loop.h"

namespace tern {

// Product of all extents but the last: how many rows there are.
int64_t rows_of(const Shape& shape);

// `shape` with another last extent.
Shape with_last(Shape shape, int64_t extent);

}  // namespace tern
