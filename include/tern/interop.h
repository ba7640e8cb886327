// SPDX-License-Identifier: Apache-2.0
// Memory of others as tensors, without a copy.
#pragma once

#include <functional>

#include "tern/tensor.h"

namespace tern {

// A tensor over memory of `device` that somebody else owns: `data` is the address of the first element (index 0 on
// every axis), strides are in elements, of any sign. `release` is called once, when the last tensor over the memory is
// gone, on the thread that drops it; it must not throw. Throws Error for strides of another rank, a negative extent, no
// device, or an address that is no multiple of the element's size (8 bytes for complex128), without a call of
// `release`.
Tensor borrow(void* data, const Shape& shape, const Shape& strides, DType dtype, const Device& device,
              std::function<void()> release);

}  // namespace tern
