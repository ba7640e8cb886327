// SPDX-License-Identifier: Apache-2.0
// Choosing the ternary product's layout and tile sizes by measuring them on this machine.
#pragma once

#include <optional>

#include "device/kernels.h"

namespace tern::cpu {

// The fastest of a short list of choices, timed with the threads of `exec` in about a fifth of a second: layout and
// prefetch distance on a matrix-vector product from memory, blocks on a product with many rows. base3 has to beat two_bit
// by a margin, since it costs more arithmetic wherever memory is not the limit; a `layout` that is given is taken.
TernaryTuning measured_tuning(const Kernels& kernels, const Exec& exec, std::optional<TernaryLayout> layout);

}  // namespace tern::cpu
