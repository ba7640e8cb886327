// SPDX-License-Identifier: Apache-2.0
#include "grammar/json_schema.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "grammar/decimal_range.h"
#include "grammar/json_texts.h"
#include "grammar/schema_document.h"
#include "grammar/schema_merge.h"
#include "grammar/string_pattern.h"

namespace tern {
namespace {

constexpr int kDeepest = 200;  // schemas within schemas, references not counted
constexpr uint64_t kLargestCount = 100'000;

enum Type : unsigned { kNull, kBoolean, kInteger, kNumber, kString, kArray, kObject, kTypes };

constexpr std::array<std::string_view, kTypes> kTypeNames = {"null",   "boolean", "integer", "number",
                                                             "string", "array",   "object"};

// The keywords that are understood, with the type that they speak of; kTypes for those that speak of all.
struct Keyword {
  std::string_view name;
  Type type;
};
constexpr Keyword kKeywords[] = {{"type", kTypes},
                                 {"enum", kTypes},
                                 {"const", kTypes},
                                 {"anyOf", kTypes},
                                 {"oneOf", kTypes},
                                 {"allOf", kTypes},
                                 {"$ref", kTypes},
                                 {"$defs", kTypes},
                                 {"definitions", kTypes},
                                 {"properties", kObject},
                                 {"required", kObject},
                                 {"additionalProperties", kObject},
                                 {"items", kArray},
                                 {"prefixItems", kArray},
                                 {"minItems", kArray},
                                 {"maxItems", kArray},
                                 {"minLength", kString},
                                 {"maxLength", kString},
                                 {"pattern", kString},
                                 {"format", kString},
                                 {"minimum", kNumber},
                                 {"maximum", kNumber},
                                 {"exclusiveMinimum", kNumber},
                                 {"exclusiveMaximum", kNumber}};

// RFC 3339's dates and times, RFC 4122's UUIDs, dotted IPv4 addresses. There is no year 0000 and no leap second, which
// many readers refuse; February has 29 days in leap years.
constexpr std::string_view kYear = "(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})";
constexpr std::string_view kLeapYear = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)";
constexpr std::string_view kTime =
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
constexpr std::string_view kUuid = "[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}";
constexpr std::string_view kByteNumber = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";

std::optional<std::string> pattern_of_format(std::string_view format) {
  const std::string date = fmt::format(
      "({}-((01|03|05|07|08|10|12)-(0[1-9]|[12][0-9]|3[01])|(04|06|09|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-"
      "8]))"
      "|{}-02-29)",
      kYear, kLeapYear);
  if (format == "date") return fmt::format("^{}$", date);
  if (format == "time") return fmt::format("^{}$", kTime);
  if (format == "date-time") return fmt::format("^{}T{}$", date, kTime);
  if (format == "uuid") return fmt::format("^{}$", kUuid);
  if (format == "ipv4") return fmt::format("^({}\\.){{3}}{}$", kByteNumber, kByteNumber);
  return std::nullopt;
}

bool is_supported(std::string_view keyword) {
  return std::any_of(std::begin(kKeywords), std::end(kKeywords), [&](const Keyword& k) { return k.name == keyword; });
}

using Types = std::array<bool, kTypes>;

bool has_type(const SchemaJson& value, const Types& types) {
  if (value.is_number()) {
    const bool is_whole = !value.is_number_float() || value.get<double>() == std::floor(value.get<double>());
    return types[kNumber] || (types[kInteger] && is_whole);
  }
  return (types[kNull] && value.is_null()) || (types[kBoolean] && value.is_boolean()) ||
         (types[kString] && value.is_string()) || (types[kArray] && value.is_array()) ||
         (types[kObject] && value.is_object());
}

// The keyword's value, or nullptr.
const SchemaJson* find(const SchemaJson& schema, const char* keyword) {
  const auto found = schema.find(keyword);
  return found == schema.end() ? nullptr : &*found;
}

class Converter {
 public:
  explicit Converter(std::string_view schema) : document_(parse_schema(schema)), texts_(tree_) {}

