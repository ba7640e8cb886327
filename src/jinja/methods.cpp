// SPDX-License-Identifier: Apache-2.0
// Methods of lists, tuples and dicts; those of strings are in text_methods.cpp.
#include <algorithm>
#include <span>

#include "jinja/builtins.h"
#include "jinja/operators.h"
#include "jinja/print.h"

namespace tern::jinja {
namespace {

using Method = Value (*)(Runtime&, const Value& object, const Arguments&);
using Methods = std::pair<std::string_view, Method>;

Value dict_get(Runtime& runtime, const Value& object, const Arguments& arguments) {
  const Parameters given("get", arguments, {"key", "default"}, 1);
  for (const auto& [key, value] : object.dict()->entries) {
    if (!given[0].is_string() && equal(runtime.budget, key, given[0])) return value;
  }
  const Value* found = given[0].is_string() ? object.dict()->find(given[0].string()) : nullptr;
  if (found) return *found;
  return given.has(1) ? given[1] : Value(None{});
}

Value dict_keys(Runtime& runtime, const Value& object, const Arguments& arguments) {
  const Parameters none("keys", arguments, {});
  return make_list(runtime.budget, iterate(runtime.budget, object));
}

Value dict_values(Runtime& runtime, const Value& object, const Arguments& arguments) {
  const Parameters none("values", arguments, {});
  Values items;
  for (const auto& entry : object.dict()->entries) items.push_back(entry.second);
  return make_list(runtime.budget, std::move(items));
}

Value dict_items(Runtime& runtime, const Value& object, const Arguments& arguments) {
  const Parameters none("items", arguments, {});
  Values items;
  for (const auto& [key, value] : object.dict()->entries) items.push_back(make_tuple(runtime.budget, {key, value}));
  return make_list(runtime.budget, std::move(items));
}

Value copy(Runtime&, const Value& object, const Arguments& arguments) {
  const Parameters none("copy", arguments, {});
  return object;
}

Value list_index(Runtime& runtime, const Value& object, const Arguments& arguments) {
  const Parameters given("index", arguments, {"value"}, 1);
  const Values& items = object.list()->items;
  for (size_t i = 0; i < items.size(); ++i) {
    if (equal(runtime.budget, items[i], given[0])) return static_cast<int64_t>(i);
  }
  throw Fault("expected index() of a value that the list has");
}

Value list_count(Runtime& runtime, const Value& object, const Arguments& arguments) {
  const Parameters given("count", arguments, {"value"}, 1);
  const Values& items = object.list()->items;
  return static_cast<int64_t>(std::count_if(items.begin(), items.end(),
                                            [&](const Value& item) { return equal(runtime.budget, item, given[0]); }));
}

// Stands for the methods that change their object.
constexpr Method kRefused = nullptr;

constexpr Methods kDictMethods[] = {
    {"copy", copy},      {"get", dict_get}, {"items", dict_items}, {"keys", dict_keys},      {"values", dict_values},
    {"clear", kRefused}, {"pop", kRefused}, {"popitem", kRefused}, {"setdefault", kRefused}, {"update", kRefused}};
constexpr Methods kListMethods[] = {{"count", list_count}, {"index", list_index}, {"copy", copy},
                                    {"append", kRefused},  {"clear", kRefused},   {"extend", kRefused},
                                    {"insert", kRefused},  {"pop", kRefused},     {"remove", kRefused},
                                    {"reverse", kRefused}, {"sort", kRefused}};
constexpr size_t kTupleMethods = 2;  // of them a tuple has the first ones

}  // namespace

std::optional<Value> find_method(Runtime& runtime, const Value& object, std::string_view name) {
  if (object.is_string()) {
    if (!is_text_method(name)) return std::nullopt;
    return make_method(runtime.budget, object, std::string(name),
                       [object, bound = std::string(name)](Runtime& later, const Arguments& arguments) {
                         later.budget.scan(object.string().size());
                         return call_text_method(later, object.string(), bound, arguments);
                       });
  }
  std::span<const Methods> methods;
  if (object.dict()) methods = kDictMethods;
  if (const List* list = object.list())
    methods = std::span(kListMethods).first(list->tuple ? kTupleMethods : std::size(kListMethods));
  for (const auto& [known, method] : methods) {
    if (known != name) continue;
    if (method == kRefused) {
      return Value::undefined("expected a method that changes nothing, got " + std::string(name) + "() of a " +
                              object.kind());
    }
    return make_method(
        runtime.budget, object, std::string(name),
        [object, call = method](Runtime& later, const Arguments& arguments) { return call(later, object, arguments); });
  }
  return std::nullopt;
}

}  // namespace tern::jinja
