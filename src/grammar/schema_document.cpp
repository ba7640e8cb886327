// SPDX-License-Identifier: Apache-2.0
#include "grammar/schema_document.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <vector>

#include "base/check.h"

namespace tern {
namespace {

constexpr size_t kLongestSchema = size_t{1} << 20;
constexpr int kDeepest = 128;
constexpr size_t kShownBytes = 60;

// "%41" → "A"; a stray % stays.
std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr == text.data() + i + 3) {
      decoded.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

// "~1" → "/" and "~0" → "~" in one part of a pointer.
std::string unescaped_part(std::string_view part) {
  std::string text;
  for (size_t i = 0; i < part.size(); ++i) {
    const bool is_escape = part[i] == '~' && i + 1 < part.size() && (part[i + 1] == '0' || part[i + 1] == '1');
    text.push_back(is_escape ? (part[i + 1] == '0' ? '~' : '/') : part[i]);
    i += is_escape ? 1 : 0;
  }
  return text;
}

const SchemaJson* member_of(const SchemaJson& value, const std::string& key) {
  if (value.is_object()) {
    const auto found = value.find(key);
    return found == value.end() ? nullptr : &*found;
  }
  size_t index = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
  const bool is_index = value.is_array() && error == std::errc() && end == key.data() + key.size();
  return is_index && index < value.size() ? &value[index] : nullptr;
}

}  // namespace

SchemaJson parse_schema(std::string_view text) {
  check(text.size() <= kLongestSchema, "grammar", "expected a schema of at most {} bytes, got {}", kLongestSchema,
        text.size());
  check(text.find('\0') == text.npos, "grammar", "schema: expected JSON, got a zero byte");  // it ends nlohmann's input
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const SchemaJson::parser_callback_t strict = [&](int depth, SchemaJson::parse_event_t event, SchemaJson& parsed) {
    check(depth <= kDeepest, "grammar", "schema: expected JSON at most {} levels deep, got more", kDeepest);
    if (event == SchemaJson::parse_event_t::object_start) keys.emplace_back();
    if (event == SchemaJson::parse_event_t::object_end) keys.pop_back();
    if (event == SchemaJson::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      fail("grammar", "schema: expected each key once in an object, got {} twice", parsed.dump(-1, ' ', true));
    return true;
  };
  try {
    return SchemaJson::parse(text, strict);
  } catch (const SchemaJson::parse_error& error) {
    fail("grammar", "schema: expected JSON, got invalid JSON or UTF-8 at byte {}", error.byte);
  } catch (const SchemaJson::out_of_range&) {
    fail("grammar", "schema: expected numbers that fit a double, got a larger one");
  }
}

std::string place_in(std::string_view place, std::string_view key) {
  std::string result(place);
  result.push_back('/');
  for (const char c : key) {
    if (c == '~' || c == '/') {
      result += c == '~' ? "~0" : "~1";
    } else {
      result.push_back(c);
    }
  }
  return result;
}

std::string shown(const SchemaJson& value) {
  const std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  return text.size() > kShownBytes ? text.substr(0, kShownBytes) + "…" : text;
}

void fail_at(std::string_view place, std::string_view expected, std::string_view got) {
  fail("grammar", "schema {}: expected {}, got {}", place, expected, got);
}

const SchemaJson& resolve(const SchemaJson& document, const SchemaJson& reference, std::string_view place) {
  if (!reference.is_string()) fail_at(place, "a string", reference);
  const std::string pointer = percent_decoded(reference.get_ref<const std::string&>());
  if (pointer != "#" && !pointer.starts_with("#/")) fail_at(place, "a reference into this schema (#/…)", reference);
  const SchemaJson* found = &document;
  for (size_t at = 1; found && at < pointer.size();) {
    const size_t end = std::min(pointer.find('/', at + 1), pointer.size());
    found = member_of(*found, unescaped_part(std::string_view(pointer).substr(at + 1, end - at - 1)));
    at = end;
  }
  if (!found) fail_at(place, "a reference to something in this schema", reference);
  return *found;
}

bool is_annotation(std::string_view keyword) {
  static constexpr std::array<std::string_view, 11> kAnnotations = {
      "title",     "description", "default", "examples",        "deprecated",      "readOnly",
      "writeOnly", "$comment",    "$schema", "contentEncoding", "contentMediaType"};
  return std::find(kAnnotations.begin(), kAnnotations.end(), keyword) != kAnnotations.end();
}

}  // namespace tern
