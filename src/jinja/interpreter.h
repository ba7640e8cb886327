// SPDX-License-Identifier: Apache-2.0
// Walks a template's syntax tree and writes its text.
#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "jinja/runtime.h"
#include "jinja/syntax.h"

namespace tern::jinja {

class Interpreter {
 public:
  explicit Interpreter(Runtime& runtime) : runtime_(runtime) {}
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  // The text of a template whose variables are the dicts', later ones first. Throws Fault; runtime.line tells where.
  std::string run(const Block& block, const Values& dicts);

 private:
  // Names and what they stand for; those of the scopes around it are seen, too.
  struct Scope {
    Scope* parent = nullptr;
    std::map<std::string, Value, std::less<>> names;
    bool kept = false;  // a macro that was made within holds the scope by its address
  };
  // A scope for as long as the object lives, or as the interpreter does if a macro came to hold it.
  class Within;
  class Deeper;

  enum class Flow { next, leave_loop, next_turn };

  // statements.cpp
  Flow run_block(const Block& block);
  Flow run_statement(const Statement& statement);
  Flow run_for(const Statement& statement);
  Flow run_turns(const Statement& statement, const Value& loop);
  Flow run_with(const Statement& statement);
  Flow run_captured(const Statement& statement, std::string& text);
  Flow run_set_block(const Statement& statement);
  void print(const Value& value);
  void write(std::string_view text);
  void assign(const Expression& target, Value value);
  Value filtered(const Expression* filter, std::string text);
  Value make_macro(const Statement& statement, std::string name);
  Value call_macro(const Statement& statement, Scope* around, const std::string& name, const Arguments& arguments);
  void bind_parameters(const Statement& statement, const std::string& name, const Arguments& arguments);
  void bind_extras(const Statement& statement, const std::string& name, const Arguments& arguments);

  // expressions.cpp
  Value evaluate(const Expression& expression);
  Value evaluate_compound(const Expression& expression);
  Value look_up(const std::string& name);
  Value evaluate_call(const Expression& expression, const Value* caller = nullptr);
  Value evaluate_filter(const Expression& expression, const Value& input);
  Value evaluate_test(const Expression& expression);
  Value evaluate_slice(const Expression& expression);
  Value evaluate_dict(const Expression& expression);
  Value evaluate_concat(const Expression& expression);
  Value evaluate_compare(const Expression& expression);
  Values evaluate_all(const std::vector<ExpressionPtr>& expressions);
  Arguments evaluate_arguments(const CallArguments& arguments);

  Runtime& runtime_;
  Scope* scope_ = nullptr;
  std::string* out_ = nullptr;
  std::vector<std::unique_ptr<Scope>> kept_;
  int depth_ = 0;
};

class Interpreter::Within {
 public:
  Within(Interpreter& interpreter, Scope* parent)
      : interpreter_(interpreter), before_(interpreter.scope_), scope_(std::make_unique<Scope>()) {
    scope_->parent = parent;
    interpreter_.scope_ = scope_.get();
  }
  ~Within() {
    interpreter_.scope_ = before_;
    if (scope_->kept) interpreter_.kept_.push_back(std::move(scope_));
  }
  Within(const Within&) = delete;
  Within& operator=(const Within&) = delete;

 private:
  Interpreter& interpreter_;
  Scope* before_;
  std::unique_ptr<Scope> scope_;
};

class Interpreter::Deeper {
 public:
  explicit Deeper(Interpreter& interpreter) : interpreter_(interpreter) {
    interpreter_.runtime_.budget.step();
    if (interpreter_.depth_ == kMaxCallDepth)
      throw Fault("expected less nesting, got more levels than the limit allows");
    ++interpreter_.depth_;
  }
  ~Deeper() { --interpreter_.depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

 private:
  Interpreter& interpreter_;
};

}  // namespace tern::jinja
