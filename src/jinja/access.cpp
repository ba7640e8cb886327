// SPDX-License-Identifier: Apache-2.0
// Attributes, items and slices.
#include <algorithm>

#include "jinja/builtins.h"
#include "jinja/operators.h"
#include "jinja/print.h"
#include "jinja/text.h"

namespace tern::jinja {
namespace {

Value no_attribute(const Value& object, std::string_view name) {
  std::string kind = object.kind();
  return Value::undefined("expected " + kind + (object.dict() ? " object" : "") + " to have \"" +
                          std::string(name.substr(0, 100)) + "\", got none");
}

Value cycle(const std::shared_ptr<Loop>& loop, const Arguments& arguments) {
  if (arguments.positional.empty()) throw Fault("expected values for loop.cycle, got none");
  return arguments.positional[loop->index0 % arguments.positional.size()];
}

Value loop_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  const std::shared_ptr<Loop>& loop = *object.loop();
  const auto index0 = static_cast<int64_t>(loop->index0);
  const auto length = static_cast<int64_t>(loop->items.size());
  if (name == "index0") return index0;
  if (name == "index") return index0 + 1;
  if (name == "revindex0") return length - index0 - 1;
  if (name == "revindex") return length - index0;
  if (name == "first") return index0 == 0;
  if (name == "last") return index0 + 1 == length;
  if (name == "length") return length;
  if (name == "depth0") return int64_t{0};  // no loop calls itself
  if (name == "depth") return int64_t{1};
  if (name == "previtem") {
    return index0 > 0 ? loop->items[loop->index0 - 1] : Value::undefined("expected a previous item, got none");
  }
  if (name == "nextitem") {
    return index0 + 1 < length ? loop->items[loop->index0 + 1] : Value::undefined("expected a next item, got none");
  }
  if (name != "cycle") return no_attribute(object, name);
  return make_method(runtime.budget, object, "cycle",
                     [loop](Runtime&, const Arguments& arguments) { return cycle(loop, arguments); });
}

// A method, an entry of a dict if `entries`, or what namespaces, loops and functions have; undefined if there is none.
Value find_attribute(Runtime& runtime, const Value& object, std::string_view name, bool entries) {
  object.require_defined();
  if (const Namespace* space = object.space()) {
    const auto found = space->attributes.find(name);
    return found == space->attributes.end() ? no_attribute(object, name) : found->second;
  }
  if (object.loop()) return loop_attribute(runtime, object, name);
  if (object.function() && name == "name") return make_string(runtime.budget, object.function()->name);
  if (object.is_string() || object.list() || object.dict()) {
    if (std::optional<Value> method = find_method(runtime, object, name)) return *std::move(method);
    const Value* entry = object.dict() && entries ? object.dict()->find(name) : nullptr;
    if (entry) return *entry;
  }
  return no_attribute(object, name);
}

const Value* find_entry(Runtime& runtime, const Dict& dict, const Value& key) {
  if (key.is_string()) return dict.find(key.string());
  for (const auto& [name, value] : dict.entries) {
    if (equal(runtime.budget, name, key)) return &value;
  }
  return nullptr;
}

// Python's slice.indices(): the first index and how many follow it by steps.
struct Range {
  int64_t start, step;
  size_t count;
};

Range slice_range(int64_t length, const Value& start, const Value& stop, const Value& step) {
  const auto given = [](const Value& value) {
    if (value.is_none()) return false;
    value.require_defined();
    if (!value.is_integral()) throw Fault(std::string("expected integers in a slice, got a ") + value.kind());
    return true;
  };
  const int64_t by = given(step) ? step.integer() : 1;
  if (by == 0) throw Fault("expected a slice's step, got 0");
  const int64_t low = by > 0 ? 0 : -1, high = by > 0 ? length : length - 1;
  const auto bound = [&](const Value& value, int64_t otherwise) {
    if (!given(value)) return otherwise;
    const int64_t index = value.integer();
    return std::clamp(index < 0 ? std::max(index, -length - 1) + length : std::min(index, length), low, high);
  };
  const int64_t first = bound(start, by > 0 ? low : high), last = bound(stop, by > 0 ? high : low);
  Range range{first, by, 0};
  if (by > 0 && first < last) range.count = static_cast<size_t>((last - first - 1) / by) + 1;
  if (by < 0 && first > last) range.count = static_cast<size_t>((first - last - 1) / -std::max(by, -length - 1)) + 1;
  return range;
}

}  // namespace

Value get_attribute(Runtime& runtime, const Value& object, std::string_view name) {
  return find_attribute(runtime, object, name, /*entries=*/true);
}

Value get_item(Runtime& runtime, const Value& object, const Value& key) {
  object.require_defined();
  if (const Dict* dict = object.dict()) {
    if (const Value* entry = find_entry(runtime, *dict, key)) return *entry;
  } else if (key.is_integral() && (object.list() || object.is_string())) {
    const int64_t size = length(runtime.budget, object).value_or(0);
    const int64_t index = key.integer() < 0 ? key.integer() + size : key.integer();
    if (index < 0 || index >= size)
      return Value::undefined("expected an index within " + std::to_string(size) + " elements, got " +
                              std::to_string(key.integer()));
    if (object.list()) return object.list()->items[static_cast<size_t>(index)];
    return get_slice(runtime, object, index, index + 1, None{});
  }
  if (key.is_string()) return find_attribute(runtime, object, key.string(), /*entries=*/false);
  return no_attribute(object, key.is_number() ? to_text(runtime.budget, key) : std::string("that item"));
}

Value get_slice(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step) {
  object.require_defined();
  if (!object.list() && !object.is_string()) return no_attribute(object, "slices");
  Budget& budget = runtime.budget;
  const Range range = slice_range(length(budget, object).value_or(0), start, stop, step);
  const auto index = [&](size_t i) { return static_cast<size_t>(range.start + static_cast<int64_t>(i) * range.step); };
  if (object.is_string()) {
    const std::string& text = object.string();
    budget.make(text.size() * sizeof(size_t));
    const std::vector<size_t> offsets = code_point_offsets(text);
    std::string part;
    for (size_t i = 0; i < range.count; ++i)
      part.append(text, offsets[index(i)], offsets[index(i) + 1] - offsets[index(i)]);
    return make_string(budget, std::move(part));
  }
  budget.make(range.count * sizeof(Value));
  Values items;
  for (size_t i = 0; i < range.count; ++i) items.push_back(object.list()->items[index(i)]);
  return object.list()->tuple ? make_tuple(budget, std::move(items)) : make_list(budget, std::move(items));
}

}  // namespace tern::jinja
