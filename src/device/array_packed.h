// SPDX-License-Identifier: Apache-2.0
// Kernels of packed tensors (tern/packed_type.h draws their bytes). The rules of kernels.h hold.
#pragma once

#include "device/kernels.h"
#include "tern/packed_type.h"

namespace tern {

// Packed values seen through a shape whose last axis is that of rows, of as many bytes as their values take.
struct PackedInput {
  PackedType type;
  const uint8_t* data;
  Dims strides;  // in bytes; 0 on the last axis
};
struct PackedOutput {
  PackedType type;
  uint8_t* data;  // row after row
};

// What becomes of numbers that a type does not hold, rounded to nearest even: where `saturate` is set the nearest value
// that it holds, for sign1 +1 of 0; else, and for NaN always, first_bad, in host memory, is the position of the first
// of them, counted in row-major order, and y is undefined. Where there is none, first_bad stays.
struct PackArgs {
  Dims shape;
  DType dtype;  // real or bool
  const void* x;
  Dims x_strides;
  bool saturate;
  PackedOutput y;
  int64_t* first_bad;
};

// y = the values, as kernels.h converts i8 to `dtype`, contiguous.
struct UnpackArgs {
  Dims shape;
  PackedInput x;
  DType dtype;  // real or bool
  void* y;
};

// From one type to another, with the rules of PackArgs.
struct RepackArgs {
  Dims shape;
  PackedInput x;
  bool saturate;
  PackedOutput y;
  int64_t* first_bad;
};

struct ArrayPackedKernels {
  Kernel<PackArgs> pack;
  Kernel<UnpackArgs> unpack;
  Kernel<RepackArgs> repack;
};

constexpr bool complete(const ArrayPackedKernels& t) { return t.pack && t.unpack && t.repack; }

}  // namespace tern
