// SPDX-License-Identifier: Apache-2.0
#include "tern/ternary_layout.h"

#include <array>

#include "base/named_enum.h"

namespace tern {
namespace {

constexpr std::array<std::string_view, 2> kNames = {"two_bit", "base3"};

}  // namespace

std::string_view name_of(TernaryLayout layout) { return kNames[static_cast<size_t>(layout)]; }

TernaryLayout ternary_layout_from_name(std::string_view name) {
  return enum_from_name<TernaryLayout>("layout", kNames, name);
}

}  // namespace tern
