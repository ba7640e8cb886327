// SPDX-License-Identifier: Apache-2.0
// The values of the template language: Python's, as far as templates meet them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "jinja/limits.h"

namespace tern::jinja {

class Value;
class Runtime;
using Values = std::vector<Value>;

struct List;
struct Dict;
struct Iterator;
struct Namespace;
struct Function;
struct Loop;

struct None {};
// Jinja's default Undefined: prints nothing, is false and empty; any other use throws Fault with the message.
struct Undefined {
  std::shared_ptr<const std::string> message;
};

// An immutable value that shares its content; only namespaces, iterators and loops change. Strings are well-formed
// UTF-8. No value holds itself: namespaces belong to the Runtime and are held by address.
class Value {
 public:
  Value() : data_(Undefined{}) {}
  Value(None) : data_(None{}) {}
  Value(bool boolean) : data_(boolean) {}
  Value(int64_t integer) : data_(integer) {}
  Value(double real) : data_(real) {}
  Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(std::shared_ptr<const List> list) : data_(std::move(list)) {}
  Value(std::shared_ptr<const Dict> dict) : data_(std::move(dict)) {}
  Value(std::shared_ptr<Iterator> iterator) : data_(std::move(iterator)) {}
  Value(Namespace* space) : data_(space) {}
  Value(std::shared_ptr<const Function> function) : data_(std::move(function)) {}
  Value(std::shared_ptr<Loop> loop) : data_(std::move(loop)) {}
  template <class T>
  Value(T*) = delete;  // no pointer becomes a boolean

  static Value undefined(std::string message) {
    Value value;
    value.data_ = Undefined{std::make_shared<const std::string>(std::move(message))};
    return value;
  }

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  bool is_boolean() const { return std::holds_alternative<bool>(data_); }
  bool is_integer() const { return std::holds_alternative<int64_t>(data_); }
  bool is_real() const { return std::holds_alternative<double>(data_); }
  bool is_string() const { return std::holds_alternative<std::shared_ptr<const std::string>>(data_); }
  // What Python's arithmetic takes: booleans, integers, reals; integral: without reals.
  bool is_integral() const { return is_boolean() || is_integer(); }
  bool is_number() const { return is_integral() || is_real(); }

  // The content, or nullptr where the value is of another kind.
  const List* list() const { return get<const List>(); }  // lists and tuples
  const Dict* dict() const { return get<const Dict>(); }
  Iterator* iterator() const { return get<Iterator>(); }
  const Function* function() const { return get<const Function>(); }
  const std::shared_ptr<Loop>* loop() const { return std::get_if<std::shared_ptr<Loop>>(&data_); }
  Namespace* space() const {
    const auto* found = std::get_if<Namespace*>(&data_);
    return found ? *found : nullptr;
  }

  // Expect the kind.
  bool boolean() const { return std::get<bool>(data_); }
  int64_t integer() const { return is_boolean() ? int64_t{boolean()} : std::get<int64_t>(data_); }
  double real() const { return is_real() ? std::get<double>(data_) : static_cast<double>(integer()); }
  const std::string& string() const { return *std::get<std::shared_ptr<const std::string>>(data_); }

  // Python's name of the kind, for errors: "str", "dict", …
  const char* kind() const;
  // How deep lists and dicts lie within this value; bounds every recursion over values.
  int depth() const;
  // Throws Fault with the message of an undefined value; nothing for others.
  void require_defined() const;

 private:
  template <class T>
  T* get() const {
    const auto* found = std::get_if<std::shared_ptr<T>>(&data_);
    return found ? found->get() : nullptr;
  }

  std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const std::string>, std::shared_ptr<const List>,
               std::shared_ptr<const Dict>, std::shared_ptr<Iterator>, Namespace*, std::shared_ptr<const Function>,
               std::shared_ptr<Loop>>
      data_;
};

struct List {
  Values items;
  bool tuple = false;
  int depth = 0;
};

// In order of insertion, as Python's.
struct Dict {
  std::vector<std::pair<Value, Value>> entries;
  std::map<std::string, size_t, std::less<>> strings;  // the entries with keys that are strings
  int depth = 0;

  // nullptr if there is none.
  const Value* find(std::string_view key) const;
};

// What Python's generators are: true whatever they hold, without length, and empty once read.
struct Iterator {
  Values items;
  size_t next = 0;
  int depth = 0;
};

struct Namespace {
  std::map<std::string, Value, std::less<>> attributes;
};

// The arguments of a call.
struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> keyword;
};

struct Function {
  std::string name;
  std::function<Value(Runtime&, const Arguments&)> call;
  int depth = 0;  // of a method: its object's depth plus one
};

// The variable `loop`.
struct Loop {
  Values items;
  size_t index0 = 0;
  int depth = 0;
};

// Make a value and account for it; Fault when it lies too deep.
Value make_string(Budget& budget, std::string text);
Value make_list(Budget& budget, Values items);
Value make_tuple(Budget& budget, Values items);
Value make_iterator(Budget& budget, Values items);
Value make_loop(Budget& budget, Values items);
// Of two equal keys the first one's place and the last one's value stay.
Value make_dict(Budget& budget, std::vector<std::pair<Value, Value>> entries);
Value make_method(Budget& budget, const Value& object, std::string name,
                  std::function<Value(Runtime&, const Arguments&)> call);

}  // namespace tern::jinja
