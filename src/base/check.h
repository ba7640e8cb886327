// SPDX-License-Identifier: Apache-2.0
// check() and fail(): the one way in which the library reports bad input.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "tern/error.h"

namespace tern {

// Throws Error with "[op] message". Out of line so that callers stay small.
[[noreturn]] void fail_with(const char* op, fmt::string_view format, fmt::format_args args);

template <class... Args>
[[noreturn]] void fail(const char* op, fmt::format_string<Args...> format, Args&&... args) {
  fail_with(op, format, fmt::make_format_args(args...));
}

// Throws Error("[op] <message>") unless ok; the message is formatted only on failure.
template <class... Args>
void check(bool ok, const char* op, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) [[unlikely]]
    fail_with(op, format, fmt::make_format_args(args...));
}

}  // namespace tern
