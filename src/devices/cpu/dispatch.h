// SPDX-License-Identifier: Apache-2.0
// Which of the compiled instruction sets this machine runs, and which one a device takes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "device/kernels.h"

namespace tern::cpu {

// The sets that this machine supports, slowest first.
std::vector<const Kernels*> supported_kernels();

// The table for `isa`; if it is empty, for the environment variable TERN_ISA; if that is unset or empty, the last of
// supported_kernels(). Throws Error when the name is unknown or the machine lacks the set.
const Kernels& choose_kernels(std::string_view isa);

}  // namespace tern::cpu
