// SPDX-License-Identifier: Apache-2.0
#include "tern/dtype.h"

#include <array>

#include "base/named_enum.h"

namespace tern {
namespace {

constexpr std::array<std::string_view, kDTypeCount> kNames = {"f32", "bf16", "f16", "i8",  "u8",  "i32", "i64", "bool",
                                                              "i16", "u16",  "u32", "u64", "f64", "c64", "c128"};

}  // namespace

std::string_view name_of(DType dtype) { return kNames[static_cast<size_t>(dtype)]; }

DType dtype_from_name(std::string_view name) { return enum_from_name<DType>("dtype", kNames, name); }

bf16::bf16(float value) {
  const uint32_t from = std::bit_cast<uint32_t>(value);
  if ((from & 0x7fffffffu) > 0x7f800000u) {
    bits = static_cast<uint16_t>((from >> 16) | 0x40u);  // a quiet NaN whatever bits were cut
  } else {
    bits = static_cast<uint16_t>((from + 0x7fffu + ((from >> 16) & 1u)) >> 16);
  }
}

f16::f16(float value) {
  const uint32_t from = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (from >> 16) & 0x8000u;
  const uint32_t magnitude = from & 0x7fffffffu;
  uint32_t half;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  } else if (magnitude >= 0x47800000u) {  // 65536 and more
    half = 0x7c00u;
  } else if (magnitude < 0x38800000u) {  // below 2^-14: subnormal, rounded by adding 1/2 (whose last bit is 2^-24)
    half = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  } else {
    half = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  }
  bits = static_cast<uint16_t>(sign | half);
}

f16::operator float() const {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1fu, fraction = bits & 0x3ffu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(magnitude));
  }
  const uint32_t widened = exponent == 31 ? 0x7f800000u : (exponent + 112) << 23;
  return std::bit_cast<float>(sign | widened | (fraction << 13));
}

}  // namespace tern
