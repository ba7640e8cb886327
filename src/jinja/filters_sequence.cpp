// SPDX-License-Identifier: Apache-2.0
// Filters on lists, dicts and what else can be iterated.
#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/operators.h"
#include "jinja/print.h"
#include "jinja/text.h"

namespace tern::jinja {
namespace {

// What filters call an attribute: "a.b.0" leads through attributes and indices. No path gives the value itself.
class Path {
 public:
  Path(Budget& budget, const Value& path) {
    if (path.is_undefined() || path.is_none()) return;
    if (!path.is_string()) {
      parts_.push_back(path);
      return;
    }
    for (const std::string_view part : split(path.string(), ".", -1)) {
      const bool number = !part.empty() && part.size() < 18 && std::all_of(part.begin(), part.end(), is_digit);
      parts_.push_back(number ? Value(int64_t{std::stoll(std::string(part))}) : make_string(budget, std::string(part)));
    }
  }
  Value follow(Runtime& runtime, Value value) const {
    runtime.budget.step(1 + parts_.size());
    for (const Value& part : parts_) value = get_item(runtime, value, part);
    return value;
  }

 private:
  Values parts_;
};

// What a value is sorted and compared by where case does not matter.
Value folded(Budget& budget, const Value& value, bool case_sensitive) {
  return case_sensitive || !value.is_string() ? value : make_string(budget, to_lower(value.string()));
}

Value filter_length(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none("length", arguments, {});
  const std::optional<int64_t> found = length(runtime.budget, input);
  if (!found) throw Fault(std::string("expected a value with a length, got a ") + input.kind());
  return *found;
}

Value filter_default(Runtime&, const Value& input, const Arguments& arguments) {
  const Parameters given("default", arguments, {"default_value", "boolean"});
  const bool replaces = input.is_undefined() || (given.truth(1, false) && !is_true(input));
  if (!replaces) return input;
  return given.has(0) ? given[0] : Value("");
}

Value filter_first(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none("first", arguments, {});
  if (Iterator* iterator = input.iterator()) {
    if (iterator->next < iterator->items.size()) return iterator->items[iterator->next++];
    return Value::undefined("expected a first item, got none");
  }
  if (const List* list = input.list(); list && !list->items.empty()) return list->items.front();
  Values items = iterate(runtime.budget, input);
  return items.empty() ? Value::undefined("expected a first item, got none") : items.front();
}

Value filter_last(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none("last", arguments, {});
  if (input.iterator()) throw Fault("expected a value that can be read backwards, got a generator");
  if (const List* list = input.list(); list && !list->items.empty()) return list->items.back();
  Values items = iterate(runtime.budget, input);
  return items.empty() ? Value::undefined("expected a last item, got none") : items.back();
}

Value filter_list(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none("list", arguments, {});
  return make_list(runtime.budget, iterate(runtime.budget, input));
}

Value filter_join(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("join", arguments, {"d", "attribute"});
  Budget& budget = runtime.budget;
  const std::string between = to_text(budget, given[0]);
  const Path path(budget, given[1]);
  std::string text;
  bool first = true;
  for (const Value& item : iterate(budget, input)) {
    budget.make(between.size());
    if (!std::exchange(first, false)) text += between;
    text += to_text(budget, path.follow(runtime, item));
  }
  return make_string(budget, std::move(text));
}

Value filter_reverse(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none("reverse", arguments, {});
  if (input.is_string()) return get_slice(runtime, input, None{}, None{}, int64_t{-1});
  const bool is_list = input.iterator() != nullptr;  // Jinja reverses what cannot be read backwards in a list
  Values items = iterate(runtime.budget, input);
  std::reverse(items.begin(), items.end());
  return is_list ? make_list(runtime.budget, std::move(items)) : make_iterator(runtime.budget, std::move(items));
}

Value filter_items(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters none("items", arguments, {});
  Values items;
  if (const Dict* dict = input.dict()) {
    for (const auto& [key, value] : dict->entries) items.push_back(make_tuple(runtime.budget, {key, value}));
  } else if (!input.is_undefined()) {
    throw Fault(std::string("expected a dict to take items of, got a ") + input.kind());
  }
  return make_iterator(runtime.budget, std::move(items));
}

// Sorts stably by the keys made of each item.
template <class Key>
Values sorted(Runtime& runtime, Values items, bool descending, Key key) {
  std::vector<std::pair<Value, Value>> keyed;
  runtime.budget.make(items.size() * 2 * sizeof(Value));
  for (Value& item : items) keyed.emplace_back(key(item), std::move(item));
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return descending ? less(runtime.budget, b.first, a.first) : less(runtime.budget, a.first, b.first);
  });
  Values result;
  for (auto& entry : keyed) result.push_back(std::move(entry.second));
  return result;
}

