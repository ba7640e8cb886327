// SPDX-License-Identifier: Apache-2.0
// Gradients of ternary weights from int8 codes, without a pass that makes them bf16.
#pragma once

#include "device/mixed_kernels.h"

namespace tern::cuda {

// False where it is not for this way, because of the GPU or since its tiles, of 256 by 256, would be filled badly: then
// nothing was done.
bool weight_gradient(const Exec& exec, const MixedGradientArgs& args) noexcept;

}  // namespace tern::cuda
