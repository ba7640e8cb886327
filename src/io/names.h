// SPDX-License-Identifier: Apache-2.0
// Tensor names in error messages: quoted safely, and with the names that were perhaps meant.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tern {

// The name in single quotes, fit for a terminal: control characters become '?', a long name is cut (it may come from a
// hostile file).
std::string quote_name(std::string_view name);

// Up to `count` of the candidates, nearest to `name` by edit distance first; none that has nothing to do with it.
std::vector<std::string> near_names(std::string_view name, std::span<const std::string> candidates, size_t count = 3);

// Throws Error "[op] <source>: expected a known tensor name, got '…'", with the near names among the candidates.
[[noreturn]] void fail_missing_name(const char* op, std::string_view source, std::string_view name,
                                    std::span<const std::string> candidates);

}  // namespace tern
