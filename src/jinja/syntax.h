// SPDX-License-Identifier: Apache-2.0
// The syntax tree of a template.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "jinja/builtins.h"
#include "jinja/value.h"

namespace tern::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> keyword;
  ExpressionPtr star, double_star;  // *list, **dict; or null
};

struct Expression {
  enum class Kind : uint8_t {
    constant,    // value
    name,        // text
    attribute,   // operands[0] . text
    item,        // operands[0] [operands[1]]
    slice,       // operands[0] [operands[1] : operands[2] : operands[3]], each of them may be null
    call,        // operands[0] (arguments)
    filter,      // operands[0] | text (arguments); operands[0] is null in {% filter %} and {% set | %}
    test,        // operands[0] is text (arguments)
    list,        // operands
    tuple,       // operands
    dict,        // operands: key, value, key, value, …
    concat,      // operands joined by ~
    arithmetic,  // operands[0] text operands[1]
    compare,     // operands[0] operators[0] operands[1] operators[1] operands[2] …
    negate,      // - operands[0]
    plus,        // + operands[0]
    logical_not,
    logical_and,
    logical_or,
    conditional,  // operands[0] if operands[1] else operands[2], which may be null
  };
  Kind kind;
  int line;
  std::string text;
  Value value;
  std::vector<ExpressionPtr> operands;
  std::vector<std::string> operators;
  CallArguments arguments;
  Filter filter = nullptr;  // of text; null: unknown, which matters only when it is evaluated
  Test test = nullptr;
  int height = 1;  // of the tree below
};

struct Statement;
using Block = std::vector<std::unique_ptr<const Statement>>;

struct Parameter {
  std::string name;
  ExpressionPtr otherwise;  // or null
};

struct Statement {
  enum class Kind : uint8_t {
    text,          // text
    print,         // value
    if_else,       // value, body, otherwise
    for_loop,      // target in value if condition: body, else: otherwise
    set,           // target = value
    set_block,     // target = body | filter
    macro,         // text (parameters): body
    call_block,    // value is the call, body with parameters its caller
    filter_block,  // body | filter
    with_block,    // targets = values: body
    scope,         // body in a scope of its own
    break_loop,
    continue_loop,
  };
  Kind kind;
  int line;
  std::string text;
  ExpressionPtr target, value, condition, filter;
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> bindings;  // of with_block
  std::vector<Parameter> parameters;
  bool uses_varargs = false, uses_kwargs = false, uses_caller = false;  // by the body of a macro or call_block
  Block body, otherwise;
};

}  // namespace tern::jinja
