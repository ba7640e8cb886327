// SPDX-License-Identifier: Apache-2.0
// Slices of one axis.
#pragma once

#include <cstdint>
#include <optional>

namespace tern {

// Which indices a slice takes: first, first + step, …
struct SliceRange {
  int64_t first, count;
};

// Of start:stop:step on an axis, as Python clips it. A step other than 0.
SliceRange slice_range(std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step, int64_t extent);

}  // namespace tern
