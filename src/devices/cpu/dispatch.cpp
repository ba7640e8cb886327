// SPDX-License-Identifier: Apache-2.0
// Whole kernel tables of the instruction sets of isas.h, and the choice among them.
#include "devices/cpu/dispatch.h"

#include <cstdlib>

#include "base/check.h"
#include "devices/cpu/isas.h"

namespace tern::cpu {
namespace {

// One whole table a set, put together from its parts.
const std::vector<Kernels>& tables() {
  static const std::vector<ArrayKernels> arrays = [] {
    std::vector<ArrayKernels> made;
    for (const Isa& isa : isas()) {
      const ArrayTables& own = *isa.arrays;
      made.push_back(
          {*own.pointwise, kArrayIndex, *own.reduce, *own.sort, kArraySearch, *own.random, *own.matmul, *own.packed});
    }
    return made;
  }();
  static const std::vector<Kernels> all = [] {
    std::vector<Kernels> made;
    for (const Isa& isa : isas()) {
      const ArrayKernels* const array = &arrays[made.size()];
      Kernels& table = made.emplace_back();
      static_cast<PointwiseKernels&>(table) = *isa.floats;
      static_cast<RowKernels&>(table) = *isa.floats;
      static_cast<MatmulKernels&>(table) = *isa.floats;
      static_cast<AttentionKernels&>(table) = *isa.floats;
      static_cast<CodedKernels&>(table) = *isa.coded;
      static_cast<TernaryKernels&>(table) = *isa.ternary;
      static_cast<ProbeKernels&>(table) = *isa.probe;
      table.name = isa.name;
      table.array = array;
    }
    return made;
  }();
  return all;
}

std::vector<std::string> names(bool supported_only) {
  std::vector<std::string> out;
  for (const Isa& isa : isas()) {
    if (!supported_only || isa.supported()) out.emplace_back(isa.name);
  }
  return out;
}

}  // namespace

std::vector<const Kernels*> supported_kernels() {
  std::vector<const Kernels*> out;
  for (size_t i = 0; i < isas().size(); ++i) {
    if (isas()[i].supported()) out.push_back(&tables()[i]);
  }
  return out;
}

const Kernels& choose_kernels(std::string_view isa) {
  const char* forced = std::getenv("TERN_ISA");
  const std::string_view wanted = isa.empty() && forced ? std::string_view(forced) : isa;
  if (wanted.empty()) return *supported_kernels().back();
  for (size_t i = 0; i < isas().size(); ++i) {
    if (isas()[i].name != wanted) continue;
    check(isas()[i].supported(), isa.empty() ? "TERN_ISA" : "isa",
          "expected an instruction set of this machine ({}), got '{}'", fmt::join(names(true), ", "), wanted);
    return tables()[i];
  }
  fail(isa.empty() ? "TERN_ISA" : "isa", "expected one of {}, got '{}'", fmt::join(names(false), ", "), wanted);
}

std::vector<std::string> isa_names() { return names(true); }

}  // namespace tern::cpu
