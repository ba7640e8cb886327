// SPDX-License-Identifier: Apache-2.0
// The interpreter's half for statements.
#include <algorithm>

#include "jinja/interpreter.h"
#include "jinja/operators.h"
#include "jinja/print.h"

namespace tern::jinja {
namespace {

using Kind = Statement::Kind;

// Puts a value in place for as long as it lives.
template <class T>
class Instead {
 public:
  Instead(T& place, T value) : place_(place), before_(std::exchange(place, value)) {}
  ~Instead() { place_ = before_; }
  Instead(const Instead&) = delete;
  Instead& operator=(const Instead&) = delete;

 private:
  T& place_;
  T before_;
};

}  // namespace

std::string Interpreter::run(const Block& block, const Values& dicts) {
  std::string text;
  const Instead<std::string*> output(out_, &text);
  const Within scope(*this, nullptr);
  for (const Value& dict : dicts) {
    for (const auto& [name, value] : dict.dict()->entries) scope_->names.insert_or_assign(name.string(), value);
  }
  const Within top(*this, scope_);
  run_block(block);
  return text;
}

void Interpreter::write(std::string_view text) {
  runtime_.budget.make(text.size());
  out_->append(text);
}

void Interpreter::print(const Value& value) {
  if (value.is_string()) return write(value.string());
  write(to_text(runtime_.budget, value));
}

Interpreter::Flow Interpreter::run_block(const Block& block) {
  for (const auto& statement : block) {
    const Flow flow = run_statement(*statement);
    if (flow != Flow::next) return flow;
  }
  return Flow::next;
}

Interpreter::Flow Interpreter::run_statement(const Statement& statement) {
  const Deeper deeper(*this);
  runtime_.line = statement.line;
  switch (statement.kind) {
    case Kind::text:
      write(statement.text);
      return Flow::next;
    case Kind::print:
      print(evaluate(*statement.value));
      return Flow::next;
    case Kind::if_else:
      return run_block(is_true(evaluate(*statement.value)) ? statement.body : statement.otherwise);
    case Kind::for_loop:
      return run_for(statement);
    case Kind::set:
      assign(*statement.target, evaluate(*statement.value));
      return Flow::next;
    case Kind::set_block:
      return run_set_block(statement);
    case Kind::macro:
      runtime_.budget.make(64 + statement.text.size());
      scope_->names.insert_or_assign(statement.text, make_macro(statement, statement.text));
      return Flow::next;
    case Kind::call_block: {
      const Value caller = make_macro(statement, "caller");
      print(evaluate_call(*statement.value, &caller));
      return Flow::next;
    }
    case Kind::filter_block: {
      std::string text;
      const Flow flow = run_captured(statement, text);
      if (flow == Flow::next) print(filtered(statement.filter.get(), std::move(text)));
      return flow;
    }
    case Kind::with_block:
      return run_with(statement);
    case Kind::scope: {
      const Within scope(*this, scope_);
      return run_block(statement.body);
    }
    case Kind::break_loop:
      return Flow::leave_loop;
    case Kind::continue_loop:
      return Flow::next_turn;
  }
  return Flow::next;
}

void Interpreter::assign(const Expression& target, Value value) {
  runtime_.budget.make(64);
  if (target.kind == Expression::Kind::name) {
    scope_->names.insert_or_assign(target.text, std::move(value));
  } else if (target.kind == Expression::Kind::attribute) {
    const Value object = look_up(target.operands[0]->text);
    object.require_defined();
    if (!object.space()) {
      throw Fault("expected a namespace to set \"" + target.text + "\" of, got a " + object.kind());
    }
    object.space()->attributes.insert_or_assign(target.text, std::move(value));
  } else {
    Values parts = iterate(runtime_.budget, value);
    if (parts.size() != target.operands.size()) {
      throw Fault("expected " + std::to_string(target.operands.size()) + " values to unpack, got " +
                  std::to_string(parts.size()));
    }
    for (size_t i = 0; i < parts.size(); ++i) assign(*target.operands[i], std::move(parts[i]));
  }
}

Interpreter::Flow Interpreter::run_for(const Statement& statement) {
  Values items = iterate(runtime_.budget, evaluate(*statement.value));
  if (statement.condition) {
    Values chosen;
    for (Value& item : items) {
      const Within scope(*this, scope_);
      assign(*statement.target, item);
      if (is_true(evaluate(*statement.condition))) chosen.push_back(std::move(item));
    }
    items = std::move(chosen);
  }
  if (items.empty()) {
    const Within scope(*this, scope_);
    return run_block(statement.otherwise);
  }
  return run_turns(statement, make_loop(runtime_.budget, std::move(items)));
}

Interpreter::Flow Interpreter::run_turns(const Statement& statement, const Value& loop) {
  const std::shared_ptr<Loop>& state = *loop.loop();
  for (; state->index0 < state->items.size(); ++state->index0) {
    runtime_.budget.step();
    const Within scope(*this, scope_);
    assign(*statement.target, state->items[state->index0]);
    scope_->names.insert_or_assign("loop", loop);
    if (run_block(statement.body) == Flow::leave_loop) break;
  }
  return Flow::next;
}

Interpreter::Flow Interpreter::run_with(const Statement& statement) {
  Values values;
  for (const auto& binding : statement.bindings) values.push_back(evaluate(*binding.second));
  const Within scope(*this, scope_);
  for (size_t i = 0; i < values.size(); ++i) assign(*statement.bindings[i].first, std::move(values[i]));
  return run_block(statement.body);
}

Interpreter::Flow Interpreter::run_captured(const Statement& statement, std::string& text) {
  const Instead<std::string*> output(out_, &text);
  const Within scope(*this, scope_);
  return run_block(statement.body);
}

Value Interpreter::filtered(const Expression* filter, std::string text) {
  if (!filter) return make_string(runtime_.budget, std::move(text));
  const Value input = filtered(filter->operands[0].get(), std::move(text));
  return evaluate_filter(*filter, input);
}

Interpreter::Flow Interpreter::run_set_block(const Statement& statement) {
  std::string text;
  const Flow flow = run_captured(statement, text);
  if (flow == Flow::next) assign(*statement.target, filtered(statement.filter.get(), std::move(text)));
  return flow;
}

Value Interpreter::make_macro(const Statement& statement, std::string name) {
  runtime_.budget.make(256);
  for (Scope* scope = scope_; scope && !scope->kept; scope = scope->parent) scope->kept = true;
  auto call = [this, &statement, around = scope_, name](Runtime&, const Arguments& arguments) {
    return call_macro(statement, around, name, arguments);
  };
  return std::make_shared<const Function>(Function{std::move(name), std::move(call), 0});
}

Value Interpreter::call_macro(const Statement& statement, Scope* around, const std::string& name,
                              const Arguments& arguments) {
  const Deeper deeper(*this);
  std::string text;
  const Instead<std::string*> output(out_, &text);
  const Within scope(*this, around);
  bind_parameters(statement, name, arguments);
  bind_extras(statement, name, arguments);
  run_block(statement.body);
  return make_string(runtime_.budget, std::move(text));
}

void Interpreter::bind_parameters(const Statement& statement, const std::string& name, const Arguments& arguments) {
  const auto& parameters = statement.parameters;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Value* given = i < arguments.positional.size() ? &arguments.positional[i] : nullptr;
    for (const auto& [keyword, value] : arguments.keyword) {
      if (keyword != parameters[i].name) continue;
      if (given) throw Fault("expected " + name + "() with one argument \"" + keyword + "\", got two");
      given = &value;
    }
    Value value =
        given ? *given
              : Value::undefined("expected " + name + "() with an argument \"" + parameters[i].name + "\", got none");
    if (!given && parameters[i].otherwise) value = evaluate(*parameters[i].otherwise);
    scope_->names.insert_or_assign(parameters[i].name, std::move(value));
  }
}

