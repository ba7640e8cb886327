// SPDX-License-Identifier: Apache-2.0
#include "jinja/parser.h"

#include "jinja/expression_parser.h"

namespace tern::jinja {
namespace {

using Kind = Statement::Kind;
using Type = Token::Type;

class Parser : private ExpressionParser {
 public:
  explicit Parser(std::vector<Token> tokens) : ExpressionParser(std::move(tokens)) {}

  Block run() { return parse_block({}); }

 private:
  using Node = std::unique_ptr<Statement>;

  Node node(Kind kind) const {
    auto result = std::make_unique<Statement>();
    result->kind = kind;
    result->line = current().line;
    return result;
  }

  // Statements up to a tag that is one of `ends`, which is left for the caller to take; at the top up to the end.
  Block parse_block(std::initializer_list<std::string_view> ends) {
    const Deeper deeper(*this);
    Block block;
    while (!at_type(Type::end)) {
      if (at_type(Type::data)) {
        Node text = node(Kind::text);
        text->text = next().text;
        block.push_back(std::move(text));
      } else if (at_type(Type::variable_begin)) {
        next();
        Node print = node(Kind::print);
        print->value = parse_tuple(true);
        expect(Type::variable_end, "}}");
        block.push_back(std::move(print));
      } else {
        expect(Type::block_begin, "{%");
        for (const std::string_view end : ends) {
          if (at_name(end)) return block;
        }
        if (!at_type(Type::name)) fail_expected("a tag");
        parse_statement(ends, block);
        expect(Type::block_end, "%}");
      }
    }
    if (ends.size() > 0) fail("expected {% " + std::string(*(ends.end() - 1)) + " %}, got the end of the template");
    return block;
  }
  // The rest of an opening tag and the statements up to one of `ends`.
  Block parse_body(std::initializer_list<std::string_view> ends) {
    skip_op(":");
    expect(Type::block_end, "%}");
    return parse_block(ends);
  }
  // A body with nothing but its end tag after it.
  Block parse_whole_body(std::string_view end) {
    Block body = parse_body({end});
    next();
    return body;
  }

  void parse_statement(std::initializer_list<std::string_view> ends, Block& block) {
    Node result = node(Kind::scope);
    const std::string tag = next().text;
    if (tag == "if") {
      parse_if(*result);
    } else if (tag == "for") {
      parse_for(*result);
    } else if (tag == "set") {
      parse_set(*result);
    } else if (tag == "macro") {
      result->kind = Kind::macro;
      result->text = expect_name();
      parse_parameters(*result);
      parse_closed_body(*result, "endmacro");
    } else if (tag == "call") {
      parse_call_block(*result);
    } else if (tag == "filter") {
      result->kind = Kind::filter_block;
      result->filter = parse_filters(nullptr, true);
      result->body = parse_whole_body("endfilter");
    } else if (tag == "with") {
      parse_with(*result);
    } else if (tag == "generation") {
      parse_closed_body(*result, "endgeneration");
    } else if (tag == "break" || tag == "continue") {
      if (loops_ == 0) fail("expected {% " + tag + " %} within a loop");
      result->kind = tag == "break" ? Kind::break_loop : Kind::continue_loop;
    } else if (tag == "print") {
      return parse_print(block);
    } else {
      fail_tag(tag, ends);
    }
    block.push_back(std::move(result));
  }

  [[noreturn]] void fail_tag(const std::string& tag, std::initializer_list<std::string_view> ends) {
    std::string expected = "a tag that templates of chats may use";
    for (const std::string_view end : ends) expected += " or " + std::string(end);
    fail("expected " + expected + ", got \"" + tag.substr(0, 60) + "\"");
  }

  // if and elif alike: the tags up to and with endif.
  void parse_if(Statement& statement) {
    const Deeper deeper(*this);
    statement.kind = Kind::if_else;
    statement.value = parse_tuple(false);
    statement.body = parse_body({"elif", "else", "endif"});
    const std::string end = next().text;
    if (end == "elif") {
      Node rest = node(Kind::if_else);
      parse_if(*rest);
      statement.otherwise.push_back(std::move(rest));
    } else if (end == "else") {
      statement.otherwise = parse_whole_body("endif");
    }
  }

  void parse_for(Statement& statement) {
    statement.kind = Kind::for_loop;
    statement.target = parse_target("in");
    if (!skip_name("in")) fail_expected("in");
    statement.value = parse_tuple(false, "recursive");
    if (skip_name("if")) statement.condition = parse_expression();
    if (at_name("recursive")) fail("expected a loop that does not call itself, got \"recursive\"");
    ++loops_;
    statement.body = parse_body({"else", "endfor"});
    --loops_;
    if (next().text == "else") statement.otherwise = parse_whole_body("endfor");
  }

  void parse_set(Statement& statement) {
    statement.target = parse_target({}, true);
    if (skip_op("=")) {
      statement.kind = Kind::set;
      statement.value = parse_tuple(true);
      return;
    }
    statement.kind = Kind::set_block;
    statement.filter = parse_filters(nullptr);
    statement.body = parse_whole_body("endset");
  }

  void parse_parameters(Statement& statement) {
    expect_op("(");
    while (!at_op(")")) {
      Parameter parameter{expect_name(), nullptr};
      if (skip_op("=")) {
        parameter.otherwise = parse_expression();
      } else if (!statement.parameters.empty() && statement.parameters.back().otherwise) {
        fail("expected parameters without a default before those with one");
      }
      statement.parameters.push_back(std::move(parameter));
      if (!at_op(")")) expect_op(",");
    }
    next();
  }

  // A body that is called: loops around it are none of its own.
  void parse_closed_body(Statement& statement, std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    mentions_.emplace_back();
    statement.body = parse_whole_body(end);
    statement.uses_varargs = mentions_.back().varargs;
    statement.uses_kwargs = mentions_.back().kwargs;
    statement.uses_caller = mentions_.back().caller;
    mentions_.pop_back();
    loops_ = loops;
  }

  void parse_call_block(Statement& statement) {
    statement.kind = Kind::call_block;
    if (at_op("(")) parse_parameters(statement);
    statement.value = parse_expression();
    if (statement.value->kind != Expression::Kind::call) fail_expected("a call");
    parse_closed_body(statement, "endcall");
  }

  void parse_with(Statement& statement) {
    statement.kind = Kind::with_block;
    while (!at_type(Type::block_end)) {
      if (!statement.bindings.empty()) expect_op(",");
      ExpressionPtr target = parse_target();
      expect_op("=");
      statement.bindings.emplace_back(std::move(target), parse_expression());
    }
    statement.body = parse_whole_body("endwith");
  }

  void parse_print(Block& block) {
    while (!at_type(Type::block_end)) {
      Node print = node(Kind::print);
      print->value = parse_expression();
      block.push_back(std::move(print));
      if (!at_type(Type::block_end)) expect_op(",");
    }
  }

  int loops_ = 0;  // around the current statement
};

}  // namespace

Block parse(std::string_view source) { return Parser(tokenize(source)).run(); }

}  // namespace tern::jinja
