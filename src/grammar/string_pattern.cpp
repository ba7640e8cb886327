// SPDX-License-Identifier: Apache-2.0
#include "grammar/string_pattern.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "base/code_point.h"
#include "text/utf8.h"

namespace tern {
namespace {

constexpr int kDeepestGroup = 64;
constexpr uint32_t kMostRepeats = 100'000;

using Ranges = std::vector<CharRange>;

const Ranges kDigit = {{'0', '9'}};
const Ranges kWord = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
// ECMA-262's WhiteSpace and LineTerminator.
const Ranges kSpace = {{0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                       {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const Ranges kLineEnd = {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

class PatternParser {
 public:
  PatternParser(std::string_view pattern, const std::string& place, GrammarTree& tree, JsonTexts& texts)
      : pattern_(pattern), place_(place), tree_(tree), texts_(texts) {}

  // A match may begin and end anywhere, unless its alternative says ^ or $.
  ExprId parse() {
    const ExprId anything = tree_.repeat(texts_.shortest({{0, kLastChar}}), 0, kUnbounded);
    std::vector<ExprId> choices;
    do {
      std::vector<ExprId> parts;
      if (!take('^')) parts.push_back(anything);
      parts.push_back(sequence(0));
      if (!take('$')) parts.push_back(anything);
      choices.push_back(tree_.sequence(std::move(parts)));
    } while (take('|'));
    if (!at_end()) unexpected("an end of the pattern");
    return tree_.choice(std::move(choices));
  }

 private:
  bool at_end() const { return at_ == pattern_.size(); }
  char peek() const { return at_end() ? '\0' : pattern_[at_]; }
  bool take(char c) { return take(std::string_view(&c, 1)); }
  bool take(std::string_view text) {
    if (!pattern_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }

  [[noreturn]] void unexpected(std::string_view expected) const {
    if (at_end()) fail("grammar", "{}: expected {}, got its end", place_, expected);
    const size_t length = utf8_step(pattern_.substr(at_)).length;
    fail("grammar", "{}: expected {}, got '{}' at byte {}", place_, expected, pattern_.substr(at_, length), at_);
  }
  [[noreturn]] void unsupported(std::string_view what) const {
    fail("grammar", "{}: expected a pattern that automata can follow, got {} at byte {}", place_, what, at_);
  }

  ExprId group(int depth) {
    if (depth > kDeepestGroup) unsupported(fmt::format("more than {} open parentheses", kDeepestGroup));
    std::vector<ExprId> choices;
    do choices.push_back(sequence(depth));
    while (take('|'));
    return tree_.choice(std::move(choices));
  }

  ExprId sequence(int depth) {
    std::vector<ExprId> parts;
    while (!at_end() && peek() != '|' && peek() != ')') {
      if (peek() == '$' && depth == 0 && (at_ + 1 == pattern_.size() || pattern_[at_ + 1] == '|')) break;
      parts.push_back(quantified(atom(depth)));
    }
    return tree_.sequence(std::move(parts));
  }

  ExprId atom(int depth) {
    const char c = peek();
    if (c == '^' || c == '$') unsupported(fmt::format("'{}' that is not at an end", c));
    if (c == '*' || c == '+' || c == '?' || c == '{' || c == '}' || c == ']') unexpected("an atom");
    if (take("(?")) {
      if (!take(':')) named_group();
      return rest_of_group(depth);
    }
    if (take('(')) return rest_of_group(depth);
    if (take('[')) return texts_.shortest(character_class());
    if (take('.')) return texts_.shortest(complement(kLineEnd));
    if (peek() == '\\') return texts_.shortest(escape(/*in_class=*/false));
    return texts_.shortest(one(plain()));
  }

  // (?<name> captures; (?= (?! (?<= (?<! look around.
  void named_group() {
    if (peek() != '<' || pattern_.substr(at_).starts_with("<=") || pattern_.substr(at_).starts_with("<!"))
      unsupported("a group that looks around or sets flags");
    at_ = std::min(pattern_.find('>', at_), pattern_.size() - 1) + 1;
  }

  ExprId rest_of_group(int depth) {
    const ExprId inside = group(depth + 1);
    if (!take(')')) unexpected("')'");
    return inside;
  }

  ExprId quantified(ExprId atom) {
    uint32_t min = 0, max = kUnbounded;
    if (take('*')) {
    } else if (take('+')) {
      min = 1;
    } else if (take('?')) {
      max = 1;
    } else if (take('{')) {
      min = max = count();
      if (take(',')) max = peek() == '}' ? kUnbounded : count();
      if (!take('}')) unexpected("'}'");
      if (max < min) unsupported("a quantifier that ends before it begins");
    } else {
      return atom;
    }
    take('?');
    return tree_.repeat(atom, min, max);
  }

  uint32_t count() {
    if (peek() < '0' || peek() > '9') unexpected("a count");
    uint32_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      value = value * 10 + static_cast<uint32_t>(peek() - '0');
      if (value > kMostRepeats) unsupported(fmt::format("a count above {}", kMostRepeats));
    }
    return value;
  }

  static Ranges one(char32_t code) { return {{code, code}}; }

  char32_t plain() {
    const size_t length = utf8_step(pattern_.substr(at_)).length;
    const char32_t code = code_point(pattern_.substr(at_, length));
    at_ += length;
    return code;
  }

  Ranges character_class() {
    const bool is_negated = take('^');
    Ranges ranges;
    while (!take(']')) {
      if (at_end()) unexpected("']'");
      const Ranges first = class_member();
      if (peek() != '-' || pattern_.substr(at_).starts_with("-]")) {
        ranges.insert(ranges.end(), first.begin(), first.end());
        continue;
      }
      take('-');
      if (at_end()) unexpected("']'");
      const Ranges last = class_member();
      const bool are_characters = first.size() == 1 && last.size() == 1 && first[0].first == first[0].last &&
                                  last[0].first == last[0].last && first[0].first <= last[0].first;
      if (!are_characters) unsupported("a range that does not go from a smaller to a larger character");
      ranges.push_back({first[0].first, last[0].first});
    }
    return is_negated ? complement(std::move(ranges)) : ranges;
  }

  Ranges class_member() { return peek() == '\\' ? escape(/*in_class=*/true) : one(plain()); }

  Ranges escape(bool in_class) {
    take('\\');
    if (at_end()) unexpected("an escaped character");
    const char c = peek();
    if (in_class && c == 'b') return ++at_, one('\b');
    if (c == 'b' || c == 'B') unsupported("a word boundary");
    if (c == 'p' || c == 'P') unsupported("a Unicode property");
    if (c == 'k' || (c >= '1' && c <= '9')) unsupported("a back-reference");
    ++at_;
    switch (c) {
      case 'd':
        return kDigit;
      case 'D':
        return complement(kDigit);
      case 'w':
        return kWord;
      case 'W':
        return complement(kWord);
      case 's':
        return kSpace;
      case 'S':
        return complement(kSpace);
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 't':
        return one('\t');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case '0':
        return one(0);
      case 'x':
        return one(hex(2));
      case 'u':
        return one(unicode());
      default:
        break;
    }
    --at_;
    if (std::string_view("^$\\.*+?()[]{}|/-").find(c) == std::string_view::npos)
      unexpected("a known escape after '\\'");
    return one(plain());
  }

  char32_t hex(int digits) {
    char32_t code = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = peek();
      if (c >= '0' && c <= '9') {
        code = code << 4 | static_cast<char32_t>(c - '0');
      } else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) {
        code = code << 4 | static_cast<char32_t>((c | 0x20) - 'a' + 10);
      } else {
        unexpected("a hexadecimal digit");
      }
    }
    return code;
  }

  char32_t unicode() {
    char32_t code = 0;
    if (take('{')) {
      do {
        code = code << 4 | hex(1);
        if (code > kLastChar) unsupported("an escape beyond U+10FFFF");
      } while (!take('}'));
    } else {
      code = hex(4);
    }
    if (code >= 0xD800 && code <= 0xDFFF) unsupported("half a character");
    return code;
  }

  std::string_view pattern_;
  const std::string& place_;
  GrammarTree& tree_;
  JsonTexts& texts_;
  size_t at_ = 0;
};

}  // namespace

ExprId pattern_characters(std::string_view pattern, const std::string& place, GrammarTree& tree, JsonTexts& texts) {
  return PatternParser(pattern, place, tree, texts).parse();
}

}  // namespace tern
