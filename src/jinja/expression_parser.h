// SPDX-License-Identifier: Apache-2.0
// The grammar of expressions; the parser of statements stands on it.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/lexer.h"
#include "jinja/syntax.h"

namespace tern::jinja {

class ExpressionParser {
 protected:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  // Which of a macro's special names a body mentions.
  struct Mentions {
    bool varargs = false, kwargs = false, caller = false;
  };

  const Token& current() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool at_type(Token::Type type) const { return current().type == type; }
  bool at_op(std::string_view op) const { return current().type == Token::Type::op && current().text == op; }
  bool at_name(std::string_view name) const { return current().type == Token::Type::name && current().text == name; }
  bool skip_op(std::string_view op);
  bool skip_name(std::string_view name);
  void expect_op(std::string_view op);
  void expect(Token::Type type, std::string_view described);
  std::string expect_name();
  [[noreturn]] void fail(const std::string& message) const { throw SyntaxFault{current().line, message}; }
  [[noreturn]] void fail_expected(std::string_view expected) const;

  ExpressionPtr parse_expression(bool conditional = true);
  // One expression or, with commas, a tuple; ends before `end`, too, if that is given.
  ExpressionPtr parse_tuple(bool conditional, std::string_view end = {}, bool parenthesized = false);
  // What may stand left of = or between for and in; `attributes`: namespace attributes, too.
  ExpressionPtr parse_target(std::string_view end = {}, bool attributes = false);
  // One or more filters after |; `first`: the first of them stands without its |.
  ExpressionPtr parse_filters(ExpressionPtr input, bool first = false);

  // Counts what the parser is within, for as long as it is.
  class Deeper {
   public:
    explicit Deeper(ExpressionParser& parser);
    ~Deeper() { --parser_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    ExpressionParser& parser_;
  };

  std::vector<Mentions> mentions_;  // of the macros that are open

 private:
  using Node = std::unique_ptr<Expression>;
  Node node(Expression::Kind kind, std::string text = {}) const;
  // Adds to the node's operands, keeping account of the height.
  void adopt(Expression& parent, ExpressionPtr child) const;
  ExpressionPtr finish(Node node) const;
  ExpressionPtr binary(Expression::Kind kind, std::string op, ExpressionPtr left, ExpressionPtr right) const;

  ExpressionPtr parse_or();
  ExpressionPtr parse_and();
  ExpressionPtr parse_not();
  ExpressionPtr parse_compare();
  ExpressionPtr parse_sum();
  ExpressionPtr parse_concat();
  ExpressionPtr parse_product();
  ExpressionPtr parse_power();
  ExpressionPtr parse_unary(bool with_filter = true);
  ExpressionPtr parse_primary();
  ExpressionPtr parse_name();
  ExpressionPtr parse_list();
  ExpressionPtr parse_dict();
  ExpressionPtr parse_postfix(ExpressionPtr node);
  ExpressionPtr parse_subscript(ExpressionPtr object);
  ExpressionPtr parse_filter_expression(ExpressionPtr node);
  ExpressionPtr parse_call(ExpressionPtr callee);
  ExpressionPtr parse_test(ExpressionPtr node);
  void parse_arguments(Expression& call);
  void parse_argument(Expression& call);
  ExpressionPtr parse_target_part(bool attributes);
  bool at_tuple_end(std::string_view end) const;

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace tern::jinja
