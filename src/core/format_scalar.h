// SPDX-License-Identifier: Apache-2.0
// Scalars as arguments of check(): the text is made only on failure, where to_string() would make it for each call.
#pragma once

#include <fmt/format.h>

#include "tern/scalar.h"

template <>
struct fmt::formatter<tern::Scalar> : fmt::formatter<fmt::string_view> {
  // As to_string().
  template <class Context>
  auto format(const tern::Scalar& scalar, Context& context) const {
    return fmt::formatter<fmt::string_view>::format(to_string(scalar), context);
  }
};
