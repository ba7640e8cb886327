// SPDX-License-Identifier: Apache-2.0
// How the keys and values of attention are kept between passes.
#pragma once

#include <cstdint>
#include <string_view>

namespace tern {

enum class KvType : uint8_t {
  f32,   // as they are computed: the bits of one pass
  f16,   // rounded to nearest even
  int8,  // 8 bits and an f32 scale for each token and head
  int4,  // 4 bits, and a scale and a minimum in f16 for each 32 elements
};

// "f32", "f16", "int8", "int4".
std::string_view name_of(KvType type);

// The inverse of name_of. Throws Error for an unknown name.
KvType kv_type_from_name(std::string_view name);

}  // namespace tern
