// SPDX-License-Identifier: Apache-2.0
// The explicit list of instruction sets, slowest first.
#include "devices/cpu/dispatch.h"

#include <array>
#include <cstdlib>

#include "base/check.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

struct Isa {
  const Kernels* kernels;
  bool (*supported)();
};

// The builtin asks the operating system, too: a register file that is not saved counts as absent.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni");
}

const std::array<Isa, 3> kIsas = {{
    {&kScalarKernels, [] { return true; }},
    {&kAvx2Kernels, &has_avx2},
    {&kAvx512Kernels, &has_avx512},
}};

std::vector<std::string> names(bool supported_only) {
  std::vector<std::string> out;
  for (const Isa& isa : kIsas) {
    if (!supported_only || isa.supported()) out.emplace_back(isa.kernels->name);
  }
  return out;
}

}  // namespace

std::vector<const Kernels*> supported_kernels() {
  std::vector<const Kernels*> out;
  for (const Isa& isa : kIsas) {
    if (isa.supported()) out.push_back(isa.kernels);
  }
  return out;
}

const Kernels& choose_kernels(std::string_view isa) {
  const char* forced = std::getenv("TERN_ISA");
  const std::string_view wanted = isa.empty() && forced ? std::string_view(forced) : isa;
  if (wanted.empty()) return *supported_kernels().back();
  for (const Isa& known : kIsas) {
    if (known.kernels->name != wanted) continue;
    check(known.supported(), isa.empty() ? "TERN_ISA" : "isa",
          "expected an instruction set of this machine ({}), got '{}'", fmt::join(names(true), ", "), wanted);
    return *known.kernels;
  }
  fail(isa.empty() ? "TERN_ISA" : "isa", "expected one of {}, got '{}'", fmt::join(names(false), ", "), wanted);
}

std::vector<std::string> isa_names() { return names(true); }

}  // namespace tern::cpu
