// SPDX-License-Identifier: Apache-2.0
// Memory of others as tensors, without a copy.
#pragma once

#include <memory>

#include "tern/tensor.h"

namespace tern {

// A tensor over memory of `device` that somebody else owns and that lives as long as `keeper`, which goes with the last
// tensor over it; a shared_ptr's deleter can be any function. `data` is the address of the first element (index 0 on
// every axis), strides are in elements, of any sign. Throws Error for strides of another rank, a negative extent, no
// device, or an address that is no multiple of the element's size (8 bytes for complex128).
Tensor borrow(void* data, const Shape& shape, const Shape& strides, DType dtype, const Device& device,
              std::shared_ptr<const void> keeper);

}  // namespace tern
