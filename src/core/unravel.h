// SPDX-License-Identifier: Apache-2.0
// From a position in row-major order to an index on each axis.
#pragma once

#include "tern/shape.h"

namespace tern {

inline Shape unravel(int64_t position, const Shape& shape) {
  Shape index = shape;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[axis] = position % shape[axis];
    position /= shape[axis];
  }
  return index;
}

}  // namespace tern
