// SPDX-License-Identifier: Apache-2.0
// JSON from files that nobody vouches for.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace tern {

// Parses UTF-8 text strictly: no key twice in an object, no nesting deeper than 64, nothing after the value. Throws
// Error
// "[op] <source>: …" otherwise.
nlohmann::json parse_json(const char* op, const std::string& source, std::string_view text);

}  // namespace tern
