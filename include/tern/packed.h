// SPDX-License-Identifier: Apache-2.0
// Packed tensors: to and from tensors, from one type to another, views, the matrices of ternary products.
//
// Like ops.h: inputs are left as they are, every failure throws Error("[op] expected …, got …") before there is a
// result. None is differentiable. Conversions run on the devices that have kernels for arrays: CPUs. In files: io.h.
#pragma once

#include "tern/ops.h"
#include "tern/packed_tensor.h"

namespace tern {

// What becomes of a number that a packed type does not hold.
enum class Overflow : uint8_t {
  refuse,    // an Error that names it and its place
  saturate,  // the nearest value: an end of the range; for sign1, the sign, +1 of 0
};

// The values, of any real dtype or bool, rounded to nearest even: 1.5 fits into no ternary type, -0.5 into all unsigned
// ones. NaN is an Error whatever `overflow` is. Not differentiable.
PackedTensor pack(const Tensor& values, PackedType type, Overflow overflow = Overflow::refuse);
// As cast() converts an i8: exact in every signed dtype, and -1 wraps in unsigned ones.
Tensor unpack(const PackedTensor& x, DType dtype = DType::i8);
// From one packed type to another; x itself if it has the type.
PackedTensor repack(const PackedTensor& x, PackedType type, Overflow overflow = Overflow::refuse);

// ---------------------------------------------------------------- views and copies

// As those of tensors in ops.h, on any axis but the last, whose values share bytes. Views.
PackedTensor select(const PackedTensor& x, int axis, int64_t index);
PackedTensor slice(const PackedTensor& x, int axis, int64_t begin, int64_t end, int64_t step = 1);
// Another shape with the same last extent, or [] for [1]; one leading extent may be -1. A view where strides allow,
// else a copy.
PackedTensor reshape(const PackedTensor& x, const Shape& shape);
// x itself if contiguous, else a copy.
PackedTensor contiguous(const PackedTensor& x);
PackedTensor clone(const PackedTensor& x);
PackedTensor to_device(const PackedTensor& x, const Device& device);

// ---------------------------------------------------------------- ternary matrices

// A matrix [rows, cols] of a ternary type in the layout of `device`: pack_ternary(unpack(codes), scale), a block of
// rows at a time, so that the codes never exist as a whole.
PackedTernary pack_ternary(const PackedTensor& codes, float scale, const Device& device);
inline PackedTernary pack_ternary(const PackedTensor& codes, float scale) {
  return pack_ternary(codes, scale, codes.device());
}
// Its codes, without the scale: pack(unpack_ternary(w), type), a block of rows at a time.
PackedTensor packed_codes(const PackedTernary& w, PackedType type = PackedType::ternary);

}  // namespace tern
