// SPDX-License-Identifier: Apache-2.0
// Values from JSON and as JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "jinja/value.h"

namespace tern::jinja {

// The value of a JSON text; objects keep their order. Throws Fault for what is no JSON, for integers beyond 64 bits and
// for nesting too deep.
Value parse_json(Budget& budget, std::string_view json);

// The arguments of Python's json.dumps that chat templates use.
struct JsonStyle {
  bool ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // of one level; absent: one line
  std::string item_separator = ", ", key_separator = ": ";
};

std::string to_json(Budget& budget, const Value& value, const JsonStyle& style);

}  // namespace tern::jinja
