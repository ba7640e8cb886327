// SPDX-License-Identifier: Apache-2.0
#include "grammar/json_texts.h"

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/code_point.h"
#include "text/utf8.h"

namespace tern {
namespace {

constexpr uint32_t kMostBlanks = 32;
constexpr uint32_t kWholeDigits = 20, kFractionDigits = 24, kExponentDigits = 3;

constexpr CharRange kControls = {0, 0x1F};
const std::vector<CharRange> kDigits = {{'0', '9'}};

// Characters with an escape of one letter, which is theirs in the other string at the same place. A control character
// without one is spelled \u00XX.
constexpr std::u32string_view kShortEscaped = U"\"\\\b\f\n\r\t";
constexpr std::string_view kShortEscapes = "\"\\bfnrt";

// Those of the ranges that a string holds as they are.
std::vector<CharRange> unescaped(const std::vector<CharRange>& ranges) {
  std::vector<CharRange> others = complement(ranges);
  others.insert(others.end(), {kControls, {'"', '"'}, {'\\', '\\'}});
  return complement(std::move(others));
}

bool contains(const std::vector<CharRange>& ranges, char32_t code) {
  for (const CharRange& range : ranges) {
    if (range.first <= code && code <= range.last) return true;
  }
  return false;
}

std::string spelled(char32_t code) {
  std::string text;
  append_code_point(code, text);
  const std::string quoted = nlohmann::json(text).dump();
  return quoted.substr(1, quoted.size() - 2);
}

// \u and its digits, of a character or of the two halves of one.
ExprId unicode_escape(GrammarTree& tree) {
  const std::vector<CharRange> hex = {{'0', '9'}, {'a', 'f'}, {'A', 'F'}};
  const auto digits = [&](uint32_t count) { return tree.repeat(tree.chars(hex), count, count); };
  const ExprId d = tree.chars({{'d', 'd'}, {'D', 'D'}});
  const ExprId below =
      tree.sequence({tree.chars({{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}}), digits(3)});
  const ExprId among = tree.sequence({d, tree.chars({{'0', '7'}}), digits(2)});
  const ExprId high = tree.sequence({d, tree.chars({{'8', '9'}, {'a', 'b'}, {'A', 'B'}}), digits(2)});
  const ExprId low = tree.sequence({d, tree.chars({{'c', 'f'}, {'C', 'F'}}), digits(2)});
  const ExprId pair = tree.sequence({high, tree.text("\\u"), low});
  return tree.sequence({tree.text("u"), tree.choice({below, among, pair})});
}

}  // namespace

JsonTexts::JsonTexts(GrammarTree& tree)
    : tree_(tree),
      space_(tree.add_rule()),
      character_(tree.add_rule()),
      string_(tree.add_rule()),
      number_(tree.add_rule()),
      integer_(tree.add_rule()),
      value_(tree.add_rule()) {
  const ExprId blanks = tree.repeat(tree.chars({{' ', ' '}, {'\t', '\t'}}), 0, kMostBlanks);
  tree.define(space_, tree.choice({tree.nothing(), tree.text(" "), tree.sequence({tree.text("\n"), blanks})}));

  const ExprId short_escape =
      tree.chars({{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}});
  const ExprId escape = tree.sequence({tree.text("\\"), tree.choice({short_escape, unicode_escape(tree)})});
  tree.define(character_, tree.choice({tree.chars(unescaped({{0, kLastChar}})), escape}));
  tree.define(string_, quoted(tree.repeat(tree.reference(character_), 0, kUnbounded)));

  const ExprId digits = tree.repeat(tree.chars(kDigits), 0, kWholeDigits - 1);
  const ExprId whole = tree.choice({tree.text("0"), tree.sequence({tree.chars({{'1', '9'}}), digits})});
  tree.define(integer_, tree.sequence({tree.optional(tree.text("-")), whole}));
  const ExprId fraction = tree.sequence({tree.text("."), tree.repeat(tree.chars(kDigits), 1, kFractionDigits)});
  const ExprId exponent =
      tree.sequence({tree.chars({{'e', 'e'}, {'E', 'E'}}), tree.optional(tree.chars({{'+', '+'}, {'-', '-'}})),
                     tree.repeat(tree.chars(kDigits), 1, kExponentDigits)});
  tree.define(number_, tree.sequence({tree.reference(integer_), tree.optional(fraction), tree.optional(exponent)}));

  const ExprId any = tree.reference(value_);
  const ExprId any_member = member(string(), any);
  tree.define(value_, tree.choice({string(), number(), boolean(), tree.text("null"), empty_array(), empty_object(),
                                   array(list(any, any)), object(list(any_member, any_member))}));
}

ExprId JsonTexts::value() { return tree_.reference(value_); }

ExprId JsonTexts::string(uint32_t min, uint32_t max) {
  if (min == 0 && max == kUnbounded) return tree_.reference(string_);
  return tree_.as_rule(quoted(tree_.repeat(tree_.reference(character_), min, max)));
}

ExprId JsonTexts::integer() { return tree_.reference(integer_); }
ExprId JsonTexts::number() { return tree_.reference(number_); }
ExprId JsonTexts::boolean() { return tree_.choice({tree_.text("true"), tree_.text("false")}); }

ExprId JsonTexts::constant(const nlohmann::ordered_json& value) {
  if (!value.is_structured()) return tree_.text(value.dump());
  if (value.empty()) return value.is_array() ? empty_array() : empty_object();
  std::vector<ExprId> parts;
  for (const auto& [key, item] : value.items()) {
    if (!parts.empty()) parts.push_back(comma());
    const ExprId part = constant(item);
    parts.push_back(value.is_array() ? part : member(tree_.text(nlohmann::ordered_json(key).dump()), part));
  }
  const ExprId content = tree_.sequence(std::move(parts));
  return value.is_array() ? array(content) : object(content);
}

ExprId JsonTexts::shortest(const std::vector<CharRange>& chars) {
  std::vector<CharRange> letters;
  std::array<std::vector<CharRange>, 2> last_digits;  // of \u000X and \u001X
  for (size_t i = 0; i < kShortEscaped.size(); ++i) {
    const auto letter = static_cast<char32_t>(kShortEscapes[i]);
    if (contains(chars, kShortEscaped[i])) letters.push_back({letter, letter});
  }
  for (char32_t code = kControls.first; code <= kControls.last; ++code) {
    if (kShortEscaped.find(code) != kShortEscaped.npos || !contains(chars, code)) continue;
    const auto digit = static_cast<char32_t>("0123456789abcdef"[code % 16]);
    last_digits[code / 16].push_back({digit, digit});
  }
  std::vector<ExprId> choices = {tree_.chars(unescaped(chars))};
  if (!letters.empty()) choices.push_back(tree_.sequence({tree_.text("\\"), tree_.chars(letters)}));
  for (size_t i = 0; i < 2; ++i) {
    if (last_digits[i].empty()) continue;
    choices.push_back(tree_.sequence({tree_.text(i == 0 ? "\\u000" : "\\u001"), tree_.chars(last_digits[i])}));
  }
  return tree_.choice(std::move(choices));
}

ExprId JsonTexts::quoted(ExprId characters) { return tree_.sequence({tree_.text("\""), characters, tree_.text("\"")}); }

// Follows the excluded strings character by character: a string is another one when it leaves them or ends between
// them.
ExprId JsonTexts::string_except(const std::vector<std::string>& excluded) {
  struct Branch {
    bool is_excluded = false;
    std::map<char32_t, size_t> next;
  };
  std::vector<Branch> branches(1);
  for (const std::string& text : excluded) {
    size_t at = 0;
    for (size_t i = 0; i < text.size();) {
      const std::string_view rest = std::string_view(text).substr(i);
      const size_t length = utf8_step(rest).length;
      const auto [found, is_new] = branches[at].next.try_emplace(code_point(rest.substr(0, length)), branches.size());
      at = found->second;
      if (is_new) branches.emplace_back();
      i += length;
    }
    branches[at].is_excluded = true;
  }
  // \u escapes would spell excluded names in other ways; of control characters, only those with short escapes remain.
  std::vector<CharRange> allowed = complement({kControls});
  for (const char32_t code : {U'\b', U'\f', U'\n', U'\r', U'\t'}) allowed.push_back({code, code});
  const ExprId any = tree_.as_rule(tree_.repeat(shortest(allowed), 0, kUnbounded));
  std::vector<ExprId> exprs(branches.size());
  for (size_t i = branches.size(); i-- > 0;) {  // what a branch leads to has a larger index
    std::vector<CharRange> others = complement(allowed);
    std::vector<ExprId> choices;
    for (const auto& [code, next] : branches[i].next) {
      others.push_back({code, code});
      if (contains(allowed, code)) choices.push_back(tree_.sequence({tree_.text(spelled(code)), exprs[next]}));
    }
    choices.push_back(tree_.sequence({shortest(complement(std::move(others))), any}));
    if (!branches[i].is_excluded) choices.push_back(tree_.nothing());
    exprs[i] = tree_.as_rule(tree_.choice(std::move(choices)));
  }
  return tree_.as_rule(quoted(exprs[0]));
}

ExprId JsonTexts::member(ExprId key, ExprId value) {
  return tree_.sequence({key, tree_.text(":"), tree_.optional(tree_.text(" ")), value});
}

ExprId JsonTexts::comma() { return tree_.sequence({tree_.text(","), tree_.reference(space_)}); }

ExprId JsonTexts::list(ExprId first, ExprId others) {
  return tree_.sequence({first, tree_.repeat(tree_.sequence({comma(), others}), 0, kUnbounded)});
}

ExprId JsonTexts::array(ExprId items) { return enclosed('[', items, ']'); }
ExprId JsonTexts::object(ExprId members) { return enclosed('{', members, '}'); }
ExprId JsonTexts::empty_array() { return enclosed('[', tree_.nothing(), ']'); }
ExprId JsonTexts::empty_object() { return enclosed('{', tree_.nothing(), '}'); }

ExprId JsonTexts::enclosed(char open, ExprId content, char close) {
  const ExprId space = tree_.reference(space_);
  const ExprId inside = tree_.expr(content).kind == Expr::kBytes && tree_.expr(content).bytes.empty()
                            ? space
                            : tree_.sequence({space, content, space});
  return tree_.sequence({tree_.text({&open, 1}), inside, tree_.text({&close, 1})});
}

GrammarTree json_grammar() {
  GrammarTree tree;
  const RuleId root = tree.add_rule();
  tree.define(root, JsonTexts(tree).value());
  tree.set_root(root);
  return tree;
}

}  // namespace tern
