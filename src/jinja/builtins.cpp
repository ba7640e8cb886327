// SPDX-License-Identifier: Apache-2.0
#include "jinja/builtins.h"

#include <algorithm>

#include "jinja/operators.h"

namespace tern::jinja {

Parameters::Parameters(std::string_view callee, const Arguments& arguments,
                       std::initializer_list<std::string_view> names, size_t required)
    : callee_(callee) {
  std::copy(names.begin(), names.end(), names_.begin());
  const std::string name(callee);
  if (arguments.positional.size() > names.size()) {
    throw Fault("expected " + name + " with at most " + std::to_string(names.size()) + " arguments, got " +
                std::to_string(arguments.positional.size()));
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [keyword, value] : arguments.keyword) {
    const auto place = static_cast<size_t>(std::find(names.begin(), names.end(), keyword) - names.begin());
    if (place == names.size()) throw Fault("expected " + name + " without an argument \"" + keyword + "\", got one");
    if (values_[place]) throw Fault("expected " + name + " with one argument \"" + keyword + "\", got two");
    values_[place] = &value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!values_[i]) throw Fault("expected " + name + " with an argument \"" + std::string(names_[i]) + "\", got none");
  }
}

const Value& Parameters::operator[](size_t i) const {
  static const Value kNone;
  return values_[i] ? *values_[i] : kNone;
}

std::string_view Parameters::text(size_t i, std::string_view otherwise) const {
  if (!values_[i]) return otherwise;
  values_[i]->require_defined();
  if (!values_[i]->is_string()) {
    throw Fault("expected " + std::string(callee_) + " with a string \"" + std::string(names_[i]) + "\", got a " +
                values_[i]->kind());
  }
  return values_[i]->string();
}

int64_t Parameters::integer(size_t i, int64_t otherwise) const {
  if (!values_[i]) return otherwise;
  values_[i]->require_defined();
  if (!values_[i]->is_integral()) {
    throw Fault("expected " + std::string(callee_) + " with an integer \"" + std::string(names_[i]) + "\", got a " +
                values_[i]->kind());
  }
  return values_[i]->integer();
}

bool Parameters::truth(size_t i, bool otherwise) const { return values_[i] ? is_true(*values_[i]) : otherwise; }

Filter find_filter(std::string_view name) {
  if (const Filter filter = find_text_filter(name)) return filter;
  if (const Filter filter = find_sequence_filter(name)) return filter;
  return find_number_filter(name);
}

Value apply_filter(Runtime& runtime, std::string_view name, const Value& input, const Arguments& arguments) {
  const Filter filter = find_filter(name);
  if (!filter) throw Fault("expected a filter, got \"" + std::string(name.substr(0, 60)) + "\", which is none");
  return filter(runtime, input, arguments);
}

bool apply_test(Runtime& runtime, std::string_view name, const Value& input, const Arguments& arguments) {
  const Test test = find_test(name);
  if (!test) throw Fault("expected a test, got \"" + std::string(name.substr(0, 60)) + "\", which is none");
  return test(runtime, input, arguments);
}

}  // namespace tern::jinja
