// SPDX-License-Identifier: Apache-2.0
// Well-formed UTF-8 as Python's str sees it: code points, whitespace, case. Case maps ASCII letters only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tern::jinja {

// The bytes of the code point that begins at `at`, and its number.
size_t code_point_length(std::string_view text, size_t at);
uint32_t code_point_at(std::string_view text, size_t at);
void append_code_point(uint32_t code, std::string& text);

size_t count_code_points(std::string_view text);
// Where each code point begins, and the end.
std::vector<size_t> code_point_offsets(std::string_view text);

// What str.isspace() calls whitespace.
bool is_whitespace(uint32_t code);
// How many bytes of whitespace the text begins or ends with.
size_t leading_whitespace(std::string_view text);
size_t trailing_whitespace(std::string_view text);

// Without whitespace, or the given characters, at the ends.
enum class Ends { both, left, right };
std::string_view strip(std::string_view text, Ends ends);
std::string_view strip(std::string_view text, std::string_view characters, Ends ends);

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
inline bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
inline bool is_alpha(char c) { return is_lower(c) || is_upper(c); }
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string capitalize(std::string_view text);
// str.title(): a letter begins a word where no letter stands before it.
std::string title(std::string_view text);

// At most `count` replacements; -1: all.
std::string replace(std::string_view text, std::string_view from, std::string_view to, int64_t count);
// The parts between separators, at most `count` cuts (-1: all); and between runs of whitespace.
std::vector<std::string_view> split(std::string_view text, std::string_view separator, int64_t count);
std::vector<std::string_view> split(std::string_view text, int64_t count);
// The same, cutting from the right.
std::vector<std::string_view> split_right(std::string_view text, std::string_view separator, int64_t count);
std::vector<std::string_view> split_right(std::string_view text, int64_t count);
// str.splitlines(): no empty line after the last break.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_breaks = false);

}  // namespace tern::jinja
