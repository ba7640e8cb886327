// SPDX-License-Identifier: Apache-2.0
// TrainConfig's fields as text and as JSON, derived from the list in train_fields.h.
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/check.h"
#include "io/json.h"
#include "io/names.h"
#include "tern/train.h"
#include "train/train_fields.h"

namespace tern {
namespace {

using Json = nlohmann::json;

// ---------------------------------------------------------------- text

template <class Number>
Number parse_number(const char* name, std::string_view text, const char* wanted) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  check(error == std::errc() && stop == end, "config", "{}: expected {}, got '{}'", name, wanted, text);
  return value;
}

void parse(const char* name, std::string_view text, int64_t& out) {
  out = parse_number<int64_t>(name, text, "an integer");
}
void parse(const char* name, std::string_view text, uint64_t& out) {
  out = parse_number<uint64_t>(name, text, "an integer of at least 0");
}
void parse(const char* name, std::string_view text, double& out) { out = parse_number<double>(name, text, "a number"); }
void parse(const char*, std::string_view text, std::string& out) { out = text; }
void parse(const char* name, std::string_view text, bool& out) {
  check(text == "true" || text == "false", "config", "{}: expected true or false, got '{}'", name, text);
  out = text == "true";
}
void parse(const char* name, std::string_view text, std::vector<int64_t>& out) {
  std::vector<int64_t> values;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    values.push_back(parse_number<int64_t>(name, text.substr(0, comma), "integers with commas between"));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
  }
  out = std::move(values);
}

std::string print(int64_t value) { return fmt::format("{}", value); }
std::string print(uint64_t value) { return fmt::format("{}", value); }
std::string print(double value) { return fmt::format("{}", value); }  // the shortest text that reads back exactly
std::string print(bool value) { return value ? "true" : "false"; }
std::string print(const std::string& value) { return value; }
std::string print(const std::vector<int64_t>& values) { return fmt::format("{}", fmt::join(values, ",")); }

// ---------------------------------------------------------------- JSON

struct FieldSource {
  const std::string& file;
  const char* name;
};

[[noreturn]] void fail_type(const FieldSource& field, const char* wanted, const Json& value) {
  fail("config", "{}: expected {} for {}, got {}", field.file, wanted, field.name, value.dump());
}

void read(const FieldSource& field, const Json& value, int64_t& out) {
  const bool fits = value.is_number_integer() && !(value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX);
  if (!fits) fail_type(field, "an integer", value);
  out = value.get<int64_t>();
}
void read(const FieldSource& field, const Json& value, uint64_t& out) {
  if (!value.is_number_unsigned()) fail_type(field, "an integer of at least 0", value);
  out = value.get<uint64_t>();
}
void read(const FieldSource& field, const Json& value, double& out) {
  if (!value.is_number()) fail_type(field, "a number", value);
  out = value.get<double>();
}
void read(const FieldSource& field, const Json& value, bool& out) {
  if (!value.is_boolean()) fail_type(field, "true or false", value);
  out = value.get<bool>();
}
void read(const FieldSource& field, const Json& value, std::string& out) {
  if (!value.is_string()) fail_type(field, "a string", value);
  out = value.get<std::string>();
}
void read(const FieldSource& field, const Json& value, std::vector<int64_t>& out) {
  if (!value.is_array()) fail_type(field, "a list of integers", value);
  std::vector<int64_t> values(value.size());
  for (size_t i = 0; i < values.size(); ++i) read(field, value[i], values[i]);
  out = std::move(values);
}

[[noreturn]] void fail_unknown(const std::string& source, const std::string& key) {
  std::vector<std::string> known;
  const TrainConfig config;
  visit_fields(config, [&](const char* name, const auto&, const char*, OnResume) { known.emplace_back(name); });
  const std::vector<std::string> near = near_names(key, known, 1);
  fail("config", "{}: expected known keys, got {}{}", source, quote_name(key),
       near.empty() ? "" : fmt::format("; did you mean '{}'?", near.front()));
}

// The field called `name` read from `value`; false when there is none.
bool read_field(TrainConfig& config, const std::string& source, const std::string& key, const Json& value) {
  bool found = false;
  visit_fields(config, [&](const char* name, auto& member, const char*, OnResume) {
    if (key != name) return;
    read({source, name}, value, member);
    found = true;
  });
  return found;
}

void set_field(TrainConfig& config, std::string_view wanted, std::string_view text) {
  visit_fields(config, [&](const char* name, auto& member, const char*, OnResume) {
    if (wanted == name) parse(name, text, member);
  });
}

std::string get_field(const TrainConfig& config, std::string_view wanted) {
  std::string out;
  visit_fields(config, [&](const char* name, const auto& member, const char*, OnResume) {
    if (wanted == name) out = print(member);
  });
  return out;
}

}  // namespace

std::vector<TrainField> train_fields() {
  std::vector<TrainField> out;
  const TrainConfig defaults;
  visit_fields(defaults, [&](const char* name, const auto& member, const char* help, OnResume) {
    out.push_back({name, help, print(member),
                   [name](TrainConfig& config, std::string_view text) { set_field(config, name, text); },
                   [name](const TrainConfig& config) { return get_field(config, name); }});
  });
  return out;
}

TrainConfig train_config_from_json(std::string_view text, const std::string& source, const TrainConfig& base) {
  const Json document = parse_json("config", source, text);
  check(document.is_object(), "config", "{}: expected an object, got {}", source, document.type_name());
  TrainConfig config = base;
  for (const auto& [key, value] : document.items()) {
    if (!read_field(config, source, key, value)) fail_unknown(source, key);
  }
  return config;
}

std::string to_json(const TrainConfig& config) {
  nlohmann::ordered_json document = nlohmann::ordered_json::object();
  visit_fields(config, [&](const char* name, const auto& member, const char*, OnResume) { document[name] = member; });
  return document.dump(2);
}

}  // namespace tern
