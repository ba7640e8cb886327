// SPDX-License-Identifier: Apache-2.0
// Unicode regular expressions over UTF-8: PCRE2 with JIT, kept out of everybody else's sight.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct pcre2_real_code_8;
struct pcre2_real_match_context_8;
struct pcre2_real_match_data_8;

namespace tern {

// Half-open range of byte offsets.
struct Range {
  size_t begin, end;
  size_t size() const { return end - begin; }
};

// A compiled pattern; copies share it. Threads may match with it at the same time, each through a RegexMatcher of its
// own.
//
// Hugging Face's patterns are written for Oniguruma; what they use in practice means the same to PCRE2, with three
// things set right: ^ and $ match at every line, \s and \S are Unicode's White_Space, \C is refused. Both libraries
// carry Unicode tables of their own: a character younger than PCRE2's (Unicode 14 in 10.42) is no letter or number yet.
class Regex {
 public:
  enum class Syntax { kPattern, kLiteral };
  // Throws Error with PCRE2's explanation and `name` if the pattern does not compile.
  Regex(std::string_view pattern, Syntax syntax, const std::string& name);

 private:
  friend class RegexMatcher;
  std::shared_ptr<const pcre2_real_code_8> code_;
};

// Finds the matches of a pattern in one subject, which must be UTF-8, from left to right.
class RegexMatcher {
 public:
  RegexMatcher(const Regex& regex, std::string_view subject);

  // The next match, not overlapping the last. An empty match is reported unless the last match ended there.
  // Throws Error if the pattern runs wild: more work than a multiple of the subject's length, or too much memory.
  std::optional<Range> next();

 private:
  struct Free {
    void operator()(pcre2_real_match_context_8* context) const;
    void operator()(pcre2_real_match_data_8* data) const;
  };
  std::optional<Range> match(size_t from);

  Regex regex_;
  std::string_view subject_;
  size_t from_ = 0;
  std::optional<size_t> last_end_;
  std::unique_ptr<pcre2_real_match_context_8, Free> context_;
  std::unique_ptr<pcre2_real_match_data_8, Free> data_;
};

}  // namespace tern
