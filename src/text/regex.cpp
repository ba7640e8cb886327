// SPDX-License-Identifier: Apache-2.0
#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/check.h"
#include "text/utf8.h"

namespace tern {
namespace {

// How much matching once may cost: well above what a split pattern spends on one piece as long as the subject.
constexpr size_t kBaseWork = 10'000'000;
constexpr size_t kWorkPerByte = 16;

PCRE2_SPTR units(std::string_view text) {
  static constexpr char kEmpty[] = "";
  return reinterpret_cast<PCRE2_SPTR>(text.empty() ? kEmpty : text.data());
}

std::string message(int error) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

// PCRE2's own \s takes U+180E for a space, which Unicode and Oniguruma no longer do.
std::string with_unicode_space(std::string_view pattern) {
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '\\' || i + 1 == pattern.size()) {
      out.push_back(pattern[i]);
      continue;
    }
    const char escaped = pattern[++i];
    if (escaped == 's') {
      out += R"(\p{White_Space})";
    } else if (escaped == 'S') {
      out += R"(\P{White_Space})";
    } else {
      out += {'\\', escaped};
    }
  }
  return out;
}

}  // namespace

Regex::Regex(std::string_view pattern, Syntax syntax, const std::string& name) {
  const bool literal = syntax == Syntax::kLiteral;
  check(utf8_prefix(pattern) == pattern.size(), "regex", "expected a pattern in UTF-8 in {}", name);
  const std::string source = literal ? std::string(pattern) : with_unicode_space(pattern);
  const uint32_t options =
      PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(units(source), source.size(), options, &error, &offset, nullptr);
  if (!code) {
    fail("regex", "expected a pattern that PCRE2 compiles in {}, got \"{}\": {} at offset {}", name, pattern,
         message(error), offset);
  }
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where JIT is not to be had, matching interprets
  code_ =
      std::shared_ptr<const pcre2_code>(code, [](const pcre2_code* c) { pcre2_code_free(const_cast<pcre2_code*>(c)); });
}

void RegexMatcher::Free::operator()(pcre2_real_match_context_8* context) const { pcre2_match_context_free(context); }
void RegexMatcher::Free::operator()(pcre2_real_match_data_8* data) const { pcre2_match_data_free(data); }

RegexMatcher::RegexMatcher(const Regex& regex, std::string_view subject)
    : regex_(regex),
      subject_(subject),
      context_(pcre2_match_context_create(nullptr)),
      data_(pcre2_match_data_create(1, nullptr)) {
  check(context_ && data_, "regex", "expected memory for a match, got none");
  const size_t work = std::min<size_t>(kBaseWork + kWorkPerByte * subject.size(), UINT32_MAX);
  pcre2_set_match_limit(context_.get(), static_cast<uint32_t>(work));
}

std::optional<Range> RegexMatcher::match(size_t from) {
  const auto run = [&](uint32_t options) {
    return pcre2_match(regex_.code_.get(), units(subject_), subject_.size(), from, options, data_.get(),
                       context_.get());
  };
  int status = run(PCRE2_NO_UTF_CHECK);
  if (status == PCRE2_ERROR_JIT_STACKLIMIT) status = run(PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
  if (status == PCRE2_ERROR_NOMATCH) return std::nullopt;
  check(status >= 0, "regex", "expected the split pattern to match within PCRE2's limits, got: {}", message(status));
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data_.get());
  check(from <= ends[0] && ends[0] <= ends[1], "regex", "expected matches in order, got one from {} to {} after {}",
        ends[0], ends[1], from);
  return Range{ends[0], ends[1]};
}

std::optional<Range> RegexMatcher::next() {
  while (from_ <= subject_.size()) {
    const std::optional<Range> found = match(from_);
    if (!found) break;
    if (found->size() == 0 && last_end_ == found->begin) {
      if (found->end == subject_.size()) break;
      from_ = found->end + utf8_step(subject_.substr(found->end)).length;
      continue;
    }
    from_ = found->end;
    last_end_ = found->end;
    return found;
  }
  from_ = subject_.size() + 1;
  return std::nullopt;
}

}  // namespace tern
