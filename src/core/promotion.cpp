// SPDX-License-Identifier: Apache-2.0
#include "tern/promotion.h"

#include <algorithm>

#include "base/check_kind.h"

namespace tern {
namespace {

constexpr DType integer_of(bool is_signed, size_t bytes) {
  constexpr DType signed_integers[] = {DType::i8, DType::i16, DType::i32, DType::i64};
  constexpr DType unsigned_integers[] = {DType::u8, DType::u16, DType::u32, DType::u64};
  const size_t place = bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3;
  return is_signed ? signed_integers[place] : unsigned_integers[place];
}

DType of_integers(DType a, DType b) {
  const size_t widest = std::max(size_of(a), size_of(b));
  if (is_signed_integer(a) == is_signed_integer(b)) return integer_of(is_signed_integer(a), widest);
  const DType other = is_signed_integer(a) ? b : a;  // the unsigned one, which needs one bit more
  if (size_of(other) < widest) return integer_of(true, widest);
  return other == DType::u64 ? DType::f64 : integer_of(true, 2 * size_of(other));
}

DType of_floats(DType a, DType b) {
  if (a == DType::f64 || b == DType::f64) return DType::f64;
  return a == b ? a : DType::f32;
}

// Of a complex dtype and another float, real or complex.
DType of_complex(DType a, DType b) {
  const auto is_double = [](DType dtype) { return dtype == DType::f64 || dtype == DType::c128; };
  return is_double(a) || is_double(b) ? DType::c128 : DType::c64;
}

}  // namespace

DType result_type(DType a, DType b) {
  if (kind_of(a) < kind_of(b)) std::swap(a, b);
  if (is_complex(a)) return is_integer(b) || b == DType::boolean ? a : of_complex(a, b);
  if (kind_of(a) != kind_of(b) || a == b) return a;
  return is_float(a) ? of_floats(a, b) : of_integers(a, b);
}

DType result_type(std::span<const DType> dtypes) {
  check(!dtypes.empty(), "result_type", "expected at least one dtype, got none");
  // Real floats widen complex numbers, so they count where there are some; integers never change a float.
  ScalarKind least = kind_of(
      *std::max_element(dtypes.begin(), dtypes.end(), [](DType a, DType b) { return kind_of(a) < kind_of(b); }));
  if (least == ScalarKind::complex) least = ScalarKind::real;
  const DType* first = nullptr;
  DType result = dtypes.front();
  for (const DType& dtype : dtypes) {
    if (kind_of(dtype) < least) continue;
    result = first ? result_type(result, dtype) : dtype;
    first = &dtype;
  }
  return result;
}

DType result_type(DType dtype, ScalarKind scalar) {
  if (scalar <= kind_of(dtype)) return dtype;
  switch (scalar) {
    case ScalarKind::integer:
      return kDefaultInteger;
    case ScalarKind::real:
      return kDefaultFloat;
    default:
      return complex_dtype(dtype);
  }
}

bool can_cast(DType from, DType to) { return result_type(from, to) == to; }

DType real_dtype(DType dtype) { return dtype == DType::c64 ? DType::f32 : dtype == DType::c128 ? DType::f64 : dtype; }

DType complex_dtype(DType dtype) { return dtype == DType::f64 || dtype == DType::c128 ? DType::c128 : kDefaultComplex; }

FloatInfo finfo(DType dtype) {
  switch (real_dtype(dtype)) {
    case DType::f32:
      return {DType::f32, 32, 0x1p-23, 0x1.fffffep127, -0x1.fffffep127, 0x1p-126, 0x1p-149};
    case DType::bf16:
      return {DType::bf16, 16, 0x1p-7, 0x1.fep127, -0x1.fep127, 0x1p-126, 0x1p-133};
    case DType::f16:
      return {DType::f16, 16, 0x1p-10, 65504.0, -65504.0, 0x1p-14, 0x1p-24};
    case DType::f64:
      return {DType::f64, 64, 0x1p-52, 0x1.fffffffffffffp1023, -0x1.fffffffffffffp1023, 0x1p-1022, 0x1p-1074};
    default:
      fail("finfo", "expected a float or complex dtype, got {}", name_of(dtype));
  }
}

IntegerInfo iinfo(DType dtype) {
  check_as<WrongType>(is_integer(dtype), "iinfo", "expected an integer dtype, got {}", name_of(dtype));
  const int bits = static_cast<int>(8 * size_of(dtype));
  const uint64_t all = ~uint64_t{0} >> (64 - bits);
  if (is_unsigned_integer(dtype)) return {dtype, bits, 0, all};
  return {dtype, bits, -static_cast<int64_t>(all >> 1) - 1, all >> 1};
}

}  // namespace tern
