// SPDX-License-Identifier: Apache-2.0
// The instruction sets of an architecture that has none of its own here.
#include "devices/cpu/isas.h"

namespace tern::cpu {
namespace {

constexpr Isa kIsas[] = {
    {"scalar", &kScalarFloats, &kScalarCoded, &kScalarTernary, &kScalarProbe, &kScalarArrays, [] { return true; }}};

}  // namespace

std::span<const Isa> isas() { return kIsas; }

}  // namespace tern::cpu
