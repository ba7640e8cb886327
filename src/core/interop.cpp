// SPDX-License-Identifier: Apache-2.0
#include "tern/interop.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/check.h"
#include "core/storage.h"

namespace tern {

Tensor borrow(void* data, const Shape& shape, const Shape& strides, DType dtype, const Device& device,
              std::shared_ptr<const void> keeper) {
  const size_t alignment = std::min(size_of(dtype), size_t{8});
  check(static_cast<bool>(device), "borrow", "expected an open device, got none");
  check(shape.rank() == strides.rank(), "borrow", "expected a stride for each of {} axes, got {}", shape.rank(),
        strides.rank());
  check(std::ranges::all_of(shape, [](int64_t extent) { return extent >= 0; }), "borrow",
        "expected extents that are not negative, got {}", to_string(shape));
  check(reinterpret_cast<uintptr_t>(data) % alignment == 0, "borrow",
        "expected an address that is a multiple of {}, got {}", alignment, fmt::ptr(data));
  // A view may reach to either side of its first element: the storage is a point, not a range.
  return Tensor::over(std::make_shared<Storage>(device, data, 0, std::move(keeper)), 0, shape, strides, dtype);
}

}  // namespace tern
