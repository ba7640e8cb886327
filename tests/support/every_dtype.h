// SPDX-License-Identifier: Apache-2.0
// Tensors of every dtype whose elements can be told apart.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <vector>

#include "tern/scalar.h"
#include "tern/tensor.h"

namespace tern::testing {

inline constexpr std::array<DType, kDTypeCount> kEveryDType = {
    DType::f32, DType::bf16, DType::f16, DType::i8,  DType::u8,  DType::i32, DType::i64, DType::boolean,
    DType::i16, DType::u16,  DType::u32, DType::u64, DType::f64, DType::c64, DType::c128};

// The element i of counting(): i modulo 101, as bool whether i is 1 modulo 3.
inline Scalar counted(int64_t i, DType dtype) {
  if (dtype == DType::boolean) return Scalar(i % 3 == 1);
  return Scalar(i % 101);
}

// [counted(0), counted(1), …] of a shape.
inline Tensor counting(const Shape& shape, DType dtype, const Device& device) {
  const size_t size = size_of(dtype);
  std::vector<std::byte> bytes(static_cast<size_t>(shape.numel()) * size);
  for (size_t i = 0; i * size < bytes.size(); ++i) {
    const auto element = counted(static_cast<int64_t>(i), dtype).element(dtype, "counting");
    std::memcpy(bytes.data() + i * size, element.data(), size);
  }
  return Tensor::from_bytes(bytes, shape, dtype, device);
}

// The elements in row-major order, each as its bytes.
inline std::vector<std::vector<std::byte>> elements(const Tensor& x) {
  const size_t size = size_of(x.dtype());
  std::vector<std::byte> bytes(static_cast<size_t>(x.numel()) * size);
  x.copy_to_host(bytes);
  std::vector<std::vector<std::byte>> out;
  for (size_t at = 0; at < bytes.size(); at += size) out.emplace_back(bytes.data() + at, bytes.data() + at + size);
  return out;
}

}  // namespace tern::testing
