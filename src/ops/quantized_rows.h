// SPDX-License-Identifier: Apache-2.0
// Room for quantized activations.
#pragma once

#include "tern/ops.h"

namespace tern {

// Not yet written, for x [..., cols], in one piece of memory. Throws Error in the name of `op` for a rank or an extent
// that no product takes.
QuantizedRows empty_quantized(const char* op, const Tensor& x);

}  // namespace tern
