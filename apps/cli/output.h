// SPDX-License-Identifier: Apache-2.0
// Standard output for results, standard error for notes to people.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>

namespace tern::cli {

using Json = nlohmann::ordered_json;

// Thrown when nobody reads standard output any more (`tern … | head`).
struct BrokenPipe {};

// Writes to standard output at once. Throws Error when that fails, as on a full disk, or BrokenPipe.
void write_out(std::string_view text);

template <class... Args>
void print_out(fmt::format_string<Args...> format, Args&&... args) {
  write_out(fmt::format(format, std::forward<Args>(args)...));
}

// One line. Text that is not UTF-8 has its bad bytes replaced by U+FFFD.
void print_json(const Json& object);

// To standard error; a failure is ignored, since there is nowhere to report it.
void write_note(std::string_view text);

template <class... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
  write_note(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tern::cli
