// SPDX-License-Identifier: Apache-2.0
#include "jinja/lexer.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "jinja/text.h"

namespace tern::jinja {
namespace {

using Type = Token::Type;

bool is_name_character(char c) { return is_alpha(c) || is_digit(c) || c == '_'; }

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const size_t tag = find_tag();
      const std::string_view text = source_.substr(at_, tag - at_);
      if (tag == source_.size()) {
        emit_data(text);
        at_ = tag;
        break;
      }
      const char kind = source_[tag + 1];
      at_ = tag + 2;
      const char sign = take_sign();
      emit_data(before_tag(text, sign, kind != '{'));
      if (kind == '#') {
        skip_comment();
      } else if (kind == '{') {
        lex_tag(Type::variable_begin, Type::variable_end);
      } else if (!lex_raw()) {
        lex_tag(Type::block_begin, Type::block_end);
      }
    }
    push(Type::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(std::string message) { throw SyntaxFault{line(), std::move(message)}; }

  // The line of at_; only ever asked for going forwards.
  int line() {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(counted_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(at_), '\n'));
    counted_ = at_;
    return line_;
  }
  void push(Type type, std::string_view text) { tokens_.push_back({type, line(), std::string(text)}); }
  void emit_data(std::string_view text) {
    if (!text.empty()) push(Type::data, text);
  }
  bool starts(std::string_view text) const { return source_.substr(at_, text.size()) == text; }
  bool take(std::string_view text) {
    if (!starts(text)) return false;
    at_ += text.size();
    return true;
  }
  void skip_whitespace() { at_ += leading_whitespace(source_.substr(at_)); }

  // Where the next {{, {% or {# begins, or the end.
  size_t find_tag() const {
    for (size_t at = source_.find('{', at_); at != source_.npos; at = source_.find('{', at + 1)) {
      if (at + 1 < source_.size() && std::string_view("{%#").find(source_[at + 1]) != std::string_view::npos) return at;
    }
    return source_.size();
  }
  char take_sign() {
    if (starts("-") || starts("+")) return source_[at_++];
    return ' ';
  }
  // The text before a tag, without what the tag takes away: all whitespace for '-', a line's indentation for blocks and
  // comments.
  std::string_view before_tag(std::string_view text, char sign, bool is_block) const {
    if (sign == '-') return strip(text, Ends::right);
    if (sign == '+' || !is_block) return text;
    const size_t newline = text.rfind('\n');
    if (newline == text.npos && !line_starting_) return text;
    const size_t begin = newline == text.npos ? 0 : newline + 1;
    return trailing_whitespace(text) >= text.size() - begin ? text.substr(0, begin) : text;
  }
  // Takes a tag's end with its sign and what that removes; false if there is none.
  bool take_end(std::string_view end, bool is_block) {
    const size_t before = at_;
    const bool minus = take("-");
    const bool plus = !minus && is_block && take("+");
    if (!take(end)) {
      at_ = before;
      return false;
    }
    if (minus) {
      skip_whitespace();
    } else if (!plus && is_block) {
      take("\n");
    }
    line_starting_ = source_[at_ - 1] == '\n';
    return true;
  }

  void skip_comment() {
    for (; at_ < source_.size(); ++at_) {
      if (take_end("#}", true)) return;
    }
    fail("expected #} at the end of a comment, got the end of the template");
  }

  // {% raw %}…{% endraw %}, after "{%" and its sign; false for another tag.
  bool lex_raw() {
    const size_t before = at_;
    skip_whitespace();
    const bool raw = take("raw");
    if (raw) skip_whitespace();
    if (!raw || !(starts("-%}") || starts("%}"))) {
      at_ = before;
      return false;
    }
    const bool minus = take("-");
    take("%}");
    if (minus) skip_whitespace();
    line_starting_ = source_[at_ - 1] == '\n';
    const size_t begin = at_;
    for (at_ = source_.find("{%", at_); at_ < source_.size(); at_ = source_.find("{%", at_ + 2)) {
      const size_t end = at_;
      at_ += 2;
      const char sign = take_sign();
      skip_whitespace();
      if (take("endraw")) {
        skip_whitespace();
        const std::string_view text = source_.substr(begin, end - begin);
        const std::string_view kept = before_tag(text, sign, true);
        if (take_end("%}", true)) {
          emit_data(kept);
          return true;
        }
      }
      at_ = end;
    }
    at_ = source_.size();
    fail("expected {% endraw %}, got the end of the template");
  }

  void lex_tag(Type begin, Type end) {
    push(begin, "");
    const std::string_view closing = end == Type::block_end ? "%}" : "}}";
    std::string open;  // brackets
    for (;;) {
      skip_whitespace();
      if (at_ >= source_.size())
        fail(std::string("expected ") + std::string(closing) + ", got the end of the template");
      const int here = line();
      if (open.empty() && take_end(closing, end == Type::block_end)) {
        tokens_.push_back({end, here, ""});
        return;
      }
      lex_token(open);
    }
  }

  void lex_token(std::string& open) {
    const char c = source_[at_];
    if (is_digit(c)) return lex_number();
    if (is_alpha(c) || c == '_') {
      size_t end = at_;
      while (end < source_.size() && is_name_character(source_[end])) ++end;
      push(Type::name, source_.substr(at_, end - at_));
      at_ = end;
      return;
    }
    if (c == '\'' || c == '"') return lex_string(c);
    lex_operator(open);
  }

