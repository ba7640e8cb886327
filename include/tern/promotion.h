// SPDX-License-Identifier: Apache-2.0
// Which dtype comes of several: the type promotion of the Python array API standard 2024.12, and what the standard
// leaves open.
//
// Within a kind the standard decides: the least dtype of the kind that holds both (i8 and u16 give i32). Beyond it:
//   f16 and bf16 give f32, which holds both;
//   bool with a number gives the number's dtype, an integer with a float the float's, and a real with a complex number
//   the complex one (c128 if either is f64 or c128), as PyTorch and JAX have it. NumPy would widen i32 with f32 to f64;
//   a network's integers are rarely worth that. Several dtypes promote by the highest kind among them, in whatever
//   order they come;
//   u64 with a signed integer gives f64, as NumPy has it: no integer holds both.
// A number without a dtype (a scalar of Python or C++) never widens the tensor's dtype within its kind: see
// result_type(DType, ScalarKind).
#pragma once

#include <cstdint>
#include <span>

#include "tern/dtype.h"
#include "tern/scalar.h"

namespace tern {

// What is taken where nobody names a dtype.
inline constexpr DType kDefaultFloat = DType::f32;
inline constexpr DType kDefaultInteger = DType::i64;
inline constexpr DType kDefaultComplex = DType::c64;

DType result_type(DType a, DType b);
// Of at least one. Throws Error for none.
DType result_type(std::span<const DType> dtypes);

// The kind of a dtype.
constexpr ScalarKind kind_of(DType dtype) {
  return dtype == DType::boolean ? ScalarKind::boolean
         : is_integer(dtype)     ? ScalarKind::integer
         : is_complex(dtype)     ? ScalarKind::complex
                                 : ScalarKind::real;
}

// The dtype of a tensor's dtype with a plain number: the tensor's own, unless the number is of a higher kind: then the
// default dtype of that kind, and c128 for f64 with a complex number.
DType result_type(DType dtype, ScalarKind scalar);

// Whether promotion leads from one to the other: result_type(from, to) == to.
bool can_cast(DType from, DType to);

// The real dtype of a complex one's parts, and the complex dtype of a real float's; others give themselves /
// kDefaultComplex.
DType real_dtype(DType dtype);
DType complex_dtype(DType dtype);

// The numbers of a float dtype: NumPy's finfo.
struct FloatInfo {
  DType dtype;
  int bits;
  double eps;  // from 1 to the next number
  double max, min;
  double smallest_normal, smallest_subnormal;
};
// Of a complex dtype, those of its parts. Throws Error for other dtypes.
FloatInfo finfo(DType dtype);

// The ends of an integer dtype; max is the same number as both types where it fits.
struct IntegerInfo {
  DType dtype;
  int bits;
  int64_t min;
  uint64_t max;
};
// Throws Error for dtypes that are no integers.
IntegerInfo iinfo(DType dtype);

}  // namespace tern