Value filter_dictsort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string_view by = given.text(1, "key");
  if (by != "key" && by != "value") throw Fault("expected dictsort by key or value");
  const Dict* dict = input.dict();
  if (!dict) throw Fault(std::string("expected a dict for dictsort, got a ") + input.kind());
  Values items;
  for (const auto& [key, value] : dict->entries) items.push_back(make_tuple(runtime.budget, {key, value}));
  return make_list(runtime.budget, sorted(runtime, std::move(items), given.truth(2, false), [&](const Value& item) {
                     return folded(runtime.budget, item.list()->items[by == "value"], given.truth(0, false));
                   }));
}

Value filter_sort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  Budget& budget = runtime.budget;
  std::vector<Path> paths;
  if (given[2].is_string()) {
    for (const std::string_view path : split(given[2].string(), ",", -1))
      paths.emplace_back(budget, make_string(budget, std::string(path)));
  } else {
    paths.emplace_back(budget, given[2]);
  }
  const bool case_sensitive = given.truth(1, false);
  Values items = sorted(runtime, iterate(budget, input), given.truth(0, false), [&](const Value& item) {
    Values keys;
    for (const Path& path : paths) keys.push_back(folded(budget, path.follow(runtime, item), case_sensitive));
    return keys.size() == 1 ? keys[0] : make_list(budget, std::move(keys));
  });
  return make_list(budget, std::move(items));
}

Value filter_unique(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("unique", arguments, {"case_sensitive", "attribute"});
  const Path path(runtime.budget, given[1]);
  Values seen, items;
  for (const Value& item : iterate(runtime.budget, input)) {
    Value key = folded(runtime.budget, path.follow(runtime, item), given.truth(0, false));
    const bool known =
        std::any_of(seen.begin(), seen.end(), [&](const Value& one) { return equal(runtime.budget, one, key); });
    if (known) continue;
    seen.push_back(std::move(key));
    items.push_back(item);
  }
  return make_iterator(runtime.budget, std::move(items));
}

Value extreme(Runtime& runtime, const Value& input, const Arguments& arguments, bool largest) {
  const Parameters given(largest ? "max" : "min", arguments, {"case_sensitive", "attribute"});
  const Path path(runtime.budget, given[1]);
  Value best = Value::undefined("expected an item to choose, got an empty sequence"), best_key;
  for (const Value& item : iterate(runtime.budget, input)) {
    Value key = folded(runtime.budget, path.follow(runtime, item), given.truth(0, false));
    const bool better =
        best.is_undefined() || (largest ? less(runtime.budget, best_key, key) : less(runtime.budget, key, best_key));
    if (!better) continue;
    best = item;
    best_key = std::move(key);
  }
  return best;
}
Value filter_max(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return extreme(runtime, input, arguments, true);
}
Value filter_min(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return extreme(runtime, input, arguments, false);
}

Value filter_sum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("sum", arguments, {"attribute", "start"});
  const Path path(runtime.budget, given[0]);
  Value total = given.has(1) ? given[1] : Value(int64_t{0});
  for (const Value& item : iterate(runtime.budget, input)) {
    total = arithmetic(runtime.budget, "+", total, path.follow(runtime, item));
  }
  return total;
}

