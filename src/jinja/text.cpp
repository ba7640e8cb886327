// SPDX-License-Identifier: Apache-2.0
#include "jinja/text.h"

#include <algorithm>

#include "base/code_point.h"

namespace tern::jinja {
namespace {

bool is_continuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

// Where the code point that ends before `end` begins.
size_t last_code_point(std::string_view text, size_t end) {
  size_t at = end - 1;
  while (at > 0 && is_continuation(text[at])) --at;
  return at;
}

// What str.splitlines() breaks at: its length in bytes, or 0.
size_t line_break(std::string_view text, size_t at) {
  const std::string_view rest = text.substr(at);
  if (rest.substr(0, 2) == "\r\n") return 2;
  const uint32_t code = code_point_at(text, at);
  const bool breaks = (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) || code == 0x85 ||
                      code == 0x2028 || code == 0x2029;
  return breaks ? code_point_length(text, at) : 0;
}

}  // namespace

size_t code_point_length(std::string_view text, size_t at) {
  size_t end = at + 1;
  while (end < text.size() && is_continuation(text[end])) ++end;
  return end - at;
}

uint32_t code_point_at(std::string_view text, size_t at) {
  return code_point(text.substr(at, code_point_length(text, at)));
}

void append_code_point(uint32_t code, std::string& text) {
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = 0xFFFD;
  tern::append_code_point(code, text);
}

size_t count_code_points(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::vector<size_t> code_point_offsets(std::string_view text) {
  std::vector<size_t> offsets;
  offsets.reserve(text.size() + 1);
  for (size_t at = 0; at < text.size(); at += code_point_length(text, at)) offsets.push_back(at);
  offsets.push_back(text.size());
  return offsets;
}

bool is_whitespace(uint32_t code) {
  return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 || code == 0xA0 ||
         code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x202F ||
         code == 0x205F || code == 0x3000;
}

size_t leading_whitespace(std::string_view text) {
  size_t at = 0;
  while (at < text.size() && is_whitespace(code_point_at(text, at))) at += code_point_length(text, at);
  return at;
}

size_t trailing_whitespace(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    const size_t at = last_code_point(text, end);
    if (!is_whitespace(code_point_at(text, at))) break;
    end = at;
  }
  return text.size() - end;
}

std::string_view strip(std::string_view text, Ends ends) {
  if (ends != Ends::right) text.remove_prefix(leading_whitespace(text));
  if (ends != Ends::left) text.remove_suffix(trailing_whitespace(text));
  return text;
}

std::string_view strip(std::string_view text, std::string_view characters, Ends ends) {
  const auto listed = [&](size_t at) {
    return characters.find(text.substr(at, code_point_length(text, at))) != characters.npos;
  };
  if (ends != Ends::right) {
    while (!text.empty() && listed(0)) text.remove_prefix(code_point_length(text, 0));
  }
  if (ends != Ends::left) {
    while (!text.empty() && listed(last_code_point(text, text.size()))) {
      text.remove_suffix(text.size() - last_code_point(text, text.size()));
    }
  }
  return text;
}

std::string to_upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
  return upper;
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::string capitalize(std::string_view text) {
  return to_upper(text.substr(0, 1)) + to_lower(text.substr(std::min<size_t>(1, text.size())));
}

std::string title(std::string_view text) {
  std::string result = to_lower(text);
  bool in_word = false;
  for (char& c : result) {
    if (!in_word && is_lower(c)) c = static_cast<char>(c - 'a' + 'A');
    in_word = is_alpha(c) || static_cast<uint8_t>(c) >= 0x80;
  }
  return result;
}

std::string replace(std::string_view text, std::string_view from, std::string_view to, int64_t count) {
  std::string result;
  size_t at = 0;
  for (; count != 0; --count) {
    if (from.empty()) {  // before every code point and at the end
      result += to;
      if (at == text.size()) return result;
      const size_t bytes = code_point_length(text, at);
      result += text.substr(at, bytes);
      at += bytes;
      continue;
    }
    const size_t found = text.find(from, at);
    if (found == text.npos) break;
    result += text.substr(at, found - at);
    result += to;
    at = found + from.size();
  }
  return result += text.substr(at);
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator, int64_t count) {
  std::vector<std::string_view> parts;
  for (; count != 0; --count) {
    const size_t found = text.find(separator);
    if (found == text.npos) break;
    parts.push_back(text.substr(0, found));
    text.remove_prefix(found + separator.size());
  }
  parts.push_back(text);
  return parts;
}

std::vector<std::string_view> split(std::string_view text, int64_t count) {
  std::vector<std::string_view> parts;
  text = strip(text, Ends::left);
  for (; count != 0 && !text.empty(); --count) {
    size_t end = 0;
    while (end < text.size() && !is_whitespace(code_point_at(text, end))) end += code_point_length(text, end);
    parts.push_back(text.substr(0, end));
    text = strip(text.substr(end), Ends::left);
  }
  if (!text.empty()) parts.push_back(text);
  return parts;
}

std::vector<std::string_view> split_right(std::string_view text, std::string_view separator, int64_t count) {
  std::vector<std::string_view> parts;
  for (; count != 0; --count) {
    const size_t found = text.rfind(separator);
    if (found == text.npos) break;
    parts.push_back(text.substr(found + separator.size()));
    text = text.substr(0, found);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_right(std::string_view text, int64_t count) {
  std::vector<std::string_view> parts;
  text = strip(text, Ends::right);
  for (; count != 0 && !text.empty(); --count) {
    size_t begin = text.size();
    while (begin > 0 && !is_whitespace(code_point_at(text, last_code_point(text, begin)))) {
      begin = last_code_point(text, begin);
    }
    parts.push_back(text.substr(begin));
    text = strip(text.substr(0, begin), Ends::right);
  }
  if (!text.empty()) parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_breaks) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = line_break(text, at);
    if (bytes == 0) {
      at += code_point_length(text, at);
      continue;
    }
    lines.push_back(text.substr(begin, at - begin + (keep_breaks ? bytes : 0)));
    at += bytes;
    begin = at;
  }
  if (begin < text.size()) lines.push_back(text.substr(begin));
  return lines;
}

}  // namespace tern::jinja
