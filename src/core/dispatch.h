// SPDX-License-Identifier: Apache-2.0
// From a DType to a C++ type: calls a templated lambda with the element type.
#pragma once

#include <complex>
#include <cstdint>

#include "tern/dtype.h"

namespace tern {

// Calls f.template operator()<T>() with the type that dtype stores.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32:
      return f.template operator()<float>();
    case DType::bf16:
      return f.template operator()<bf16>();
    case DType::f16:
      return f.template operator()<f16>();
    case DType::i8:
      return f.template operator()<int8_t>();
    case DType::u8:
      return f.template operator()<uint8_t>();
    case DType::i32:
      return f.template operator()<int32_t>();
    case DType::i64:
      return f.template operator()<int64_t>();
    case DType::i16:
      return f.template operator()<int16_t>();
    case DType::u16:
      return f.template operator()<uint16_t>();
    case DType::u32:
      return f.template operator()<uint32_t>();
    case DType::u64:
      return f.template operator()<uint64_t>();
    case DType::f64:
      return f.template operator()<double>();
    case DType::c64:
      return f.template operator()<std::complex<float>>();
    case DType::c128:
      return f.template operator()<std::complex<double>>();
    case DType::boolean:
      break;
  }
  return f.template operator()<bool>();
}

}  // namespace tern
