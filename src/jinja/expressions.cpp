// SPDX-License-Identifier: Apache-2.0
// The interpreter's half for expressions.
#include "jinja/interpreter.h"
#include "jinja/operators.h"
#include "jinja/print.h"

namespace tern::jinja {

using Kind = Expression::Kind;

Value Interpreter::look_up(const std::string& name) {
  for (const Scope* scope = scope_; scope; scope = scope->parent) {
    const auto found = scope->names.find(name);
    if (found != scope->names.end()) return found->second;
  }
  Value function = find_function(name);
  if (function.function()) return function;
  runtime_.budget.make(64 + name.size());
  return Value::undefined("expected a value, got \"" + name + "\", which is undefined");
}

Values Interpreter::evaluate_all(const std::vector<ExpressionPtr>& expressions) {
  Values values;
  values.reserve(expressions.size());
  for (const ExpressionPtr& expression : expressions) values.push_back(evaluate(*expression));
  return values;
}

Arguments Interpreter::evaluate_arguments(const CallArguments& arguments) {
  Arguments result{evaluate_all(arguments.positional), {}};
  for (const auto& [name, value] : arguments.keyword) result.keyword.emplace_back(name, evaluate(*value));
  if (arguments.star) {
    for (Value& value : iterate(runtime_.budget, evaluate(*arguments.star)))
      result.positional.push_back(std::move(value));
  }
  if (arguments.double_star) {
    const Value names = evaluate(*arguments.double_star);
    if (!names.dict()) throw Fault(std::string("expected a dict after **, got a ") + names.kind());
    for (const auto& [name, value] : names.dict()->entries) {
      if (!name.is_string()) throw Fault("expected a dict with strings as keys after **");
      result.keyword.emplace_back(name.string(), value);
    }
  }
  runtime_.budget.make((result.positional.size() + result.keyword.size()) * sizeof(Value));
  return result;
}

Value Interpreter::evaluate_call(const Expression& expression, const Value* caller) {
  const Value callee = evaluate(*expression.operands[0]);
  Arguments arguments = evaluate_arguments(expression.arguments);
  if (caller) arguments.keyword.emplace_back("caller", *caller);
  callee.require_defined();
  if (!callee.function()) throw Fault(std::string("expected a function to call, got a ") + callee.kind());
  runtime_.line = expression.line;
  return callee.function()->call(runtime_, arguments);
}

Value Interpreter::evaluate_filter(const Expression& expression, const Value& input) {
  const Arguments arguments = evaluate_arguments(expression.arguments);
  runtime_.line = expression.line;
  if (!expression.filter)
    throw Fault("expected a filter, got \"" + expression.text.substr(0, 60) + "\", which is none");
  if (input.is_string()) runtime_.budget.scan(input.string().size());
  return expression.filter(runtime_, input, arguments);
}

Value Interpreter::evaluate_test(const Expression& expression) {
  const Value input = evaluate(*expression.operands[0]);
  const Arguments arguments = evaluate_arguments(expression.arguments);
  runtime_.line = expression.line;
  if (!expression.test) throw Fault("expected a test, got \"" + expression.text.substr(0, 60) + "\", which is none");
  return expression.test(runtime_, input, arguments);
}

Value Interpreter::evaluate_slice(const Expression& expression) {
  const auto part = [&](size_t i) {
    return expression.operands[i] ? evaluate(*expression.operands[i]) : Value(None{});
  };
  const Value object = part(0), start = part(1), stop = part(2), step = part(3);
  return get_slice(runtime_, object, start, stop, step);
}

Value Interpreter::evaluate_dict(const Expression& expression) {
  std::vector<std::pair<Value, Value>> entries;
  for (size_t i = 0; i < expression.operands.size(); i += 2) {
    Value key = evaluate(*expression.operands[i]);
    entries.emplace_back(std::move(key), evaluate(*expression.operands[i + 1]));
  }
  return make_dict(runtime_.budget, std::move(entries));
}

Value Interpreter::evaluate_concat(const Expression& expression) {
  std::string text;
  for (const ExpressionPtr& operand : expression.operands) text += to_text(runtime_.budget, evaluate(*operand));
  return make_string(runtime_.budget, std::move(text));
}

Value Interpreter::evaluate_compare(const Expression& expression) {
  Value left = evaluate(*expression.operands[0]);
  for (size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = evaluate(*expression.operands[i + 1]);
    const std::string& op = expression.operators[i];
    const bool holds = op == "in"       ? contains(runtime_.budget, right, left)
                       : op == "not in" ? !contains(runtime_.budget, right, left)
                                        : compare(runtime_.budget, op, left, right);
    if (!holds) return false;
    left = std::move(right);
  }
  return true;
}

Value Interpreter::evaluate_compound(const Expression& expression) {
  switch (expression.kind) {
    case Kind::list:
      return make_list(runtime_.budget, evaluate_all(expression.operands));
    case Kind::tuple:
      return make_tuple(runtime_.budget, evaluate_all(expression.operands));
    case Kind::dict:
      return evaluate_dict(expression);
    case Kind::slice:
      return evaluate_slice(expression);
    case Kind::concat:
      return evaluate_concat(expression);
    case Kind::compare:
      return evaluate_compare(expression);
    case Kind::conditional:
      if (is_true(evaluate(*expression.operands[1]))) return evaluate(*expression.operands[0]);
      if (expression.operands[2]) return evaluate(*expression.operands[2]);
      return Value::undefined("expected a value, got none from an if without else");
    default:
      break;
  }
  const Value operand = evaluate(*expression.operands[0]);
  if (expression.kind == Kind::negate) return negate(operand);
  operand.require_defined();
  if (!operand.is_number()) throw Fault(std::string("expected a number after +, got a ") + operand.kind());
  return operand.is_integral() ? Value(operand.integer()) : operand;
}

Value Interpreter::evaluate(const Expression& expression) {
  const Deeper deeper(*this);
  runtime_.line = expression.line;
  const auto operand = [&](size_t i) { return evaluate(*expression.operands[i]); };
  switch (expression.kind) {
    case Kind::constant:
      return expression.value;
    case Kind::name:
      return look_up(expression.text);
    case Kind::attribute:
      return get_attribute(runtime_, operand(0), expression.text);
    case Kind::item: {
      const Value object = operand(0);
      return get_item(runtime_, object, operand(1));
    }
    case Kind::call:
      return evaluate_call(expression);
    case Kind::filter:
      return evaluate_filter(expression, operand(0));
    case Kind::test:
      return evaluate_test(expression);
    case Kind::arithmetic: {
      const Value left = operand(0);
      return arithmetic(runtime_.budget, expression.text, left, operand(1));
    }
    case Kind::logical_not:
      return !is_true(operand(0));
    case Kind::logical_and: {
      Value left = operand(0);
      return is_true(left) ? operand(1) : left;
    }
    case Kind::logical_or: {
      Value left = operand(0);
      return is_true(left) ? left : operand(1);
    }
    default:
      return evaluate_compound(expression);
  }
}

}  // namespace tern::jinja
