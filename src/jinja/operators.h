// SPDX-License-Identifier: Apache-2.0
// Python's operators on values. All throw Fault for kinds that they do not take.
#pragma once

#include <optional>
#include <string_view>

#include "jinja/value.h"

namespace tern::jinja {

bool is_true(const Value& value);
bool equal(Budget& budget, const Value& a, const Value& b);
bool less(Budget& budget, const Value& a, const Value& b);
bool contains(Budget& budget, const Value& container, const Value& item);

// op: one of == != < <= > >=.
bool compare(Budget& budget, std::string_view op, const Value& a, const Value& b);
// op: one of + - * / // % **.
Value arithmetic(Budget& budget, std::string_view op, const Value& a, const Value& b);
Value negate(const Value& value);

// The number of characters, elements or entries; nothing for what has no length.
std::optional<int64_t> length(Budget& budget, const Value& value);
// What a for loop would visit; reads an iterator to its end. Fault for what cannot be iterated.
Values iterate(Budget& budget, const Value& value);
bool is_iterable(const Value& value);

// object.name, object[key], object[start:stop:step]; undefined where there is none, Fault for an undefined object.
Value get_attribute(Runtime& runtime, const Value& object, std::string_view name);
Value get_item(Runtime& runtime, const Value& object, const Value& key);
Value get_slice(Runtime& runtime, const Value& object, const Value& start, const Value& stop, const Value& step);

}  // namespace tern::jinja
