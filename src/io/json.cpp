// SPDX-License-Identifier: Apache-2.0
#include "io/json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/check.h"
#include "io/names.h"

namespace tern {
namespace {

using nlohmann::json;

constexpr int kDeepest = 64;

}  // namespace

json parse_json(const char* op, const std::string& source, std::string_view text) {
  check(text.find('\0') == text.npos, op, "{}: expected JSON, got a zero byte", source);  // it ends nlohmann's input
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const json::parser_callback_t strict = [&](int depth, json::parse_event_t event, json& parsed) {
    check(depth <= kDeepest, op, "{}: expected JSON at most {} levels deep, got more", source, kDeepest);
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      fail(op, "{}: expected each key once, got {} twice", source, quote_name(parsed.get<std::string>()));
    }
    return true;
  };
  try {
    return json::parse(text, strict);
  } catch (const json::parse_error& error) {
    fail(op, "{}: expected JSON, got invalid JSON or UTF-8 at byte {}", source, error.byte);
  }
}

}  // namespace tern
