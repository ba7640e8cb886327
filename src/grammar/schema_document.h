// SPDX-License-Identifier: Apache-2.0
// A JSON schema as a document: strict parsing, places in it, references.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tern {

using SchemaJson = nlohmann::ordered_json;

// Throws Error for text that is not JSON, has a key twice in an object or nests deeper than 128 levels.
SchemaJson parse_schema(std::string_view text);

// Places are JSON pointers in the form of a URI fragment: "#", "#/properties/a". This is the one of a member.
std::string place_in(std::string_view place, std::string_view key);

// A value for an error message.
std::string shown(const SchemaJson& value);

// Throws Error "[grammar] schema <place>: expected …, got <value>".
[[noreturn]] void fail_at(std::string_view place, std::string_view expected, std::string_view got);
template <std::same_as<SchemaJson> Value>
[[noreturn]] void fail_at(std::string_view place, std::string_view expected, const Value& got) {
  fail_at(place, expected, std::string_view(shown(got)));
}

// The part of the document that a $ref at `place` names. Throws Error unless it is "#" or begins with "#/" and exists.
const SchemaJson& resolve(const SchemaJson& document, const SchemaJson& reference, std::string_view place);

// Keywords that say nothing about instances.
bool is_annotation(std::string_view keyword);

}  // namespace tern
