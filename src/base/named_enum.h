// SPDX-License-Identifier: Apache-2.0
// The values of an enumeration by their names.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "base/check.h"

namespace tern {

// The value whose name is names[value]. Throws Error, listing the names, when there is none.
template <class Enum, size_t kCount>
Enum enum_from_name(const char* op, const std::array<std::string_view, kCount>& names, std::string_view name) {
  for (size_t i = 0; i < kCount; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  fail(op, "expected one of {}, got '{}'", fmt::join(names, ", "), name);
}

}  // namespace tern
