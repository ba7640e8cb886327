// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema_merge.h"

#include <algorithm>
#include <string>
#include <utility>

#include "grammar/decimal_range.h"

namespace tern {
namespace {

constexpr int kMostReferences = 64;  // of which each names the next
constexpr size_t kMostAlternatives = 256;

SchemaJson all_of(const SchemaJson& a, const SchemaJson& b) {
  if (a == b || b == true) return a;
  if (a == true) return b;
  if (a == false || b == false) return false;
  SchemaJson both = SchemaJson::object();
  both["allOf"] = SchemaJson::array({a, b});
  return both;
}

bool has_item(const SchemaJson& list, const SchemaJson& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

SchemaJson as_list(const SchemaJson& value) { return value.is_array() ? value : SchemaJson::array({value}); }

SchemaJson common_types(const SchemaJson& a, const SchemaJson& b) {
  const SchemaJson left = as_list(a), right = as_list(b);
  SchemaJson common = SchemaJson::array();
  const auto add = [&](const SchemaJson& type, const SchemaJson& others) {
    const bool is_common = has_item(others, type) || (type == "integer" && has_item(others, "number"));
    if (is_common && !has_item(common, type)) common.push_back(type);
  };
  for (const SchemaJson& type : left) add(type, right);
  for (const SchemaJson& type : right) add(type, left);
  return common;
}

SchemaJson common_values(const SchemaJson& a, const SchemaJson& b) {
  SchemaJson common = SchemaJson::array();
  for (const SchemaJson& value : a) {
    if (has_item(b, value)) common.push_back(value);
  }
  return common;
}

// Any of a and any of b.
SchemaJson product(const SchemaJson& a, const SchemaJson& b, std::string_view place) {
  if (a.size() * b.size() > kMostAlternatives)
    fail_at(place, fmt::format("at most {} alternatives", kMostAlternatives), std::to_string(a.size() * b.size()));
  SchemaJson alternatives = SchemaJson::array();
  for (const SchemaJson& left : a) {
    for (const SchemaJson& right : b) alternatives.push_back(all_of(left, right));
  }
  return alternatives;
}

// Whether `key` bounds from below or above; the tighter of two bounds is the one to keep.
bool is_lower_bound(std::string_view key) { return key.starts_with("min") || key == "exclusiveMinimum"; }
bool is_bound(std::string_view key) {
  return is_lower_bound(key) || key.starts_with("max") || key == "exclusiveMaximum";
}

SchemaJson tighter(const std::string& key, const SchemaJson& a, const SchemaJson& b, std::string_view place) {
  if (!a.is_number()) fail_at(place, "a number", a);
  if (!b.is_number()) fail_at(place, "a number", b);
  const bool a_is_less = is_less(parse_decimal(a.dump()), parse_decimal(b.dump()));
  return a_is_less == is_lower_bound(key) ? b : a;
}

void merge_keyword(const std::string& key, SchemaJson& mine, const SchemaJson& other, std::string_view place) {
  if (mine == other) return;
  const bool are_lists = mine.is_array() && other.is_array();
  if (key == "type") {
    mine = common_types(mine, other);
  } else if (key == "enum" && are_lists) {
    mine = common_values(mine, other);
  } else if (key == "required" && are_lists) {
    for (const SchemaJson& name : other) {
      if (!has_item(mine, name)) mine.push_back(name);
    }
  } else if (key == "allOf" && are_lists) {
    mine.insert(mine.end(), other.begin(), other.end());
  } else if ((key == "anyOf" || key == "oneOf") && are_lists) {
    mine = product(mine, other, place);
  } else if (key == "items" || key == "additionalProperties") {
    mine = all_of(mine, other);
  } else if (is_bound(key)) {
    mine = tighter(key, mine, other, place);
  } else {
    fail_at(place, "parts of an allOf that can be merged", fmt::format("two of \"{}\"", key));
  }
}

const SchemaJson* find(const SchemaJson& schema, const char* key) {
  const auto found = schema.find(key);
  return found == schema.end() ? nullptr : &*found;
}

// The properties of both, each of them also what the other schema asks of properties that it does not list.
SchemaJson merged_properties(const SchemaJson& a, const SchemaJson& b, std::string_view place) {
  const SchemaJson none = SchemaJson::object(), any = true;
  const auto part = [&](const SchemaJson& schema, const char* key, const SchemaJson& otherwise) -> const SchemaJson& {
    const SchemaJson* found = find(schema, key);
    return found ? *found : otherwise;
  };
  const SchemaJson &left = part(a, "properties", none), &right = part(b, "properties", none);
  if (!left.is_object()) fail_at(place_in(place, "properties"), "an object", left);
  if (!right.is_object()) fail_at(place_in(place, "properties"), "an object", right);
  SchemaJson properties = SchemaJson::object();
  for (const auto& [name, schema] : left.items()) {
    const auto found = right.find(name);
    properties[name] = all_of(schema, found != right.end() ? *found : part(b, "additionalProperties", any));
  }
  for (const auto& [name, schema] : right.items()) {
    if (!left.contains(name)) properties[name] = all_of(schema, part(a, "additionalProperties", any));
  }
  return properties;
}

void check_items(const SchemaJson& a, const SchemaJson& b, std::string_view place) {
  const bool any_prefix = a.contains("prefixItems") || b.contains("prefixItems");
  const bool both_speak =
      (a.contains("items") || a.contains("prefixItems")) && (b.contains("items") || b.contains("prefixItems"));
  if (any_prefix && both_speak && (a.value("prefixItems", SchemaJson()) != b.value("prefixItems", SchemaJson())))
    fail_at(place, "parts of an allOf that can be merged", "prefixItems beside other items");
}

}  // namespace

SchemaJson without_reference(const SchemaJson& document, SchemaJson schema, std::string_view place) {
  for (int i = 0; schema.is_object() && schema.contains("$ref"); ++i) {
    if (i == kMostReferences) fail_at(place, "references that end somewhere", "a circle of $ref");
    const SchemaJson target = resolve(document, schema["$ref"], place_in(place, "$ref"));
    schema.erase("$ref");
    // A target with a $ref of its own stays one: that reference is followed next.
    SchemaJson rest = target;
    SchemaJson reference;
    if (rest.is_object() && rest.contains("$ref")) {
      reference = rest["$ref"];
      rest.erase("$ref");
    }
    schema = merged_schema(document, rest, schema, place);
    if (!reference.is_null() && schema.is_object()) schema["$ref"] = reference;
  }
  return schema;
}

SchemaJson merged_schema(const SchemaJson& document, const SchemaJson& first, const SchemaJson& second,
                         std::string_view place) {
  SchemaJson a = without_reference(document, first, place);
  const SchemaJson b = without_reference(document, second, place);
  for (const SchemaJson& schema : {a, b}) {
    if (!schema.is_object() && !schema.is_boolean()) fail_at(place, "a schema", schema);
  }
  if (a == false || b == false) return false;
  if (a == true) return b;
  if (b == true) return a;
  check_items(a, b, place);
  if (a.contains("properties") || b.contains("properties")) a["properties"] = merged_properties(a, b, place);
  for (const auto& [key, value] : b.items()) {
    if (key == "properties" || key == "$id" || key == "$defs" || key == "definitions" || is_annotation(key)) continue;
    if (a.contains(key)) {
      merge_keyword(key, a[key], value, place);
    } else {
      a[key] = value;
    }
  }
  return a;
}

}  // namespace tern
