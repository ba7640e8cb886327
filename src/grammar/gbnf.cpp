// SPDX-License-Identifier: Apache-2.0
#include "grammar/gbnf.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/code_point.h"
#include "text/utf8.h"

namespace tern {
namespace {

constexpr size_t kLongestText = size_t{1} << 20;
constexpr int kDeepestGroup = 128;
constexpr uint32_t kMostRepeats = 1'000'000;

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

class GbnfParser {
 public:
  explicit GbnfParser(std::string_view text) : text_(text) {}

  GrammarTree parse() {
    check(text_.size() <= kLongestText, "grammar", "expected a grammar of at most {} bytes, got {}", kLongestText,
          text_.size());
    at_ = utf8_prefix(text_);
    if (at_ < text_.size()) fail_here("UTF-8");
    at_ = 0;
    skip_space(/*lines=*/true);
    while (at_ < text_.size()) {
      parse_rule();
      skip_space(/*lines=*/true);
    }
    const auto root = rules_.find("root");
    if (root == rules_.end() || !root->second.defined) fail_here("a rule named root");
    for (const auto& [name, rule] : rules_) {
      at_ = rule.used_at;
      if (!rule.defined) fail_here(fmt::format("a rule named {} somewhere", name), "none");
    }
    tree_.set_root(root->second.id);
    return std::move(tree_);
  }

 private:
  struct Rule {
    RuleId id = 0;
    size_t used_at = 0;
    bool defined = false;
  };

  bool at_end() const { return at_ == text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  // Throws Error for what stands at at_, or for `got`.
  [[noreturn]] void fail_here(std::string_view expected, std::string_view got = {}) const {
    size_t line = 1, column = 1;
    for (const char c : text_.substr(0, at_)) {
      if (c == '\n') {
        ++line;
        column = 1;
      } else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) {
        ++column;
      }
    }
    fail("grammar", "line {}, column {}: expected {}, got {}", line, column, expected, got.empty() ? here() : got);
  }

  // What stands at at_, for an error.
  std::string here() const {
    if (at_end()) return "the end";
    if (peek() == '\n' || peek() == '\r') return "the end of the line";
    const auto byte = static_cast<unsigned char>(peek());
    if (byte < 0x20 || byte == 0x7F) return fmt::format("byte {:#04x}", byte);
    const Utf8Step step = utf8_step(text_.substr(at_));
    if (step.kind != Utf8Step::kCharacter) return fmt::format("byte {:#04x}", byte);
    return fmt::format("'{}'", text_.substr(at_, step.length));
  }

  // Skips blanks and comments; line breaks only where they end nothing.
  void skip_space(bool lines) {
    while (!at_end()) {
      const char c = text_[at_];
      if (c == '#') {
        while (!at_end() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
      } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
        ++at_;
      } else {
        break;
      }
    }
  }

  std::string_view parse_name(std::string_view expected) {
    const size_t begin = at_;
    while (!at_end() && is_name_byte(text_[at_])) ++at_;
    if (at_ == begin) fail_here(expected);
    return text_.substr(begin, at_ - begin);
  }

  Rule& rule(std::string_view name, size_t used_at) {
    const auto [found, is_new] = rules_.try_emplace(std::string(name));
    if (is_new) found->second = {tree_.add_rule(), used_at, false};
    return found->second;
  }

  void parse_rule() {
    const size_t begin = at_;
    const std::string name(parse_name("the name of a rule"));
    Rule& defined = rule(name, begin);
    if (defined.defined) {
      at_ = begin;
      fail_here(fmt::format("one rule named {}", name), "a second one");
    }
    defined.defined = true;
    const RuleId id = defined.id;
    skip_space(/*lines=*/false);
    if (text_.substr(at_, 3) != "::=") fail_here("::=");
    at_ += 3;
    skip_space(/*lines=*/true);
    tree_.define(id, parse_choice(/*depth=*/0));
    if (!at_end() && peek() != '\n' && peek() != '\r') fail_here("an element or the end of the rule");
  }

  // True if the rule goes on with a | here or, after line breaks, on another line.
  bool take_bar(bool in_group) {
    if (take('|')) return true;
    if (in_group) return false;
    const size_t begin = at_;
    skip_space(/*lines=*/true);
    if (take('|')) return true;
    at_ = begin;
    return false;
  }

  ExprId parse_choice(int depth) {
    if (depth > kDeepestGroup) fail_here(fmt::format("at most {} open parentheses", kDeepestGroup), "more");
    std::vector<ExprId> choices = {parse_sequence(depth)};
    while (take_bar(depth > 0)) {
      skip_space(/*lines=*/true);
      choices.push_back(parse_sequence(depth));
    }
    return tree_.choice(std::move(choices));
  }

