// SPDX-License-Identifier: Apache-2.0
// The instruction sets of x86-64.
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/cpu/isas.h"

namespace tern::cpu {
namespace {

bool has_sse41() { return __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.1"); }

// The builtin asks the operating system, too: a register file that is not saved counts as absent.
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
}

// Compilers disagree on whether the builtin knows AVX-VNNI: leaf 7, subleaf 1, EAX bit 4. Its registers are AVX2's.
bool has_avxvnni() {
  unsigned last_subleaf = 0, eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!has_avx2() || !__get_cpuid_count(7, 0, &last_subleaf, &ebx, &ecx, &edx) || last_subleaf < 1) return false;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & 1u << 4) != 0;
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

constexpr ArrayTables kAvx2Arrays = {&kAvx2ArrayPointwise, &kAvx2ArrayReduce, &kScalarArraySort,
                                     &kAvx2ArrayRandom,    &kAvx2ArrayMatmul, &kAvx2ArrayPacked};
constexpr ArrayTables kAvx512Arrays = {&kAvx512ArrayPointwise, &kAvx512ArrayReduce, &kAvx512ArraySort,
                                       &kAvx512ArrayRandom,    &kAvx512ArrayMatmul, &kAvx512ArrayPacked};

constexpr Isa kIsas[] = {
    {"scalar", &kScalarFloats, &kScalarCoded, &kScalarTernary, &kScalarProbe, &kScalarArrays, [] { return true; }},
    {"sse41", &kSse41Floats, &kSse41Coded, &kSse41Ternary, &kSse41Probe, &kScalarArrays, &has_sse41},
    {"avx2", &kAvx2Floats, &kAvx2Coded, &kAvx2Ternary, &kAvx2Probe, &kAvx2Arrays, &has_avx2},
    {"avxvnni", &kAvx2Floats, &kAvxVnniCoded, &kAvxVnniTernary, &kAvxVnniProbe, &kAvx2Arrays, &has_avxvnni},
    {"avx512", &kAvx512Floats, &kAvx512Coded, &kAvx512Ternary, &kAvx512Probe, &kAvx512Arrays, &has_avx512},
    {"amx", &kAvx512Floats, &kAvx512Coded, &kAmxTernary, &kAmxProbe, &kAvx512Arrays, &has_amx},
};

}  // namespace

std::span<const Isa> isas() { return kIsas; }

}  // namespace tern::cpu