// varargs, kwargs and caller, for a body that uses them; Fault for arguments that nothing takes.
void Interpreter::bind_extras(const Statement& statement, const std::string& name, const Arguments& arguments) {
  const auto& parameters = statement.parameters;
  const auto is_parameter = [&](const std::string& keyword) {
    return std::any_of(parameters.begin(), parameters.end(), [&](const Parameter& one) { return one.name == keyword; });
  };
  Values varargs;
  for (size_t i = parameters.size(); i < arguments.positional.size(); ++i) varargs.push_back(arguments.positional[i]);
  std::vector<std::pair<Value, Value>> kwargs;
  Value caller = Value::undefined("expected a caller, got none");
  for (const auto& [keyword, value] : arguments.keyword) {
    if (is_parameter(keyword)) continue;
    if (keyword == "caller" && statement.uses_caller) {
      caller = value;
    } else {
      kwargs.emplace_back(make_string(runtime_.budget, keyword), value);
    }
  }
  if (!varargs.empty() && !statement.uses_varargs) {
    throw Fault("expected " + name + "() with at most " + std::to_string(parameters.size()) + " arguments, got " +
                std::to_string(arguments.positional.size()));
  }
  if (!kwargs.empty() && !statement.uses_kwargs) {
    throw Fault("expected " + name + "() without an argument \"" + kwargs[0].first.string() + "\", got one");
  }
  auto& names = scope_->names;
  if (statement.uses_varargs) names.insert_or_assign("varargs", make_tuple(runtime_.budget, std::move(varargs)));
  if (statement.uses_kwargs) names.insert_or_assign("kwargs", make_dict(runtime_.budget, std::move(kwargs)));
  if (statement.uses_caller && !is_parameter("caller")) names.insert_or_assign("caller", std::move(caller));
}

}  // namespace tern::jinja
