// SPDX-License-Identifier: Apache-2.0
// Typing a line on a terminal: line_editing_libedit.cpp, or line_editing_plain.cpp where there is no libedit.
#pragma once

#include <optional>
#include <string>

namespace tern::cli {

// Once, before the first line.
void prepare_line_editing();

// A line without its end; none at the end of the input (Ctrl-D).
std::optional<std::string> read_edited_line(const char* prompt);

}  // namespace tern::cli
