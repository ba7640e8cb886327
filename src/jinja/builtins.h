// SPDX-License-Identifier: Apache-2.0
// The filters, tests, methods and functions that templates may use, by name.
#pragma once

#include <array>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "jinja/runtime.h"
#include "jinja/value.h"

namespace tern::jinja {

using Filter = Value (*)(Runtime&, const Value& input, const Arguments&);
using Test = bool (*)(Runtime&, const Value& input, const Arguments&);

// nullptr for a name that is none.
Filter find_filter(std::string_view name);
Test find_test(std::string_view name);

// A method of a str, list, tuple or dict, bound to the object; nothing where there is none. One that would
// change a list or dict is an undefined value, as in Jinja's immutable sandbox.
std::optional<Value> find_method(Runtime& runtime, const Value& object, std::string_view name);
// range, dict, namespace, raise_exception, strftime_now; undefined for another name.
Value find_function(std::string_view name);

// Named filters and tests applied to a value; Fault for an unknown name.
Value apply_filter(Runtime& runtime, std::string_view name, const Value& input, const Arguments& arguments);
bool apply_test(Runtime& runtime, std::string_view name, const Value& input, const Arguments& arguments);

// The parts of the tables above, each in the file of its name.
Filter find_text_filter(std::string_view name);
Filter find_sequence_filter(std::string_view name);
Filter find_number_filter(std::string_view name);
Value call_text_method(Runtime& runtime, const std::string& text, std::string_view name, const Arguments& arguments);
bool is_text_method(std::string_view name);

// A call's arguments by parameter.
class Parameters {
 public:
  // Throws Fault for arguments that no parameter takes, for one given twice, and when fewer than `required` are there.
  Parameters(std::string_view callee, const Arguments& arguments, std::initializer_list<std::string_view> names,
             size_t required = 0);

  // Whether the caller gave it; and what, undefined if not.
  bool has(size_t i) const { return values_[i] != nullptr; }
  const Value& operator[](size_t i) const;
  // Converted, with a default for what is not given. Fault for another kind.
  std::string_view text(size_t i, std::string_view otherwise = {}) const;
  int64_t integer(size_t i, int64_t otherwise) const;
  bool truth(size_t i, bool otherwise) const;

 private:
  static constexpr size_t kMost = 6;
  std::string_view callee_;
  std::array<std::string_view, kMost> names_;
  std::array<const Value*, kMost> values_{};
};

}  // namespace tern::jinja
