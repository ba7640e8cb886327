// SPDX-License-Identifier: Apache-2.0
// Shapes as arguments of check(): the text is made only on failure, where to_string() would make it for each call.
#pragma once

#include <fmt/format.h>

#include "tern/shape.h"

template <>
struct fmt::formatter<tern::Shape> : fmt::formatter<fmt::string_view> {
  // As to_string().
  template <class Context>
  auto format(const tern::Shape& shape, Context& context) const {
    return fmt::formatter<fmt::string_view>::format(tern::to_string(shape), context);
  }
};
