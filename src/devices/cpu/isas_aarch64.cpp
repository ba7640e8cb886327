// SPDX-License-Identifier: Apache-2.0
// The instruction sets of AArch64.
#include <sys/auxv.h>

#include "devices/cpu/isas.h"

namespace tern::cpu {
namespace {

constexpr Isa kIsas[] = {
    {"scalar", &kScalarFloats, &kScalarCoded, &kScalarTernary, &kScalarProbe, &kScalarArrays, [] { return true; }},
    {"neon", &kNeonFloats, &kNeonCoded, &kNeonTernary, &kNeonProbe, &kScalarArrays,
     [] { return true; }},  // part of the architecture
    {"neon_dot", &kNeonFloats, &kNeonDotCoded, &kNeonDotTernary, &kNeonDotProbe, &kScalarArrays,
     [] { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }},
};

}  // namespace

std::span<const Isa> isas() { return kIsas; }

}  // namespace tern::cpu
