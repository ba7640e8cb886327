// SPDX-License-Identifier: Apache-2.0
// check() and fail() for the kinds of Error that callers tell apart.
#pragma once

#include "base/check.h"
#include "tern/error_kinds.h"

namespace tern {

template <class Kind, class... Args>
[[noreturn]] void fail_as(const char* op, fmt::format_string<Args...> format, Args&&... args) {
  throw Kind(fmt::format("[{}] {}", op, fmt::format(format, std::forward<Args>(args)...)));
}

template <class Kind, class... Args>
void check_as(bool ok, const char* op, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) [[unlikely]]
    fail_as<Kind>(op, format, std::forward<Args>(args)...);
}

}  // namespace tern
