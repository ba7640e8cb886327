// SPDX-License-Identifier: Apache-2.0
// Methods of strings, as Python's str has them.
#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/text.h"

namespace tern::jinja {
namespace {

using Method = Value (*)(Runtime&, const std::string& text, const Arguments&);

constexpr size_t kMaxWidth = 1 << 20;

template <Ends kEnds>
Value method_strip(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given("strip", arguments, {"chars"});
  const bool characters = given.has(0) && !given[0].is_none();
  runtime.budget.search(text.size(), characters ? given.text(0).size() : 0);
  return make_string(runtime.budget, std::string(characters ? strip(text, given.text(0), kEnds) : strip(text, kEnds)));
}

template <std::string (*kMap)(std::string_view)>
Value method_map(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters none("a method of letters", arguments, {});
  return make_string(runtime.budget, kMap(text));
}

std::string swap_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = is_alpha(c) ? static_cast<char>(c ^ 0x20) : c;
  return result;
}

Value text_list(Runtime& runtime, const std::vector<std::string_view>& parts) {
  Values items;
  runtime.budget.make(parts.size() * sizeof(Value));
  for (const std::string_view part : parts) items.push_back(make_string(runtime.budget, std::string(part)));
  return make_list(runtime.budget, std::move(items));
}

template <bool kRight>
Value method_split(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given("split", arguments, {"sep", "maxsplit"});
  const int64_t count = std::max<int64_t>(given.integer(1, -1), -1);
  if (!given.has(0) || given[0].is_none())
    return text_list(runtime, kRight ? split_right(text, count) : split(text, count));
  const std::string_view separator = given.text(0);
  if (separator.empty()) throw Fault("expected a separator to split at, got an empty string");
  runtime.budget.search(text.size(), separator.size());
  return text_list(runtime, kRight ? split_right(text, separator, count) : split(text, separator, count));
}

Value method_splitlines(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given("splitlines", arguments, {"keepends"});
  return text_list(runtime, split_lines(text, given.truth(0, false)));
}

template <bool kRight>
Value method_partition(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given("partition", arguments, {"sep"}, 1);
  const std::string_view separator = given.text(0);
  if (separator.empty()) throw Fault("expected a separator to split at, got an empty string");
  runtime.budget.search(text.size(), separator.size());
  const size_t found = kRight ? text.rfind(separator) : text.find(separator);
  Budget& budget = runtime.budget;
  const Value whole = make_string(budget, text), empty = "";
  if (found == text.npos) return make_tuple(budget, kRight ? Values{empty, empty, whole} : Values{whole, empty, empty});
  return make_tuple(budget, {make_string(budget, text.substr(0, found)), make_string(budget, std::string(separator)),
                             make_string(budget, text.substr(found + separator.size()))});
}

// The part of the text that optional arguments start and end choose.
Value chosen_part(Runtime& runtime, const std::string& text, const Parameters& given) {
  const auto bound = [&](size_t i) { return given.has(i) ? given[i] : Value(None{}); };
  return get_slice(runtime, Value(text), bound(1), bound(2), None{});
}

template <bool kStarts>
Value method_affix(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given(kStarts ? "startswith" : "endswith", arguments, {"affix", "start", "end"}, 1);
  const Value part = given.has(1) ? chosen_part(runtime, text, given) : Value();
  const std::string_view whole = given.has(1) ? std::string_view(part.string()) : std::string_view(text);
  const auto matches = [&](std::string_view affix) {
    return kStarts ? whole.starts_with(affix) : whole.ends_with(affix);
  };
  const List* several = given[0].list();
  if (!several || !several->tuple) return matches(given.text(0));
  return std::any_of(several->items.begin(), several->items.end(), [&](const Value& one) {
    runtime.budget.step();
    return one.is_string() && matches(one.string());
  });
}

Value method_replace(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given("replace", arguments, {"old", "new", "count"}, 2);
  const std::string_view from = given.text(0), to = given.text(1);
  runtime.budget.search(text.size(), from.size());
  runtime.budget.make((text.size() + 1) * to.size() / std::max<size_t>(from.size(), 1));
  return make_string(runtime.budget, replace(text, from, to, given.integer(2, -1)));
}

// The index of the code point where `wanted` is found; -1 if nowhere.
template <bool kRight>
int64_t find_index(const std::string& text, std::string_view wanted) {
  const size_t found = kRight ? text.rfind(wanted) : text.find(wanted);
  return found == text.npos ? -1 : static_cast<int64_t>(count_code_points(std::string_view(text).substr(0, found)));
}

template <bool kRight>
Value method_find(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given("find", arguments, {"sub"}, 1);
  runtime.budget.search(text.size(), given.text(0).size());
  return find_index<kRight>(text, given.text(0));
}

template <bool kRight>
Value method_index(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given("index", arguments, {"sub"}, 1);
  runtime.budget.search(text.size(), given.text(0).size());
  const int64_t index = find_index<kRight>(text, given.text(0));
  if (index < 0) throw Fault("expected index() of a part that the string has");
  return index;
}

Value method_count(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given("count", arguments, {"sub"}, 1);
  runtime.budget.search(text.size(), given.text(0).size());
  const std::string_view wanted = given.text(0);
  if (wanted.empty()) return static_cast<int64_t>(count_code_points(text)) + 1;
  return static_cast<int64_t>(split(text, wanted, -1).size()) - 1;
}

Value method_join(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given("join", arguments, {"iterable"}, 1);
  std::string joined;
  bool first = true;
  for (const Value& item : iterate(runtime.budget, given[0])) {
    if (!item.is_string()) throw Fault(std::string("expected strings to join, got a ") + item.kind());
    runtime.budget.make(text.size() + item.string().size());
    if (!std::exchange(first, false)) joined += text;
    joined += item.string();
  }
  return make_string(runtime.budget, std::move(joined));
}

template <bool kPrefix>
Value method_remove(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given(kPrefix ? "removeprefix" : "removesuffix", arguments, {"affix"}, 1);
  std::string_view rest = text;
  const std::string_view affix = given.text(0);
  if (kPrefix && rest.starts_with(affix)) rest.remove_prefix(affix.size());
  if (!kPrefix && rest.ends_with(affix)) rest.remove_suffix(affix.size());
  return make_string(runtime.budget, std::string(rest));
}

// What padding to a width adds; Fault for a width beyond reason.
size_t missing(const std::string& text, int64_t width) {
  const size_t length = count_code_points(text);
  const size_t wanted = static_cast<size_t>(std::max<int64_t>(width, 0));
  if (wanted > length && wanted > kMaxWidth) throw Fault("expected a smaller width, got " + std::to_string(width));
  return wanted > length ? wanted - length : 0;
}

std::string repeated(std::string_view fill, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += fill;
  return text;
}

enum class Place { left, right, center };

template <Place kPlace>
Value method_pad(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given("padding", arguments, {"width", "fillchar"}, 1);
  const std::string_view fill = given.text(1, " ");
  if (count_code_points(fill) != 1) throw Fault("expected one character to fill with");
  const int64_t width = given.integer(0, 0);
  const size_t blanks = missing(text, width);
  size_t before = kPlace == Place::left ? 0 : blanks;
  if (kPlace == Place::center) before = blanks / 2 + (blanks & static_cast<size_t>(width) & 1);
  return make_string(runtime.budget, repeated(fill, before) + text + repeated(fill, blanks - before));
}

Value method_zfill(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  const Parameters given("zfill", arguments, {"width"}, 1);
  const size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+');
  const std::string zeros(missing(text, given.integer(0, 0)), '0');
  return make_string(runtime.budget, text.substr(0, sign) + zeros + text.substr(sign));
}

Value method_format(Runtime& runtime, const std::string& text, const Arguments& arguments) {
  return make_string(runtime.budget, format_braces(runtime.budget, text, arguments));
}

template <bool (*kIs)(char)>
Value method_all(Runtime&, const std::string& text, const Arguments& arguments) {
  const Parameters none("a test of letters", arguments, {});
  return !text.empty() && std::all_of(text.begin(), text.end(), kIs);
}
bool is_alnum(char c) { return is_alpha(c) || is_digit(c); }

// Whether there are letters of one case and none of the other.
template <bool (*kIs)(char), bool (*kOther)(char)>
Value method_case(Runtime&, const std::string& text, const Arguments& arguments) {
  const Parameters none("a test of letters", arguments, {});
  return std::any_of(text.begin(), text.end(), kIs) && std::none_of(text.begin(), text.end(), kOther);
}

Value method_isspace(Runtime&, const std::string& text, const Arguments& arguments) {
  const Parameters none("isspace", arguments, {});
  return !text.empty() && leading_whitespace(text) == text.size();
}

constexpr std::pair<std::string_view, Method> kMethods[] = {
    {"capitalize", method_map<capitalize>},
    {"center", method_pad<Place::center>},
    {"count", method_count},
    {"endswith", method_affix<false>},
    {"find", method_find<false>},
    {"format", method_format},
    {"index", method_index<false>},
    {"isalnum", method_all<is_alnum>},
    {"isalpha", method_all<is_alpha>},
    {"isdigit", method_all<is_digit>},
    {"islower", method_case<is_lower, is_upper>},
    {"isspace", method_isspace},
    {"isupper", method_case<is_upper, is_lower>},
    {"join", method_join},
    {"ljust", method_pad<Place::left>},
    {"lower", method_map<to_lower>},
    {"lstrip", method_strip<Ends::left>},
    {"partition", method_partition<false>},
    {"removeprefix", method_remove<true>},
    {"removesuffix", method_remove<false>},
    {"replace", method_replace},
    {"rfind", method_find<true>},
    {"rindex", method_index<true>},
    {"rjust", method_pad<Place::right>},
    {"rpartition", method_partition<true>},
    {"rsplit", method_split<true>},
    {"rstrip", method_strip<Ends::right>},
    {"split", method_split<false>},
    {"splitlines", method_splitlines},
    {"startswith", method_affix<true>},
    {"strip", method_strip<Ends::both>},
    {"swapcase", method_map<swap_case>},
    {"title", method_map<title>},
    {"upper", method_map<to_upper>},
    {"zfill", method_zfill},
};

}  // namespace

bool is_text_method(std::string_view name) {
  return std::any_of(std::begin(kMethods), std::end(kMethods),
                     [&](const auto& method) { return method.first == name; });
}

Value call_text_method(Runtime& runtime, const std::string& text, std::string_view name, const Arguments& arguments) {
  for (const auto& [known, method] : kMethods) {
    if (known == name) return method(runtime, text, arguments);
  }
  throw Fault("expected a method of a string, got \"" + std::string(name) + "\"");
}

}  // namespace tern::jinja