  void lex_operator(std::string& open) {
    static constexpr std::string_view kDouble[] = {"**", "//", "==", "!=", "<=", ">="};
    for (const std::string_view op : kDouble) {
      if (!starts(op)) continue;
      push(Type::op, op);
      at_ += 2;
      return;
    }
    const char c = source_[at_];
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
      fail("expected an expression, got \"" + std::string(source_.substr(at_, code_point_length(source_, at_))) + "\"");
    }
    if (c == '(') open += ')';
    if (c == '[') open += ']';
    if (c == '{') open += '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) fail(std::string("expected no closing bracket, got ") + c);
      if (open.back() != c) fail(std::string("expected ") + open.back() + ", got " + c);
      open.pop_back();
    }
    push(Type::op, source_.substr(at_, 1));
    ++at_;
  }

  // The end of digits with single _ between them, beginning at `at`; `at` itself if there are none.
  template <class IsDigit>
  size_t digits_end(size_t at, IsDigit is_one) const {
    const auto one = [&](size_t i) { return i < source_.size() && is_one(source_[i]); };
    if (!one(at)) return at;
    for (++at;; ++at) {
      if (one(at)) continue;
      if (at < source_.size() && source_[at] == '_' && one(at + 1)) continue;
      return at;
    }
  }
  void push_number(Type type, size_t end) {
    std::string text(source_.substr(at_, end - at_));
    std::erase(text, '_');
    push(type, text);
    at_ = end;
  }
  void lex_number() {
    if (at_ == 0 || source_[at_ - 1] != '.') {
      size_t end = digits_end(at_, is_digit);
      const size_t whole = end;
      if (end < source_.size() && source_[end] == '.') {
        const size_t fraction = digits_end(end + 1, is_digit);
        if (fraction > end + 1) end = fraction;
      }
      if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
        const bool sign = end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-');
        const size_t exponent = digits_end(end + 1 + sign, is_digit);
        if (exponent > end + 1 + sign) end = exponent;
      }
      if (end > whole) return push_number(Type::real, end);
    }
    if (const std::optional<int> base = prefix_base()) return lex_based(*base);
    size_t end = digits_end(at_, is_digit);
    if (source_[at_] == '0') end = digits_end(at_, [](char c) { return c == '0'; });
    push_number(Type::integer, end);
  }
  std::optional<int> prefix_base() const {
    if (source_[at_] != '0' || at_ + 2 >= source_.size()) return std::nullopt;
    const char letter = to_lower(source_.substr(at_ + 1, 1))[0];
    return letter == 'x'   ? std::optional(16)
           : letter == 'o' ? std::optional(8)
           : letter == 'b' ? std::optional(2)
                           : std::nullopt;
  }
  void lex_based(int base) {
    const size_t begin = at_ + 2 + (source_[at_ + 2] == '_');
    const size_t end = digits_end(begin, [&](char c) {
      const int digit = is_digit(c) ? c - '0' : is_alpha(c) ? (c | 0x20) - 'a' + 10 : 99;
      return digit < base;
    });
    if (end == begin) return push_number(Type::integer, at_ + 1);  // a zero, then a name
    std::string text(source_.substr(begin, end - begin));
    std::erase(text, '_');
    int64_t number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number, base).ec != std::errc()) {
      fail("expected an integer of 64 bits, got a larger one");
    }
    push(Type::integer, std::to_string(number));
    at_ = end;
  }

  void lex_string(char quote) {
    const int here = line();
    std::string text;
    for (size_t at = at_ + 1; at < source_.size();) {
      const char c = source_[at];
      if (c == quote) {
        at_ = at + 1;
        tokens_.push_back({Type::string, here, std::move(text)});
        return;
      }
      if (c != '\\') {
        text += c;
        ++at;
      } else if (at + 1 < source_.size()) {
        at = unescape(at + 1, text);
      } else {
        break;
      }
    }
    fail(std::string("expected ") + quote + " at the end of a string, got the end of the template");
  }
  // Appends what the escape stands for whose letter is at `at`; returns where it ends.
  size_t unescape(size_t at, std::string& text) {
    static constexpr std::string_view kSimple = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v";
    const char c = source_[at];
    for (size_t i = 0; i < kSimple.size(); i += 2) {
      if (c != kSimple[i]) continue;
      text += kSimple[i + 1];
      return at + 1;
    }
    if (c == '\n') return at + 1;
    if (c == 'x') return unescape_hex(at, 2, text);
    if (c == 'u') return unescape_hex(at, 4, text);
    if (c == 'U') return unescape_hex(at, 8, text);
    if (c == 'N') fail("expected a code point by number, got \\N");
    if (c >= '0' && c <= '7') {
      uint32_t code = 0;
      size_t end = at;
      for (; end < source_.size() && end < at + 3 && source_[end] >= '0' && source_[end] <= '7'; ++end) {
        code = code * 8 + static_cast<uint32_t>(source_[end] - '0');
      }
      append_code_point(code, text);
      return end;
    }
    text += '\\';
    return at;
  }
  size_t unescape_hex(size_t at, size_t digits, std::string& text) {
    const std::string_view hex = source_.substr(at + 1, digits);
    uint32_t code = 0;
    const auto read = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    if (hex.size() != digits || read.ptr != hex.data() + digits) {
      fail("expected " + std::to_string(digits) + " hexadecimal digits after \\" + source_[at]);
    }
    append_code_point(code, text);
    return at + 1 + digits;
  }

  std::string_view source_;
  size_t at_ = 0, counted_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  // whether a line begins after the last tag
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace tern::jinja