  ExprId parse_sequence(int depth) {
    const bool in_group = depth > 0;
    std::vector<ExprId> parts;
    while (!at_end()) {
      const size_t begin = at_;
      if (peek() == '"') {
        parts.push_back(parse_text());
      } else if (peek() == '[') {
        parts.push_back(parse_class());
      } else if (take('.')) {
        parts.push_back(tree_.chars({{0, kLastChar}}));
      } else if (take('(')) {
        skip_space(/*lines=*/true);
        parts.push_back(parse_choice(depth + 1));
        if (!take(')')) fail_here("an element or )");
      } else if (is_name_byte(peek())) {
        const std::string_view name = parse_name("a name");
        if (next_is_definition()) {  // in a group: the ) is missing
          at_ = begin;
          fail_here("an element or )", "a new rule");
        }
        parts.push_back(tree_.reference(rule(name, begin).id));
      } else if (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{') {
        if (parts.empty()) fail_here("an element before a repetition");
        parts.back() = parse_repeat(parts.back(), in_group);
      } else {
        break;
      }
      skip_space(in_group);
    }
    return tree_.sequence(std::move(parts));
  }

  bool next_is_definition() const {
    const size_t next = text_.find_first_not_of(" \t", at_);
    return next != text_.npos && text_.substr(next, 3) == "::=";
  }

  ExprId parse_repeat(ExprId part, bool in_group) {
    if (take('*')) return tree_.repeat(part, 0, kUnbounded);
    if (take('+')) return tree_.repeat(part, 1, kUnbounded);
    if (take('?')) return tree_.optional(part);
    take('{');
    skip_space(in_group);
    const uint32_t min = parse_count();
    uint32_t max = min;
    skip_space(in_group);
    if (take(',')) {
      skip_space(in_group);
      const size_t begin = at_;
      max = peek() == '}' ? kUnbounded : parse_count();
      if (max < min) {
        at_ = begin;
        fail_here(fmt::format("at least {}", min), std::to_string(max));
      }
      skip_space(in_group);
    }
    if (!take('}')) fail_here("}");
    return tree_.repeat(part, min, max);
  }

  uint32_t parse_count() {
    const size_t begin = at_;
    uint32_t count = 0;
    while (peek() >= '0' && peek() <= '9') {
      count = count * 10 + static_cast<uint32_t>(text_[at_++] - '0');
      if (count > kMostRepeats) {
        at_ = begin;
        fail_here(fmt::format("a count up to {}", kMostRepeats), "a larger one");
      }
    }
    if (at_ == begin) fail_here("a count");
    return count;
  }

  ExprId parse_text() {
    const size_t begin = at_;
    take('"');
    std::string bytes;
    while (!take('"')) append_code_point(parse_char(begin, "a closing \""), bytes);
    return tree_.text(bytes);
  }

  ExprId parse_class() {
    const size_t begin = at_;
    take('[');
    const bool negated = take('^');
    std::vector<CharRange> ranges;
    while (!take(']')) {
      const size_t range_begin = at_;
      const char32_t first = parse_char(begin, "a closing ]");
      char32_t last = first;
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        take('-');
        last = parse_char(begin, "a closing ]");
      }
      if (last < first) {
        at_ = range_begin;
        fail_here("a range from a smaller to a larger character", "the reverse");
      }
      ranges.push_back({first, last});
    }
    if (ranges.empty() && !negated) {
      at_ = begin;
      fail_here("a class with a character", "an empty one");
    }
    return tree_.chars(negated ? complement(std::move(ranges)) : std::move(ranges));
  }

  // One character of a text or a class that began at `begin`.
  char32_t parse_char(size_t begin, std::string_view closing) {
    if (at_end() || peek() == '\n' || peek() == '\r') {
      const std::string got = here();
      at_ = begin;
      fail_here(closing, got);
    }
    if (peek() == '\\') return parse_escape();
    const size_t length = utf8_step(text_.substr(at_)).length;
    const char32_t code = code_point(text_.substr(at_, length));
    at_ += length;
    return code;
  }

  char32_t parse_escape() {
    const size_t begin = at_;
    take('\\');
    switch (peek()) {
      case 'x':
        return ++at_, parse_hex(2, begin);
      case 'u':
        return ++at_, parse_hex(4, begin);
      case 'U':
        return ++at_, parse_hex(8, begin);
      case 'n':
        return ++at_, U'\n';
      case 'r':
        return ++at_, U'\r';
      case 't':
        return ++at_, U'\t';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<char32_t>(text_[at_++]);
      default:
        fail_here("an escape: one of n r t x u U \\ \" [ ] - ^");
    }
  }

  char32_t parse_hex(int digits, size_t begin) {
    char32_t code = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const std::optional<unsigned> digit = hex_digit(peek());
      if (!digit) fail_here(fmt::format("{} hexadecimal digits", digits));
      code = code << 4 | *digit;
    }
    if (code > kLastChar || (code >= 0xD800 && code <= 0xDFFF)) {
      at_ = begin;
      fail_here("a Unicode character", fmt::format("U+{:04X}", static_cast<uint32_t>(code)));
    }
    return code;
  }

  std::string_view text_;
  size_t at_ = 0;
  GrammarTree tree_;
  std::map<std::string, Rule, std::less<>> rules_;
};

}  // namespace

GrammarTree parse_gbnf(std::string_view text) { return GbnfParser(text).parse(); }

}  // namespace tern