  GrammarTree convert() {
    tree_.set_root(rule_for(document_, "#"));
    while (!pending_.empty()) {
      const Pending next = pending_.back();
      pending_.pop_back();
      tree_.define(next.rule, expr(*next.schema, next.place, 0));
    }
    return std::move(tree_);
  }

 private:
  struct Pending {
    const SchemaJson* schema;
    std::string place;
    RuleId rule;
  };

  // The rule of a part of the document, which is converted later if it is new.
  RuleId rule_for(const SchemaJson& schema, const std::string& place) {
    const auto [found, is_new] = rules_.try_emplace(&schema);
    if (is_new) {
      found->second = tree_.add_rule();
      pending_.push_back({&schema, place, found->second});
    }
    return found->second;
  }

  void check_keywords(const SchemaJson& schema, const std::string& place) const {
    for (const auto& [key, value] : schema.items()) {
      if (is_supported(key) || is_annotation(key)) continue;
      if (key == "$id" && &schema == &document_) continue;
      if (key == "uniqueItems" && value == false) continue;
      fail_at(place_in(place, key), "a keyword that a grammar can follow", fmt::format("\"{}\"", key));
    }
  }

  static bool is_assertion(std::string_view key) {
    return !is_annotation(key) && key != "$defs" && key != "definitions" && key != "$id";
  }

  // True if the schema says something beside one keyword.
  static bool says_more_than(const SchemaJson& schema, std::string_view keyword) {
    for (const auto& [key, value] : schema.items()) {
      if (key != keyword && is_assertion(key)) return true;
    }
    return false;
  }

  ExprId expr(const SchemaJson& schema, const std::string& place, int depth) {
    if (depth > kDeepest) fail_at(place, fmt::format("schemas nested at most {} deep", kDeepest), "more");
    if (schema.is_boolean()) return schema.get<bool>() ? texts_.value() : tree_.impossible();
    if (!schema.is_object()) fail_at(place, "a schema, an object or a boolean", schema);
    check_keywords(schema, place);
    if (schema.contains("$ref")) return reference(schema, place, depth);
    if (schema.contains("allOf")) return all_of(schema, place, depth);
    if (schema.contains("anyOf")) return any_of("anyOf", schema, place, depth);
    if (schema.contains("oneOf")) return any_of("oneOf", schema, place, depth);
    if (schema.contains("enum") || schema.contains("const")) return constants(schema, place);
    return typed(schema, place, depth);
  }

  ExprId reference(const SchemaJson& schema, const std::string& place, int depth) {
    if (says_more_than(schema, "$ref")) return expr(without_reference(document_, schema, place), place, depth + 1);
    const SchemaJson& target = resolve(document_, schema["$ref"], place_in(place, "$ref"));
    return tree_.reference(rule_for(target, schema["$ref"].get<std::string>()));
  }

  const SchemaJson& alternatives(const char* keyword, const SchemaJson& schema, const std::string& place) const {
    const SchemaJson& list = schema[keyword];
    if (!list.is_array() || list.empty()) fail_at(place_in(place, keyword), "a list of schemas", list);
    return list;
  }

  ExprId all_of(const SchemaJson& schema, const std::string& place, int depth) {
    SchemaJson merged = schema;
    merged.erase("allOf");
    const SchemaJson& list = alternatives("allOf", schema, place);
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string here = place_in(place_in(place, "allOf"), std::to_string(i));
      if (list[i].is_object()) check_keywords(list[i], here);
      merged = merged_schema(document_, merged, list[i], here);
    }
    return expr(merged, place, depth + 1);
  }

