// SPDX-License-Identifier: Apache-2.0
#include "jinja/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "jinja/format.h"
#include "jinja/text.h"

namespace tern::jinja {
namespace {

[[noreturn]] void fail_operands(std::string_view op, const Value& a, const Value& b) {
  a.require_defined();
  b.require_defined();
  throw Fault("expected operands that " + std::string(op) + " takes, got " + a.kind() + " and " + b.kind());
}

bool equal_lists(Budget& budget, const List& a, const List& b) {
  if (a.tuple != b.tuple || a.items.size() != b.items.size()) return false;
  for (size_t i = 0; i < a.items.size(); ++i) {
    if (!equal(budget, a.items[i], b.items[i])) return false;
  }
  return true;
}

bool equal_dicts(Budget& budget, const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    budget.step();
    const Value* other = nullptr;
    if (key.is_string()) {
      other = b.find(key.string());
    } else {
      for (const auto& entry : b.entries) other = equal(budget, key, entry.first) ? &entry.second : other;
    }
    if (!other || !equal(budget, value, *other)) return false;
  }
  return true;
}

[[noreturn]] void fail_overflow() { throw Fault("expected an integer of 64 bits, got a larger one"); }

int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0) throw Fault("expected a divisor, got 0");
  if (b == -1) {
    if (a == std::numeric_limits<int64_t>::min()) fail_overflow();
    return -a;
  }
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

int64_t modulo(int64_t a, int64_t b) {
  if (b == 0) throw Fault("expected a divisor, got 0");
  if (b == -1) return 0;
  const int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

int64_t multiply(int64_t a, int64_t b) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product)) fail_overflow();
  return product;
}

Value power(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0) throw Fault("expected a power that exists, got 0 to a negative one");
    return std::pow(static_cast<double>(base), static_cast<double>(exponent));
  }
  int64_t result = 1;
  for (;; base = multiply(base, base)) {
    if (exponent & 1) result = multiply(result, base);
    exponent >>= 1;
    if (exponent == 0) return result;
  }
}

Value integer_arithmetic(char op, bool doubled, int64_t a, int64_t b) {
  int64_t result = 0;
  switch (op) {
    case '+':
      if (__builtin_add_overflow(a, b, &result)) fail_overflow();
      return result;
    case '-':
      if (__builtin_sub_overflow(a, b, &result)) fail_overflow();
      return result;
    case '*':
      return doubled ? power(a, b) : multiply(a, b);
    case '%':
      return modulo(a, b);
    default:
      if (doubled) return floor_divide(a, b);
      if (b == 0) throw Fault("expected a divisor, got 0");
      return static_cast<double>(a) / static_cast<double>(b);
  }
}

Value real_arithmetic(char op, bool doubled, double a, double b) {
  if ((op == '/' || op == '%') && b == 0) throw Fault("expected a divisor, got 0");
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return doubled ? std::pow(a, b) : a * b;
    case '%': {
      const double rest = std::fmod(a, b);
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    default:
      return doubled ? std::floor(a / b) : a / b;
  }
}

Value repeat(Budget& budget, const Value& sequence, int64_t times) {
  const size_t count = static_cast<size_t>(std::max<int64_t>(times, 0));
  const size_t size = sequence.is_string() ? sequence.string().size() : sequence.list()->items.size();
  if (size != 0 && count > (size_t{1} << 32) / size) {
    throw Fault("expected fewer repetitions, got " + std::to_string(times));
  }
  if (sequence.is_string()) {
    budget.make(64 + size * count);
    std::string text;
    text.reserve(size * count);
    for (size_t i = 0; i < count && size != 0; ++i) text += sequence.string();
    return text;
  }
  budget.make(size * count * sizeof(Value));
  Values items;
  items.reserve(size * count);
  for (size_t i = 0; i < count && size != 0; ++i) {
    items.insert(items.end(), sequence.list()->items.begin(), sequence.list()->items.end());
  }
  return sequence.list()->tuple ? make_tuple(budget, std::move(items)) : make_list(budget, std::move(items));
}

Value join_lists(Budget& budget, const List& a, const List& b) {
  budget.make((a.items.size() + b.items.size()) * sizeof(Value));
  Values items = a.items;
  items.insert(items.end(), b.items.begin(), b.items.end());
  return a.tuple ? make_tuple(budget, std::move(items)) : make_list(budget, std::move(items));
}

}  // namespace

bool is_true(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (value.is_integral()) return value.integer() != 0;
  if (value.is_real()) return value.real() != 0;
  if (value.is_string()) return !value.string().empty();
  if (const List* list = value.list()) return !list->items.empty();
  if (const Dict* dict = value.dict()) return !dict->entries.empty();
  return true;
}

bool equal(Budget& budget, const Value& a, const Value& b) {
  budget.step();
  if (a.is_number() && b.is_number()) {
    return a.is_integral() && b.is_integral() ? a.integer() == b.integer() : a.real() == b.real();
  }
  if (a.is_string() && b.is_string()) {
    budget.scan(std::min(a.string().size(), b.string().size()));
    return a.string() == b.string();
  }
  if (a.list() && b.list()) return equal_lists(budget, *a.list(), *b.list());
  if (a.dict() && b.dict()) return equal_dicts(budget, *a.dict(), *b.dict());
  if (a.space() || b.space()) return a.space() == b.space();
  if (a.iterator() || b.iterator()) return a.iterator() == b.iterator();
  if (a.function() || b.function()) return a.function() == b.function();
  if (a.loop() && b.loop()) return *a.loop() == *b.loop();
  return (a.is_none() && b.is_none()) || (a.is_undefined() && b.is_undefined());
}

