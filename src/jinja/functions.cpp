// SPDX-License-Identifier: Apache-2.0
// The functions that every template may call.
#include "jinja/builtins.h"
#include "jinja/format.h"
#include "jinja/operators.h"
#include "jinja/print.h"

namespace tern::jinja {
namespace {

Value call_range(Runtime& runtime, const Arguments& arguments) {
  const Parameters given("range", arguments, {"start", "stop", "step"}, 1);
  const int64_t start = given.has(1) ? given.integer(0, 0) : 0;
  const int64_t stop = given.has(1) ? given.integer(1, 0) : given.integer(0, 0);
  const int64_t step = given.integer(2, 1);
  if (step == 0) throw Fault("expected a step for range, got 0");
  Values items;
  for (int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (items.size() == kMaxRange)
      throw Fault("expected a range of at most " + std::to_string(kMaxRange) + " numbers, got more");
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  runtime.budget.step(items.size());
  return make_list(runtime.budget, std::move(items));
}

// The entries of dict(mapping, name=value, …).
std::vector<std::pair<Value, Value>> entries_of(Runtime& runtime, const Arguments& arguments) {
  if (arguments.positional.size() > 1) throw Fault("expected at most one dict and names, got more values");
  std::vector<std::pair<Value, Value>> entries;
  if (!arguments.positional.empty()) {
    const Value& first = arguments.positional[0];
    if (first.dict()) {
      runtime.budget.make(first.dict()->entries.size() * 2 * sizeof(Value));
      entries = first.dict()->entries;
    } else {
      for (const Value& pair : iterate(runtime.budget, first)) {
        if (!pair.list() || pair.list()->items.size() != 2) throw Fault("expected pairs of keys and values");
        entries.emplace_back(pair.list()->items[0], pair.list()->items[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.keyword) entries.emplace_back(make_string(runtime.budget, name), value);
  return entries;
}

Value call_dict(Runtime& runtime, const Arguments& arguments) {
  return make_dict(runtime.budget, entries_of(runtime, arguments));
}

Value call_namespace(Runtime& runtime, const Arguments& arguments) {
  Namespace* space = runtime.make_namespace();
  for (auto& [name, value] : entries_of(runtime, arguments)) {
    if (!name.is_string()) throw Fault("expected a namespace's names to be strings");
    space->attributes.insert_or_assign(name.string(), std::move(value));
  }
  return space;
}

Value call_raise(Runtime& runtime, const Arguments& arguments) {
  const Parameters given("raise_exception", arguments, {"message"}, 1);
  throw Fault("the template refuses: " + to_text(runtime.budget, given[0]));
}

Value call_strftime_now(Runtime& runtime, const Arguments& arguments) {
  const Parameters given("strftime_now", arguments, {"format"}, 1);
  runtime.budget.make(32 * given.text(0).size());
  return make_string(runtime.budget, format_time(given.text(0), runtime.now()));
}

}  // namespace

Value find_function(std::string_view name) {
  using Call = Value (*)(Runtime&, const Arguments&);
  static constexpr std::pair<std::string_view, Call> kFunctions[] = {
      {"range", call_range},
      {"dict", call_dict},
      {"namespace", call_namespace},
      {"raise_exception", call_raise},
      {"strftime_now", call_strftime_now},
  };
  for (const auto& [known, call] : kFunctions) {
    if (known == name) return std::make_shared<const Function>(Function{std::string(name), call, 0});
  }
  return Value();
}

}  // namespace tern::jinja
