// SPDX-License-Identifier: Apache-2.0
// The explicit list of instruction sets of the architecture that this is compiled for: isas_<architecture>.cpp.
#pragma once

#include <span>

#include "devices/cpu/isa/array_tables.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {

// Sets may share families of kernels.
struct Isa {
  const char* name;
  const FloatKernels* floats;
  const CodedKernels* coded;
  const TernaryKernels* ternary;
  const ProbeKernels* probe;
  const ArrayTables* arrays;
  bool (*supported)();  // by this machine and its operating system
};

// Slowest first, "scalar" the first of them.
std::span<const Isa> isas();

}  // namespace tern::cpu
