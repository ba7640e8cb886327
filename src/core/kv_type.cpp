// SPDX-License-Identifier: Apache-2.0
#include "tern/kv_type.h"

#include <array>

#include "base/named_enum.h"

namespace tern {
namespace {

constexpr std::array<std::string_view, 4> kNames = {"f32", "f16", "int8", "int4"};

}  // namespace

std::string_view name_of(KvType type) { return kNames[static_cast<size_t>(type)]; }

KvType kv_type_from_name(std::string_view name) { return enum_from_name<KvType>("kv type", kNames, name); }

}  // namespace tern
