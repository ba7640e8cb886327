// SPDX-License-Identifier: Apache-2.0
#include "tern/packed_type.h"

#include <array>

#include "base/named_enum.h"

namespace tern {
namespace {

constexpr std::array<std::string_view, kPackedTypeCount> kNames = {
    "ternary", "ternary2", "sign1", "i2", "i3", "i4", "i5", "i6", "i7", "u1", "u2", "u3", "u4", "u5", "u6", "u7"};

}  // namespace

std::string_view name_of(PackedType type) { return kNames[static_cast<size_t>(type)]; }

PackedType packed_type_from_name(std::string_view name) {
  return enum_from_name<PackedType>("packed type", kNames, name);
}

}  // namespace tern
