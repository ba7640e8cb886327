// SPDX-License-Identifier: Apache-2.0
// The explicit list of instruction sets, slowest first.
#include "devices/cpu/dispatch.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/check.h"
#include "devices/cpu/isa/tables.h"

namespace tern::cpu {
namespace {

struct Isa {
  const char* name;
  const FloatKernels* floats;
  const CodedKernels* coded;
  const TernaryKernels* ternary;
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

// The tiles are a register file that a process has to ask for (Linux, Documentation/arch/x86/xstate.rst).
bool has_amx() {
  if (!has_avx512()) return false;
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kAmxTileBit = 1u << 24, kAmxInt8Bit = 1u << 25;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & kAmxTileBit) == 0 || (d & kAmxInt8Bit) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

constexpr std::array<Isa, 4> kIsas = {{
    {"scalar", &kScalarFloats, &kScalarCoded, &kScalarTernary, [] { return true; }},
    {"avx2", &kAvx2Floats, &kAvx2Coded, &kAvx2Ternary, &has_avx2},
    {"avx512", &kAvx512Floats, &kAvx512Coded, &kAvx512Ternary, &has_avx512},
    {"amx", &kAvx512Floats, &kAvx512Coded, &kAmxTernary, &has_amx},
}};

// One whole table a set, put together from its parts.
const std::array<Kernels, kIsas.size()>& tables() {
  static const std::array<Kernels, kIsas.size()> all = [] {
    std::array<Kernels, kIsas.size()> made = {};
    for (size_t i = 0; i < kIsas.size(); ++i) {
      static_cast<PointwiseKernels&>(made[i]) = *kIsas[i].floats;
      static_cast<RowKernels&>(made[i]) = *kIsas[i].floats;
      static_cast<MatmulKernels&>(made[i]) = *kIsas[i].floats;
      static_cast<AttentionKernels&>(made[i]) = *kIsas[i].floats;
      static_cast<CodedKernels&>(made[i]) = *kIsas[i].coded;
      static_cast<TernaryKernels&>(made[i]) = *kIsas[i].ternary;
      made[i].name = kIsas[i].name;
    }
    return made;
  }();
  return all;
}

std::vector<std::string> names(bool supported_only) {
  std::vector<std::string> out;
  for (const Isa& isa : kIsas) {
    if (!supported_only || isa.supported()) out.emplace_back(isa.name);
  }
  return out;
}

}  // namespace

std::vector<const Kernels*> supported_kernels() {
  std::vector<const Kernels*> out;
  for (size_t i = 0; i < kIsas.size(); ++i) {
    if (kIsas[i].supported()) out.push_back(&tables()[i]);
  }
  return out;
}

const Kernels& choose_kernels(std::string_view isa) {
  const char* forced = std::getenv("TERN_ISA");
  const std::string_view wanted = isa.empty() && forced ? std::string_view(forced) : isa;
  if (wanted.empty()) return *supported_kernels().back();
  for (size_t i = 0; i < kIsas.size(); ++i) {
    if (kIsas[i].name != wanted) continue;
    check(kIsas[i].supported(), isa.empty() ? "TERN_ISA" : "isa",
          "expected an instruction set of this machine ({}), got '{}'", fmt::join(names(true), ", "), wanted);
    return tables()[i];
  }
  fail(isa.empty() ? "TERN_ISA" : "isa", "expected one of {}, got '{}'", fmt::join(names(false), ", "), wanted);
}

std::vector<std::string> isa_names() { return names(true); }

}  // namespace tern::cpu