bool less(Budget& budget, const Value& a, const Value& b) {
  budget.step();
  if (a.is_number() && b.is_number()) {
    return a.is_integral() && b.is_integral() ? a.integer() < b.integer() : a.real() < b.real();
  }
  if (a.is_string() && b.is_string()) {  // bytes of UTF-8 order as code points do
    budget.scan(std::min(a.string().size(), b.string().size()));
    return a.string() < b.string();
  }
  if (!a.list() || !b.list() || a.list()->tuple != b.list()->tuple) fail_operands("<", a, b);
  const Values& left = a.list()->items;
  const Values& right = b.list()->items;
  for (size_t i = 0; i < left.size() && i < right.size(); ++i) {
    if (!equal(budget, left[i], right[i])) return less(budget, left[i], right[i]);
  }
  return left.size() < right.size();
}

bool contains(Budget& budget, const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string()) fail_operands("in", item, container);
    budget.search(container.string().size(), item.string().size());
    return container.string().find(item.string()) != std::string::npos;
  }
  if (const Dict* dict = container.dict()) {
    if (item.is_string()) return dict->find(item.string()) != nullptr;
    return std::any_of(dict->entries.begin(), dict->entries.end(),
                       [&](const auto& entry) { return equal(budget, entry.first, item); });
  }
  if (Iterator* iterator = container.iterator()) {  // reads up to the item
    while (iterator->next < iterator->items.size()) {
      if (equal(budget, iterator->items[iterator->next++], item)) return true;
    }
    return false;
  }
  if (container.is_undefined()) return false;
  const List* list = container.list();
  if (!list) fail_operands("in", item, container);
  return std::any_of(list->items.begin(), list->items.end(),
                     [&](const Value& element) { return equal(budget, element, item); });
}

bool compare(Budget& budget, std::string_view op, const Value& a, const Value& b) {
  if (op == "==") return equal(budget, a, b);
  if (op == "!=") return !equal(budget, a, b);
  const bool nan = a.is_number() && b.is_number() && (std::isnan(a.real()) || std::isnan(b.real()));
  if (nan) return false;
  if (op == "<") return less(budget, a, b);
  if (op == ">") return less(budget, b, a);
  return op == "<=" ? !less(budget, b, a) : !less(budget, a, b);
}

Value arithmetic(Budget& budget, std::string_view op, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    const bool doubled = op.size() == 2;
    if (a.is_integral() && b.is_integral()) return integer_arithmetic(op[0], doubled, a.integer(), b.integer());
    return real_arithmetic(op[0], doubled, a.real(), b.real());
  }
  if (op == "+" && a.is_string() && b.is_string()) {
    budget.make(a.string().size() + b.string().size());
    return a.string() + b.string();
  }
  if (op == "+" && a.list() && b.list() && a.list()->tuple == b.list()->tuple) {
    return join_lists(budget, *a.list(), *b.list());
  }
  const auto is_sequence = [](const Value& value) { return value.is_string() || value.list(); };
  if (op == "*" && is_sequence(a) && b.is_integral()) return repeat(budget, a, b.integer());
  if (op == "*" && is_sequence(b) && a.is_integral()) return repeat(budget, b, a.integer());
  if (op == "%" && a.is_string()) {
    return make_string(budget,
                       format_percent(budget, a.string(), b.list() && b.list()->tuple ? b.list()->items : Values{b}));
  }
  fail_operands(op, a, b);
}

Value negate(const Value& value) {
  if (value.is_real()) return -value.real();
  value.require_defined();
  if (!value.is_integral()) throw Fault(std::string("expected a number after -, got a ") + value.kind());
  return integer_arithmetic('-', false, 0, value.integer());
}

std::optional<int64_t> length(Budget& budget, const Value& value) {
  if (value.is_string()) {
    budget.scan(value.string().size());
    return static_cast<int64_t>(count_code_points(value.string()));
  }
  if (const List* list = value.list()) return static_cast<int64_t>(list->items.size());
  if (const Dict* dict = value.dict()) return static_cast<int64_t>(dict->entries.size());
  if (const auto* loop = value.loop()) return static_cast<int64_t>((*loop)->items.size());
  if (value.is_undefined()) return 0;
  return std::nullopt;
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.list() || value.dict() || value.iterator();
}

Values iterate(Budget& budget, const Value& value) {
  if (value.is_undefined()) return {};
  Values items;
  if (value.is_string()) {
    const std::string& text = value.string();
    for (size_t at = 0, bytes = 0; at < text.size(); at += bytes) {
      bytes = code_point_length(text, at);
      items.push_back(make_string(budget, text.substr(at, bytes)));
    }
    return items;
  }
  if (Iterator* iterator = value.iterator()) {
    items.assign(iterator->items.begin() + static_cast<std::ptrdiff_t>(iterator->next), iterator->items.end());
    iterator->next = iterator->items.size();
  } else if (const List* list = value.list()) {
    items = list->items;
  } else if (const Dict* dict = value.dict()) {
    for (const auto& entry : dict->entries) items.push_back(entry.first);
  } else {
    throw Fault(std::string("expected something to iterate over, got ") + value.kind());
  }
  budget.make(items.size() * sizeof(Value));
  return items;
}

}  // namespace tern::jinja
