// SPDX-License-Identifier: Apache-2.0
// The explicit list of model families.
#include <array>

#include "models/architecture.h"
#include "models/bitnet.h"

namespace tern {
namespace {

constexpr std::array<ArchitectureEntry, 1> kArchitectures = {{
    {"BitNetForCausalLM", "bitnet", &make_bitnet, &bitnet_ignores},
}};

}  // namespace

std::span<const ArchitectureEntry> architectures() { return kArchitectures; }

}  // namespace tern
