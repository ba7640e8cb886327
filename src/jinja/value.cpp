// SPDX-License-Identifier: Apache-2.0
#include "jinja/value.h"

#include <algorithm>

#include "jinja/operators.h"

namespace tern::jinja {
namespace {

int checked_depth(int depth) {
  if (depth > kMaxValueDepth) {
    throw Fault("expected values at most " + std::to_string(kMaxValueDepth) + " levels deep, got more");
  }
  return depth;
}

int depth_above(const Values& items) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, item.depth());
  return checked_depth(depth + 1);
}

void make_items(Budget& budget, const Values& items) { budget.make(64 + items.size() * sizeof(Value)); }

Value list_or_tuple(Budget& budget, Values items, bool tuple) {
  make_items(budget, items);
  const int depth = depth_above(items);
  return std::make_shared<const List>(List{std::move(items), tuple, depth});
}

void check_key(const Value& key) {
  const bool hashable = !key.dict() && (!key.list() || key.list()->tuple);
  if (!hashable) throw Fault(std::string("expected a key that does not change, got a ") + key.kind());
}

void insert(Budget& budget, Dict& dict, std::pair<Value, Value> entry) {
  check_key(entry.first);
  if (entry.first.is_string()) {
    const auto [place, is_new] = dict.strings.emplace(entry.first.string(), dict.entries.size());
    if (!is_new) {
      dict.entries[place->second].second = std::move(entry.second);
      return;
    }
  } else {
    for (auto& [key, value] : dict.entries) {
      if (!equal(budget, key, entry.first)) continue;
      value = std::move(entry.second);
      return;
    }
  }
  dict.entries.push_back(std::move(entry));
}

}  // namespace

const char* Value::kind() const {
  static constexpr const char* kNames[] = {"undefined", "None", "bool",      "int",       "float",    "str",
                                           "list",      "dict", "generator", "namespace", "function", "loop"};
  const List* items = list();
  return items && items->tuple ? "tuple" : kNames[data_.index()];
}

int Value::depth() const {
  if (const List* found = list()) return found->depth;
  if (const Dict* found = dict()) return found->depth;
  if (const Iterator* found = iterator()) return found->depth;
  if (const Function* found = function()) return found->depth;
  if (const auto* found = loop()) return (*found)->depth;
  return 0;
}

void Value::require_defined() const {
  if (const auto* undefined = std::get_if<Undefined>(&data_)) {
    throw Fault(undefined->message ? *undefined->message : "expected a value, got an undefined one");
  }
}

const Value* Dict::find(std::string_view key) const {
  const auto found = strings.find(key);
  return found == strings.end() ? nullptr : &entries[found->second].second;
}

Value make_string(Budget& budget, std::string text) {
  budget.make(64 + text.size());
  return Value(std::move(text));
}

Value make_list(Budget& budget, Values items) { return list_or_tuple(budget, std::move(items), false); }
Value make_tuple(Budget& budget, Values items) { return list_or_tuple(budget, std::move(items), true); }

Value make_iterator(Budget& budget, Values items) {
  make_items(budget, items);
  const int depth = depth_above(items);
  return std::make_shared<Iterator>(Iterator{std::move(items), 0, depth});
}

Value make_loop(Budget& budget, Values items) {
  make_items(budget, items);
  const int depth = depth_above(items);
  return std::make_shared<Loop>(Loop{std::move(items), 0, depth});
}

Value make_dict(Budget& budget, std::vector<std::pair<Value, Value>> entries) {
  auto dict = std::make_shared<Dict>();
  budget.make(128 + entries.size() * (2 * sizeof(Value) + 96));
  dict->entries.reserve(entries.size());
  int depth = 0;
  for (auto& entry : entries) {
    if (entry.first.is_string()) budget.make(entry.first.string().size());
    depth = std::max({depth, entry.first.depth(), entry.second.depth()});
    insert(budget, *dict, std::move(entry));
  }
  dict->depth = checked_depth(depth + 1);
  return std::shared_ptr<const Dict>(std::move(dict));
}

Value make_method(Budget& budget, const Value& object, std::string name,
                  std::function<Value(Runtime&, const Arguments&)> call) {
  budget.make(192);
  const int depth = checked_depth(object.depth() + 1);
  return std::make_shared<const Function>(Function{std::move(name), std::move(call), depth});
}

}  // namespace tern::jinja
