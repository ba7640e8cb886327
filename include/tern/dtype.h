// SPDX-License-Identifier: Apache-2.0
// Element types: the enumeration, the two 16-bit float types, and the mapping from C++ types.
#pragma once

#include <bit>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tern {

// The first kModelDTypeCount are those of models: every op of ops.h and every device knows them. The others are for
// arrays (array.h) and for linear algebra.
enum class DType : uint8_t { f32, bf16, f16, i8, u8, i32, i64, boolean, i16, u16, u32, u64, f64, c64, c128 };

inline constexpr int kModelDTypeCount = 8;
inline constexpr int kDTypeCount = 15;

// Bytes of one element.
constexpr size_t size_of(DType dtype) {
  constexpr size_t sizes[kDTypeCount] = {4, 2, 2, 1, 1, 4, 8, 1, 2, 2, 4, 8, 8, 8, 16};
  return sizes[static_cast<int>(dtype)];
}

// "f32", "bf16", …, "bool".
std::string_view name_of(DType dtype);

// The inverse of name_of. Throws Error for an unknown name.
DType dtype_from_name(std::string_view name);

constexpr bool is_model_dtype(DType dtype) { return static_cast<int>(dtype) < kModelDTypeCount; }

// Those in which models compute and which gradients flow through.
constexpr bool has_gradient(DType dtype) { return dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16; }

// Real floats.
constexpr bool is_float(DType dtype) { return has_gradient(dtype) || dtype == DType::f64; }
constexpr bool is_complex(DType dtype) { return dtype == DType::c64 || dtype == DType::c128; }
constexpr bool is_signed_integer(DType dtype) {
  return dtype == DType::i8 || dtype == DType::i16 || dtype == DType::i32 || dtype == DType::i64;
}
constexpr bool is_unsigned_integer(DType dtype) {
  return dtype == DType::u8 || dtype == DType::u16 || dtype == DType::u32 || dtype == DType::u64;
}
constexpr bool is_integer(DType dtype) { return is_signed_integer(dtype) || is_unsigned_integer(dtype); }

// bfloat16: the upper half of an IEEE binary32. Conversion from f32 rounds to nearest even; NaN stays NaN.
struct bf16 {
  uint16_t bits = 0;
  bf16() = default;
  explicit bf16(float value);
  explicit operator float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

// IEEE 754 binary16. Conversion from f32 rounds to nearest even and overflows to infinity; NaN stays NaN.
struct f16 {
  uint16_t bits = 0;
  f16() = default;
  explicit f16(float value);
  explicit operator float() const;
};

// dtype_of<T>: the DType that stores T.
template <class T>
inline constexpr DType dtype_of = [] {
  static_assert(sizeof(T) == 0, "no DType stores this type");
  return DType::f32;
}();
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<bf16> = DType::bf16;
template <>
inline constexpr DType dtype_of<f16> = DType::f16;
template <>
inline constexpr DType dtype_of<int8_t> = DType::i8;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::u8;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<int64_t> = DType::i64;
template <>
inline constexpr DType dtype_of<bool> = DType::boolean;
template <>
inline constexpr DType dtype_of<int16_t> = DType::i16;
template <>
inline constexpr DType dtype_of<uint16_t> = DType::u16;
template <>
inline constexpr DType dtype_of<uint32_t> = DType::u32;
template <>
inline constexpr DType dtype_of<uint64_t> = DType::u64;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<std::complex<float>> = DType::c64;
template <>
inline constexpr DType dtype_of<std::complex<double>> = DType::c128;

}  // namespace tern