Value filter_attr(Runtime& runtime, const Value& input, const Arguments& arguments) {
  const Parameters given("attr", arguments, {"name"}, 1);
  if (input.dict()) {  // attributes only: a dict's are its methods
    const std::optional<Value> method = find_method(runtime, input, given.text(0));
    return method ? *method : Value::undefined("expected an attribute of a dict, got none");
  }
  return get_attribute(runtime, input, given.text(0));
}

// The arguments from the one at `from` on.
Arguments rest_of(const Arguments& arguments, size_t from) {
  Arguments rest;
  rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(from), arguments.positional.end());
  rest.keyword = arguments.keyword;
  return rest;
}

const std::string& name_at(const Arguments& arguments, size_t i, const char* what) {
  if (i >= arguments.positional.size() || !arguments.positional[i].is_string()) {
    throw Fault(std::string("expected the name of ") + what);
  }
  return arguments.positional[i].string();
}

// Jinja maps and selects what is false, none too, to nothing.
Values iterate_true(Runtime& runtime, const Value& input) {
  return is_true(input) ? iterate(runtime.budget, input) : Values{};
}

Value filter_map(Runtime& runtime, const Value& input, const Arguments& arguments) {
  Values items;
  if (arguments.positional.empty()) {
    const Parameters given("map", arguments, {"attribute", "default"}, 1);
    const Path path(runtime.budget, given[0]);
    for (const Value& item : iterate_true(runtime, input)) {
      Value value = path.follow(runtime, item);
      items.push_back(value.is_undefined() && given.has(1) && !given[1].is_none() ? given[1] : std::move(value));
    }
  } else {
    const std::string& name = name_at(arguments, 0, "a filter for map");
    const Arguments rest = rest_of(arguments, 1);
    for (const Value& item : iterate_true(runtime, input)) {
      runtime.budget.step();
      items.push_back(apply_filter(runtime, name, item, rest));
    }
  }
  return make_iterator(runtime.budget, std::move(items));
}

template <bool kKeeps, bool kByAttribute>
Value filter_select(Runtime& runtime, const Value& input, const Arguments& arguments) {
  constexpr size_t kTest = kByAttribute ? 1 : 0;
  if (kByAttribute && arguments.positional.empty()) throw Fault("expected the name of an attribute to select by");
  const Path path(runtime.budget, kByAttribute ? arguments.positional[0] : Value());
  const bool tested = arguments.positional.size() > kTest;
  const Arguments rest = tested ? rest_of(arguments, kTest + 1) : Arguments{};
  Values items;
  for (const Value& item : iterate_true(runtime, input)) {
    const Value value = path.follow(runtime, item);
    const bool passes = tested ? apply_test(runtime, name_at(arguments, kTest, "a test"), value, rest) : is_true(value);
    if (passes == kKeeps) items.push_back(item);
  }
  return make_iterator(runtime.budget, std::move(items));
}

}  // namespace

Filter find_sequence_filter(std::string_view name) {
  static constexpr std::pair<std::string_view, Filter> kFilters[] = {
      {"attr", filter_attr},
      {"count", filter_length},
      {"d", filter_default},
      {"default", filter_default},
      {"dictsort", filter_dictsort},
      {"first", filter_first},
      {"items", filter_items},
      {"join", filter_join},
      {"last", filter_last},
      {"length", filter_length},
      {"list", filter_list},
      {"map", filter_map},
      {"max", filter_max},
      {"min", filter_min},
      {"reject", filter_select<false, false>},
      {"rejectattr", filter_select<false, true>},
      {"reverse", filter_reverse},
      {"select", filter_select<true, false>},
      {"selectattr", filter_select<true, true>},
      {"sort", filter_sort},
      {"sum", filter_sum},
      {"unique", filter_unique},
  };
  for (const auto& [known, filter] : kFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

}  // namespace tern::jinja
