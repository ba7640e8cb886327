// SPDX-License-Identifier: Apache-2.0
// Small files: read whole, written so that nobody meets half of one.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace tern::cli {

// Each throws Error naming the path when the system refuses.

std::string read_text(const std::string& path);
std::string read_stdin();

// Whether there is something that can be seen; throws nothing.
bool there_is(const std::filesystem::path& path);

// Creates or replaces the file in one step.
void write_text(const std::filesystem::path& path, std::string_view text);

// Creates a directory in one step: `fill` gets the path of a temporary one beside it, which takes the name when it is
// whole and vanishes when anything throws. Throws Error when there already is something in `path`.
void create_directory_whole(const std::string& path, const std::function<void(const std::filesystem::path&)>& fill);

}  // namespace tern::cli
