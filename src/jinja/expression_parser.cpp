// SPDX-License-Identifier: Apache-2.0
#include "jinja/expression_parser.h"

#include <algorithm>
#include <charconv>

namespace tern::jinja {
namespace {

using Kind = Expression::Kind;
using Type = Token::Type;

std::string describe(const Token& token) {
  switch (token.type) {
    case Type::end:
      return "the end of the template";
    case Type::data:
      return "text";
    case Type::variable_begin:
      return "{{";
    case Type::variable_end:
      return "}}";
    case Type::block_begin:
      return "{%";
    case Type::block_end:
      return "%}";
    default:
      return "\"" + token.text.substr(0, 60) + "\"";
  }
}

}  // namespace

ExpressionParser::Deeper::Deeper(ExpressionParser& parser) : parser_(parser) {
  if (parser_.depth_ == kMaxSyntaxDepth) parser_.fail("expected less nesting, got more levels than the limit allows");
  ++parser_.depth_;
}

bool ExpressionParser::skip_op(std::string_view op) {
  if (!at_op(op)) return false;
  next();
  return true;
}

bool ExpressionParser::skip_name(std::string_view name) {
  if (!at_name(name)) return false;
  next();
  return true;
}

void ExpressionParser::expect_op(std::string_view op) {
  if (!skip_op(op)) fail_expected(op);
}

void ExpressionParser::expect(Type type, std::string_view described) {
  if (!at_type(type)) fail_expected(described);
  next();
}

std::string ExpressionParser::expect_name() {
  if (!at_type(Type::name)) fail_expected("a name");
  return next().text;
}

void ExpressionParser::fail_expected(std::string_view expected) const {
  fail("expected " + std::string(expected) + ", got " + describe(current()));
}

ExpressionParser::Node ExpressionParser::node(Kind kind, std::string text) const {
  auto result = std::make_unique<Expression>();
  result->kind = kind;
  result->line = current().line;
  result->text = std::move(text);
  return result;
}

void ExpressionParser::adopt(Expression& parent, ExpressionPtr child) const {
  if (child) {
    parent.height = std::max(parent.height, child->height + 1);
    if (parent.height > 2 * kMaxSyntaxDepth)
      fail("expected a shorter expression, got one longer than the limit allows");
  }
  parent.operands.push_back(std::move(child));
}

ExpressionPtr ExpressionParser::finish(Node node) const { return node; }

ExpressionPtr ExpressionParser::binary(Kind kind, std::string op, ExpressionPtr left, ExpressionPtr right) const {
  Node result = node(kind, std::move(op));
  adopt(*result, std::move(left));
  adopt(*result, std::move(right));
  return result;
}

ExpressionPtr ExpressionParser::parse_expression(bool conditional) {
  const Deeper deeper(*this);
  ExpressionPtr value = parse_or();
  while (conditional && skip_name("if")) {
    Node result = node(Kind::conditional);
    adopt(*result, std::move(value));
    adopt(*result, parse_or());
    adopt(*result, skip_name("else") ? parse_expression() : nullptr);
    value = std::move(result);
  }
  return value;
}

ExpressionPtr ExpressionParser::parse_or() {
  ExpressionPtr left = parse_and();
  while (skip_name("or")) left = binary(Kind::logical_or, "or", std::move(left), parse_and());
  return left;
}

ExpressionPtr ExpressionParser::parse_and() {
  ExpressionPtr left = parse_not();
  while (skip_name("and")) left = binary(Kind::logical_and, "and", std::move(left), parse_not());
  return left;
}

ExpressionPtr ExpressionParser::parse_not() {
  if (!at_name("not")) return parse_compare();
  const Deeper deeper(*this);
  Node result = node(Kind::logical_not);
  next();
  adopt(*result, parse_not());
  return result;
}

ExpressionPtr ExpressionParser::parse_compare() {
  ExpressionPtr first = parse_sum();
  Node result = node(Kind::compare);
  const auto is_comparison = [&] {
    static constexpr std::string_view kOperators[] = {"==", "!=", "<", "<=", ">", ">="};
    return std::any_of(std::begin(kOperators), std::end(kOperators), [&](std::string_view op) { return at_op(op); });
  };
  for (;;) {
    if (is_comparison()) {
      result->operators.push_back(next().text);
    } else if (skip_name("in")) {
      result->operators.emplace_back("in");
    } else if (at_name("not") && ahead().type == Type::name && ahead().text == "in") {
      next();
      next();
      result->operators.emplace_back("not in");
    } else {
      break;
    }
    if (result->operands.empty()) adopt(*result, std::move(first));
    adopt(*result, parse_sum());
  }
  return result->operands.empty() ? std::move(first) : finish(std::move(result));
}

ExpressionPtr ExpressionParser::parse_sum() {
  ExpressionPtr left = parse_concat();
  while (at_op("+") || at_op("-")) {
    std::string op = next().text;
    left = binary(Kind::arithmetic, std::move(op), std::move(left), parse_concat());
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_concat() {
  ExpressionPtr first = parse_product();
  if (!at_op("~")) return first;
  Node result = node(Kind::concat);
  adopt(*result, std::move(first));
  while (skip_op("~")) adopt(*result, parse_product());
  return result;
}

ExpressionPtr ExpressionParser::parse_product() {
  ExpressionPtr left = parse_power();
  while (at_op("*") || at_op("/") || at_op("//") || at_op("%")) {
    std::string op = next().text;
    left = binary(Kind::arithmetic, std::move(op), std::move(left), parse_power());
  }
  return left;
}

ExpressionPtr ExpressionParser::parse_power() {
  ExpressionPtr left = parse_unary();
  while (skip_op("**")) left = binary(Kind::arithmetic, "**", std::move(left), parse_unary());
  return left;
}

ExpressionPtr ExpressionParser::parse_unary(bool with_filter) {
  ExpressionPtr result;
  if (at_op("-") || at_op("+")) {
    const Deeper deeper(*this);
    Node sign = node(at_op("-") ? Kind::negate : Kind::plus);
    next();
    adopt(*sign, parse_unary(false));
    result = std::move(sign);
  } else {
    result = parse_primary();
  }
  result = parse_postfix(std::move(result));
  return with_filter ? parse_filter_expression(std::move(result)) : std::move(result);
}

ExpressionPtr ExpressionParser::parse_name() {
  Node result = node(Kind::constant);
  const std::string name = next().text;
  if (name == "true" || name == "True" || name == "false" || name == "False") {
    result->value = name == "true" || name == "True";
  } else if (name == "none" || name == "None") {
    result->value = None{};
  } else {
    result->kind = Kind::name;
    result->text = name;
    for (Mentions& open : mentions_) {
      open.varargs |= name == "varargs";
      open.kwargs |= name == "kwargs";
      open.caller |= name == "caller";
    }
  }
  return result;
}

ExpressionPtr ExpressionParser::parse_primary() {
  if (at_type(Type::name)) return parse_name();
  if (at_op("[")) return parse_list();
  if (at_op("{")) return parse_dict();
  if (skip_op("(")) {
    ExpressionPtr inner = parse_tuple(true, {}, true);
    expect_op(")");
    return inner;
  }
  Node result = node(Kind::constant);
  const std::string& text = current().text;
  if (at_type(Type::string)) {
    std::string joined;
    while (at_type(Type::string)) joined += next().text;
    result->value = std::move(joined);
    return result;
  }
  if (at_type(Type::integer)) {
    int64_t number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) {
      fail("expected an integer of 64 bits, got " + text.substr(0, 60));
    }
    result->value = number;
  } else if (at_type(Type::real)) {
    double number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) {
      fail("expected a number that a double can hold, got " + text.substr(0, 60));
    }
    result->value = number;
  } else {
    fail_expected("an expression");
  }
  next();
  return result;
}

bool ExpressionParser::at_tuple_end(std::string_view end) const {
  return at_type(Type::variable_end) || at_type(Type::block_end) || at_op(")") || (!end.empty() && at_name(end));
}

ExpressionPtr ExpressionParser::parse_tuple(bool conditional, std::string_view end, bool parenthesized) {
  Node result = node(Kind::tuple);
  bool is_tuple = false;
  while (!at_tuple_end(end)) {
    adopt(*result, parse_expression(conditional));
    if (!skip_op(",")) break;
    is_tuple = true;
  }
  if (is_tuple) return result;
  if (result->operands.empty() && !parenthesized) fail_expected("an expression");
  return result->operands.empty() ? finish(std::move(result)) : std::move(result->operands[0]);
}

ExpressionPtr ExpressionParser::parse_target_part(bool attributes) {
  const Deeper deeper(*this);
  if (skip_op("(")) {
    ExpressionPtr inner = parse_target({}, attributes);
    expect_op(")");
    return inner;
  }
  ExpressionPtr name = at_type(Type::name) ? parse_name() : nullptr;
  if (!name || name->kind != Kind::name) fail_expected("a name to assign to");
  if (!attributes || !skip_op(".")) return name;
  Node result = node(Kind::attribute, expect_name());
  adopt(*result, std::move(name));
  return result;
}

ExpressionPtr ExpressionParser::parse_target(std::string_view end, bool attributes) {
  Node result = node(Kind::tuple);
  bool is_tuple = false;
  while (!at_tuple_end(end)) {
    adopt(*result, parse_target_part(attributes));
    if (!skip_op(",")) break;
    is_tuple = true;
  }
  if (result->operands.empty()) fail_expected("a name to assign to");
  return is_tuple ? finish(std::move(result)) : std::move(result->operands[0]);
}

ExpressionPtr ExpressionParser::parse_list() {
  Node result = node(Kind::list);
  expect_op("[");
  while (!at_op("]")) {
    adopt(*result, parse_expression());
    if (!at_op("]")) expect_op(",");
  }
  next();
  return result;
}

ExpressionPtr ExpressionParser::parse_dict() {
  Node result = node(Kind::dict);
  expect_op("{");
  while (!at_op("}")) {
    adopt(*result, parse_expression());
    expect_op(":");
    adopt(*result, parse_expression());
    if (!at_op("}")) expect_op(",");
  }
  next();
  return result;
}

ExpressionPtr ExpressionParser::parse_postfix(ExpressionPtr object) {
  for (;;) {
    if (at_op(".") || at_op("[")) {
      object = parse_subscript(std::move(object));
    } else if (at_op("(")) {
      object = parse_call(std::move(object));
    } else {
      return object;
    }
  }
}

ExpressionPtr ExpressionParser::parse_filter_expression(ExpressionPtr value) {
  for (;;) {
    if (at_op("|")) {
      value = parse_filters(std::move(value));
    } else if (at_name("is")) {
      value = parse_test(std::move(value));
    } else if (at_op("(")) {
      value = parse_call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::parse_subscript(ExpressionPtr object) {
  if (skip_op(".")) {
    if (at_type(Type::integer)) {
      ExpressionPtr index = parse_primary();
      return binary(Kind::item, "", std::move(object), std::move(index));
    }
    Node result = node(Kind::attribute, expect_name());
    adopt(*result, std::move(object));
    return result;
  }
  expect_op("[");
  const auto part = [&]() -> ExpressionPtr { return at_op(":") || at_op("]") ? nullptr : parse_expression(); };
  if (at_op("]")) fail_expected("an index");
  ExpressionPtr start = part();
  if (!skip_op(":")) {
    expect_op("]");
    return binary(Kind::item, "", std::move(object), std::move(start));
  }
  Node result = node(Kind::slice);
  adopt(*result, std::move(object));
  adopt(*result, std::move(start));
  adopt(*result, part());
  adopt(*result, skip_op(":") ? part() : nullptr);
  expect_op("]");
  return result;
}

void ExpressionParser::parse_argument(Expression& call) {
  CallArguments& arguments = call.arguments;
  const auto parse_value = [&] {
    ExpressionPtr value = parse_expression();
    call.height = std::max(call.height, value->height + 1);
    return value;
  };
  const auto ensure = [&](bool fine) {
    if (!fine) fail("expected arguments in the order value, name=value, *list, **dict");
  };
  if (skip_op("*")) {
    ensure(!arguments.star && !arguments.double_star);
    arguments.star = parse_value();
  } else if (skip_op("**")) {
    ensure(!arguments.double_star);
    arguments.double_star = parse_value();
  } else if (at_type(Type::name) && ahead().type == Type::op && ahead().text == "=") {
    ensure(!arguments.double_star);
    std::string name = next().text;
    next();
    arguments.keyword.emplace_back(std::move(name), parse_value());
  } else {
    ensure(!arguments.star && !arguments.double_star && arguments.keyword.empty());
    arguments.positional.push_back(parse_value());
  }
}

void ExpressionParser::parse_arguments(Expression& call) {
  expect_op("(");
  while (!at_op(")")) {
    parse_argument(call);
    if (!at_op(")")) expect_op(",");
  }
  next();
}

ExpressionPtr ExpressionParser::parse_call(ExpressionPtr callee) {
  Node result = node(Kind::call);
  adopt(*result, std::move(callee));
  parse_arguments(*result);
  return result;
}

ExpressionPtr ExpressionParser::parse_filters(ExpressionPtr input, bool first) {
  while (first || skip_op("|")) {
    first = false;
    Node result = node(Kind::filter, expect_name());
    while (skip_op(".")) result->text += "." + expect_name();
    result->filter = find_filter(result->text);
    adopt(*result, std::move(input));
    if (at_op("(")) parse_arguments(*result);
    input = std::move(result);
  }
  return input;
}

ExpressionPtr ExpressionParser::parse_test(ExpressionPtr value) {
  next();  // is
  const bool negated = skip_name("not");
  Node result = node(Kind::test, expect_name());
  while (skip_op(".")) result->text += "." + expect_name();
  result->test = find_test(result->text);
  adopt(*result, std::move(value));
  const bool has_operand = at_type(Type::string) || at_type(Type::integer) || at_type(Type::real) || at_op("[") ||
                           at_op("{") || (at_type(Type::name) && !at_name("else") && !at_name("or") && !at_name("and"));
  if (at_op("(")) {
    parse_arguments(*result);
  } else if (has_operand) {
    if (at_name("is")) fail("expected one test, got a chain of \"is\"");
    ExpressionPtr operand = parse_postfix(parse_primary());
    result->height = std::max(result->height, operand->height + 1);
    result->arguments.positional.push_back(std::move(operand));
  }
  if (!negated) return result;
  Node inverse = node(Kind::logical_not);
  adopt(*inverse, std::move(result));
  return inverse;
}

}  // namespace tern::jinja