  ExprId any_of(const char* keyword, const SchemaJson& schema, const std::string& place, int depth) {
    SchemaJson rest = schema;
    rest.erase(keyword);
    const bool is_alone = !says_more_than(rest, "");
    std::vector<ExprId> choices;
    const SchemaJson& list = alternatives(keyword, schema, place);
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string here = place_in(place_in(place, keyword), std::to_string(i));
      if (list[i].is_object()) check_keywords(list[i], here);
      choices.push_back(is_alone ? expr(list[i], here, depth + 1)
                                 : expr(merged_schema(document_, rest, list[i], here), here, depth + 1));
    }
    return tree_.choice(std::move(choices));
  }

  ExprId constants(const SchemaJson& schema, const std::string& place) {
    for (const auto& [key, value] : schema.items()) {
      if (is_assertion(key) && key != "enum" && key != "const" && key != "type")
        fail_at(place_in(place, key), "no keyword but type beside enum and const", fmt::format("\"{}\"", key));
    }
    const SchemaJson* only = find(schema, "const");
    SchemaJson values = only ? SchemaJson::array({*only}) : schema["enum"];
    if (!values.is_array()) fail_at(place_in(place, "enum"), "a list of values", values);
    const SchemaJson* list = find(schema, "enum");
    const Types types = types_of(schema, place);
    std::vector<ExprId> choices;
    for (const SchemaJson& value : values) {
      const bool is_listed = !list || std::find(list->begin(), list->end(), value) != list->end();
      if (is_listed && has_type(value, types)) choices.push_back(texts_.constant(value));
    }
    return tree_.choice(std::move(choices));
  }

  // The types that `type` names; without it, those that keywords speak of; without such, all.
  Types types_of(const SchemaJson& schema, const std::string& place) const {
    Types types{};
    if (const SchemaJson* named = find(schema, "type")) {
      for (const SchemaJson& name : named->is_array() ? *named : SchemaJson::array({*named})) {
        const auto found = name.is_string() ? std::find(kTypeNames.begin(), kTypeNames.end(), name.get<std::string>())
                                            : kTypeNames.end();
        if (found == kTypeNames.end()) fail_at(place_in(place, "type"), "the name of a type", name);
        types[static_cast<size_t>(found - kTypeNames.begin())] = true;
      }
      return types;
    }
    bool any = false;
    for (const Keyword& keyword : kKeywords) {
      if (keyword.type == kTypes || !schema.contains(keyword.name)) continue;
      types[keyword.type] = any = true;
    }
    if (!any) types.fill(true);
    return types;
  }

  ExprId typed(const SchemaJson& schema, const std::string& place, int depth) {
    if (!says_more_than(schema, "")) return texts_.value();
    const Types types = types_of(schema, place);
    std::vector<ExprId> choices;
    if (types[kNull]) choices.push_back(tree_.text("null"));
    if (types[kBoolean]) choices.push_back(texts_.boolean());
    if (types[kNumber] || types[kInteger]) choices.push_back(number(schema, place, !types[kNumber]));
    if (types[kString]) choices.push_back(string(schema, place));
    if (types[kArray]) choices.push_back(tree_.as_rule(array(schema, place, depth)));
    if (types[kObject]) choices.push_back(tree_.as_rule(object(schema, place, depth)));
    return tree_.choice(std::move(choices));
  }

  std::optional<DecimalBound> bound(const SchemaJson& schema, const std::string& place, bool is_low) const {
    std::optional<DecimalBound> tightest;
    for (const bool exclusive : {false, true}) {
      const char* keyword =
          is_low ? (exclusive ? "exclusiveMinimum" : "minimum") : (exclusive ? "exclusiveMaximum" : "maximum");
      const SchemaJson* value = find(schema, keyword);
      if (!value) continue;
      if (!value->is_number()) fail_at(place_in(place, keyword), "a number", *value);
      const DecimalBound found = {parse_decimal(value->dump()), exclusive};
      const bool is_tighter =
          !tightest || (is_low ? !is_less(found.value, tightest->value) : !is_less(tightest->value, found.value));
      if (is_tighter) tightest = found;
    }
    return tightest;
  }

  ExprId number(const SchemaJson& schema, const std::string& place, bool integer) {
    const DecimalRange range = {bound(schema, place, true), bound(schema, place, false), integer};
    if (!range.low && !range.high) return integer ? texts_.integer() : texts_.number();
    return tree_.as_rule(decimals_in(range, tree_));
  }

  // A count such as minLength.
  uint32_t count(const SchemaJson& schema, const char* keyword, uint32_t otherwise, const std::string& place) const {
    const SchemaJson* value = find(schema, keyword);
    if (!value) return otherwise;
    if (!value->is_number_unsigned() || value->get<uint64_t>() > kLargestCount)
      fail_at(place_in(place, keyword), fmt::format("a count from 0 to {}", kLargestCount), *value);
    return value->get<uint32_t>();
  }

  ExprId string(const SchemaJson& schema, const std::string& place) {
    const uint32_t min = count(schema, "minLength", 0, place);
    const uint32_t max = count(schema, "maxLength", kUnbounded, place);
    const SchemaJson* pattern = find(schema, "pattern");
    const SchemaJson* format = find(schema, "format");
    if (!pattern && !format) return min <= max ? texts_.string(min, max) : tree_.impossible();
    const std::string here = place_in(place, pattern ? "pattern" : "format");
    if (pattern && format) fail_at(here, "either pattern or format", "both");
    if (min > 0 || max != kUnbounded) fail_at(here, "no minLength or maxLength beside it", "one");
    const SchemaJson& value = pattern ? *pattern : *format;
    if (!value.is_string()) fail_at(here, "a string", value);
    std::string expression = value.get<std::string>();
    if (format) {
      const std::optional<std::string> known = pattern_of_format(expression);
      if (!known) fail_at(here, "date, time, date-time, uuid or ipv4", value);
      expression = *known;
    }
    return tree_.as_rule(texts_.quoted(pattern_characters(expression, "schema " + here, tree_, texts_)));
  }

  ExprId array(const SchemaJson& schema, const std::string& place, int depth) {
    const uint32_t min = count(schema, "minItems", 0, place);
    const uint32_t max = count(schema, "maxItems", kUnbounded, place);
    std::vector<ExprId> prefix;
    if (const SchemaJson* items = find(schema, "prefixItems")) {
      const std::string here = place_in(place, "prefixItems");
      if (!items->is_array()) fail_at(here, "a list of schemas", *items);
      for (const SchemaJson& item : *items)
        prefix.push_back(tree_.as_rule(expr(item, place_in(here, std::to_string(prefix.size())), depth + 1)));
    }
    const SchemaJson* items = find(schema, "items");
    const ExprId item = items            ? tree_.as_rule(expr(*items, place_in(place, "items"), depth + 1))
                        : prefix.empty() ? texts_.value()
                                         : tree_.impossible();
    std::vector<ExprId> choices;
    if (min == 0) choices.push_back(texts_.empty_array());
    if (max > 0 && min <= max) {
      const ExprId first = prefix.empty() ? item : prefix[0];
      choices.push_back(texts_.array(tree_.sequence({first, items_behind(1, prefix, item, min, max)})));
    }
    return tree_.choice(std::move(choices));
  }

  // What may follow `begun` items; built from the end.
  ExprId items_behind(uint32_t begun, const std::vector<ExprId>& prefix, ExprId item, uint32_t min, uint32_t max) {
    const auto listed = static_cast<uint32_t>(prefix.size());
    uint32_t at = std::max(begun, std::min(listed, max));
    const uint32_t most = max == kUnbounded ? kUnbounded : max - std::min(max, at);
    const uint32_t least = min - std::min(min, at);
    ExprId rest = tree_.repeat(tree_.sequence({texts_.comma(), item}), least, std::max(least, most));
    while (at-- > begun) {
      const ExprId next = tree_.sequence({texts_.comma(), prefix[at], rest});
      rest = tree_.as_rule(at >= min ? tree_.optional(next) : next);
    }
    return rest;
  }

  struct Property {
    std::string name;
    ExprId member;
    bool is_required;
  };

  ExprId object(const SchemaJson& schema, const std::string& place, int depth) {
    const std::vector<std::string> required = required_names(schema, place);
    const SchemaJson* additional = find(schema, "additionalProperties");
    const bool is_open = additional ? *additional != false : !schema.contains("properties");
    const auto is_required = [&](const std::string& name) {
      return std::find(required.begin(), required.end(), name) != required.end();
    };
    std::vector<Property> properties;
    if (const SchemaJson* listed = find(schema, "properties")) {
      const std::string here = place_in(place, "properties");
      if (!listed->is_object()) fail_at(here, "an object", *listed);
      for (const auto& [name, value] : listed->items())
        properties.push_back(property(name, expr(value, place_in(here, name), depth + 1), is_required(name)));
    }
    const ExprId other = additional
                             ? tree_.as_rule(expr(*additional, place_in(place, "additionalProperties"), depth + 1))
                             : texts_.value();
    for (const std::string& name : required) {
      const auto is_named = [&](const Property& known) { return known.name == name; };
      if (std::none_of(properties.begin(), properties.end(), is_named))
        properties.push_back(property(name, other, true));
    }
    return members(properties, is_open ? additional_member(properties, other) : tree_.impossible());
  }

  std::vector<std::string> required_names(const SchemaJson& schema, const std::string& place) const {
    std::vector<std::string> names;
    const SchemaJson* required = find(schema, "required");
    if (!required) return names;
    if (!required->is_array()) fail_at(place_in(place, "required"), "a list of names", *required);
    for (const SchemaJson& name : *required) {
      if (!name.is_string()) fail_at(place_in(place, "required"), "a list of names", *required);
      if (std::find(names.begin(), names.end(), name.get<std::string>()) == names.end()) names.push_back(name);
    }
    return names;
  }

  Property property(const std::string& name, ExprId value, bool is_required) {
    return {name, tree_.as_rule(texts_.member(texts_.constant(SchemaJson(name)), value)), is_required};
  }

  ExprId additional_member(const std::vector<Property>& properties, ExprId value) {
    std::vector<std::string> names;
    for (const Property& property : properties) names.push_back(property.name);
    const ExprId name = names.empty() ? texts_.string() : texts_.string_except(names);
    return tree_.as_rule(texts_.member(name, value));
  }

  // An object begins with any property before which none is required, and goes on with those behind it, each after a
  // comma; `additional` ones come last.
  ExprId members(const std::vector<Property>& properties, ExprId additional) {
    std::vector<ExprId> behind(properties.size() + 1);  // behind[i]: what may follow property i - 1
    behind.back() = tree_.as_rule(tree_.repeat(tree_.sequence({texts_.comma(), additional}), 0, kUnbounded));
    for (size_t i = properties.size(); i-- > 0;) {
      const ExprId next = tree_.sequence({texts_.comma(), properties[i].member});
      behind[i] =
          tree_.as_rule(tree_.sequence({properties[i].is_required ? next : tree_.optional(next), behind[i + 1]}));
    }
    std::vector<ExprId> beginnings;
    bool may_be_empty = true;
    for (size_t i = 0; i < properties.size() && may_be_empty; ++i) {
      beginnings.push_back(tree_.sequence({properties[i].member, behind[i + 1]}));
      may_be_empty = !properties[i].is_required;
    }
    if (may_be_empty) beginnings.push_back(tree_.sequence({additional, behind.back()}));
    const ExprId some = texts_.object(tree_.choice(std::move(beginnings)));
    return may_be_empty ? tree_.choice({texts_.empty_object(), some}) : some;
  }

  const SchemaJson document_;
  GrammarTree tree_;
  JsonTexts texts_;
  std::map<const SchemaJson*, RuleId> rules_;
  std::vector<Pending> pending_;
};

}  // namespace

GrammarTree json_schema_grammar(std::string_view schema) { return Converter(schema).convert(); }

}  // namespace tern
