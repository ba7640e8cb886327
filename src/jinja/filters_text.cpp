// SPDX-License-Identifier: Apache-2.0
// Filters on text. As in Jinja they take any value and work on what it prints.
#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/json.h"
#include "jinja/operators.h"
#include "jinja/print.h"
#include "jinja/text.h"

namespace tern::jinja {
namespace {

template <std::string (*kMap)(std::string_view)>
Value filter_map_text(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none("a filter of letters", arguments, {});
  return make_string(runtime.budget, kMap(to_text(runtime.budget, input)));
}

// Jinja's own: words begin after whitespace, -, (, {, [ and <.
std::string title_words(std::string_view text) {
  std::string result = to_lower(text);
  bool begins = true;
  for (size_t at = 0, bytes = 0; at < result.size(); at += bytes) {
    bytes = code_point_length(result, at);
    char& c = result[at];
    if (begins && is_lower(c)) c = static_cast<char>(c - 'a' + 'A');
    begins = is_whitespace(code_point_at(result, at)) || std::string_view("-({[<").find(c) != std::string_view::npos;
  }
  return result;
}

Value filter_trim(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("trim", arguments, {"chars"});
  const std::string text = to_text(runtime.budget, input);
  const bool characters = given.has(0) && !given[0].is_none();
  runtime.budget.search(text.size(), characters ? given.text(0).size() : 0);
  return make_string(runtime.budget,
                     std::string(characters ? strip(text, given.text(0), Ends::both) : strip(text, Ends::both)));
}

Value filter_replace(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("replace", arguments, {"old", "new", "count"}, 2);
  Budget& budget = runtime.budget;
  const std::string text = to_text(budget, input), from = to_text(budget, given[0]), to = to_text(budget, given[1]);
  budget.search(text.size(), from.size());
  budget.make((text.size() + 1) * to.size() / std::max<size_t>(from.size(), 1));
  const bool all = !given.has(2) || given[2].is_none();
  return make_string(budget, replace(text, from, to, all ? -1 : given.integer(2, -1)));
}

Value filter_string(Runtime& runtime, const Value& input, const Arguments&) {
  return input.is_string() ? input : make_string(runtime.budget, to_text(runtime.budget, input));
}

// In Jinja this text is marked, and + escapes what is not marked for HTML beside it (as in one published chat template,
// by accident). Here it is plain text, as is escape's.
Value filter_safe(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return filter_string(runtime, input, arguments);
}

std::string escape(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '&') {
      result += "&amp;";
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '"') {
      result += "&#34;";
    } else if (c == '\'') {
      result += "&#39;";
    } else {
      result += c;
    }
  }
  return result;
}

Value filter_indent(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("indent", arguments, {"width", "first", "blank"});
  Budget& budget = runtime.budget;
  if (!input.is_string()) throw Fault(std::string("expected a string to indent, got a ") + input.kind());
  const bool custom = given.has(0) && given[0].is_string();
  const int64_t width = custom ? 0 : std::clamp<int64_t>(given.integer(0, 4), 0, 4096);
  const std::string indention = custom ? given[0].string() : std::string(static_cast<size_t>(width), ' ');
  const bool blank = given.truth(2, false);
  const std::string text = input.string() + "\n";
  std::string result = given.truth(1, false) ? indention : "";
  size_t i = 0;
  for (const std::string_view line : split_lines(text)) {
    budget.make(indention.size() + line.size() + 1);
    if (i > 0) result += '\n';
    if (i++ > 0 && (blank || !line.empty())) result += indention;
    result += line;
  }
  return make_string(budget, std::move(result));
}

Value filter_center(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("center", arguments, {"width"});
  const Value text = filter_string(runtime, input, {});
  return call_text_method(runtime, text.string(), "center", {{given.has(0) ? given[0] : Value(int64_t{80})}, {}});
}

Value filter_truncate(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("truncate", arguments, {"length", "killwords", "end", "leeway"});
  if (!input.is_string()) throw Fault(std::string("expected a string to truncate, got a ") + input.kind());
  const std::string& text = input.string();
  const std::string_view end = given.text(2, "...");
  const int64_t most = given.integer(0, 255), leeway = given.integer(3, 5);
  const auto end_length = static_cast<int64_t>(count_code_points(end));
  if (most < end_length || leeway < 0) throw Fault("expected a length to truncate to that its end fits in");
  runtime.budget.make(text.size() * sizeof(size_t));
  const std::vector<size_t> offsets = code_point_offsets(text);
  const auto length = static_cast<int64_t>(offsets.size()) - 1;
  if (length <= most || length - most <= leeway) return input;
  std::string_view kept = std::string_view(text).substr(0, offsets[static_cast<size_t>(most - end_length)]);
  if (!given.truth(1, false)) kept = split_right(kept, " ", 1)[0];
  return make_string(runtime.budget, std::string(kept).append(end));
}

Value filter_format(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Values values = arguments.positional;
  if (!arguments.keyword.empty()) {
    if (!values.empty()) throw Fault("expected values or names for format, got both");
    std::vector<std::pair<Value, Value>> entries;
    for (const auto& [name, value] : arguments.keyword) entries.emplace_back(make_string(runtime.budget, name), value);
    values.push_back(make_dict(runtime.budget, std::move(entries)));
  }
  return make_string(runtime.budget, format_percent(runtime.budget, to_text(runtime.budget, input), values));
}

Value filter_tojson(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = given.truth(0, false);
  style.sort_keys = given.truth(3, false);
  if (given.has(1) && !given[1].is_none()) {
    style.indent = given[1].is_string()
                       ? given[1].string()
                       : std::string(static_cast<size_t>(std::clamp<int64_t>(given.integer(1, 0), 0, 256)), ' ');
    style.item_separator = std::string(1, ',');
  }
  if (given.has(2) && !given[2].is_none()) {
    const List* separators = given[2].list();
    if (!separators || separators->items.size() != 2 || !separators->items[0].is_string() ||
        !separators->items[1].is_string()) {
      throw Fault("expected two strings as separators of tojson");
    }
    style.item_separator = separators->items[0].string();
    style.key_separator = separators->items[1].string();
  }
  return Value(to_json(runtime.budget, input, style));
}

Value filter_wordcount(Runtime& runtime, const Value& input, const Arguments&) {
  int64_t count = 0;
  bool in_word = false;
  for (const char c : to_text(runtime.budget, input)) {
    const bool word = is_alpha(c) || is_digit(c) || c == '_' || static_cast<uint8_t>(c) >= 0x80;
    count += word && !in_word;
    in_word = word;
  }
  return count;
}

}  // namespace

Filter find_text_filter(std::string_view name) {
  static constexpr std::pair<std::string_view, Filter> kFilters[] = {
      {"capitalize", filter_map_text<capitalize>},
      {"center", filter_center},
      {"e", filter_map_text<escape>},
      {"escape", filter_map_text<escape>},
      {"format", filter_format},
      {"indent", filter_indent},
      {"lower", filter_map_text<to_lower>},
      {"replace", filter_replace},
      {"safe", filter_safe},
      {"string", filter_string},
      {"title", filter_map_text<title_words>},
      {"tojson", filter_tojson},
      {"trim", filter_trim},
      {"truncate", filter_truncate},
      {"upper", filter_map_text<to_upper>},
      {"wordcount", filter_wordcount},
  };
  for (const auto& [known, filter] : kFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

}  // namespace tern::jinja
