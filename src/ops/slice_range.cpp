// SPDX-License-Identifier: Apache-2.0
#include "ops/slice_range.h"

#include <algorithm>

namespace tern {
namespace {

// A bound of a slice as Python clips it.
int64_t clipped(int64_t bound, int64_t extent, bool backward) {
  if (bound < 0) bound = std::max<int64_t>(bound + extent, backward ? -1 : 0);
  return std::min(bound, backward ? extent - 1 : extent);
}

}  // namespace

SliceRange slice_range(std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step, int64_t extent) {
  const bool backward = step < 0;
  const int64_t first = start ? clipped(*start, extent, backward) : backward ? extent - 1 : 0;
  const int64_t last = stop ? clipped(*stop, extent, backward) : backward ? -1 : extent;
  if (backward) return {first, last < first ? (last - first + 1) / step + 1 : 0};
  return {first, first < last ? (last - first - 1) / step + 1 : 0};
}

}  // namespace tern
