// SPDX-License-Identifier: Apache-2.0
#include "jinja/print.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "jinja/text.h"

namespace tern::jinja {
namespace {

// Python escapes what is not printable. Here: controls, format characters, spaces but ' ', private use; not the code
// points that Unicode has not assigned.
bool is_printable(uint32_t code) {
  if (code < 0x20 || (code >= 0x7F && code <= 0xA0) || code == 0xAD) return false;
  if (code == 0x1680 || code == 0x3000 || code == 0xFEFF) return false;
  if ((code >= 0x2000 && code <= 0x200F) || (code >= 0x2028 && code <= 0x202F)) return false;
  return !(code >= 0x205F && code <= 0x206F) && !(code >= 0xE000 && code <= 0xF8FF) && code < 0xE0000;
}

void append_escaped(uint32_t code, std::string& out) {
  if (code == '\n') {
    out += "\\n";
  } else if (code == '\r') {
    out += "\\r";
  } else if (code == '\t') {
    out += "\\t";
  } else if (code < 0x100) {
    out += fmt::format("\\x{:02x}", code);
  } else {
    out += code < 0x10000 ? fmt::format("\\u{:04x}", code) : fmt::format("\\U{:08x}", code);
  }
}

void append_quoted(const std::string& text, std::string& out) {
  const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  out += quote;
  for (size_t at = 0, bytes = 0; at < text.size(); at += bytes) {
    bytes = code_point_length(text, at);
    const uint32_t code = code_point_at(text, at);
    if (code == '\\' || code == static_cast<uint32_t>(quote)) out += '\\';
    if (is_printable(code)) {
      out.append(text, at, bytes);
    } else {
      append_escaped(code, out);
    }
  }
  out += quote;
}

void append_repr(Budget& budget, const Value& value, std::string& out) {
  const size_t before = out.size();
  budget.step();
  if (value.is_string()) {
    append_quoted(value.string(), out);
  } else if (const List* list = value.list()) {
    out += list->tuple ? '(' : '[';
    for (size_t i = 0; i < list->items.size(); ++i) {
      if (i > 0) out += ", ";
      append_repr(budget, list->items[i], out);
    }
    if (list->tuple && list->items.size() == 1) out += ',';
    out += list->tuple ? ')' : ']';
    return;
  } else if (const Dict* dict = value.dict()) {
    out += '{';
    for (size_t i = 0; i < dict->entries.size(); ++i) {
      if (i > 0) out += ", ";
      append_repr(budget, dict->entries[i].first, out);
      out += ": ";
      append_repr(budget, dict->entries[i].second, out);
    }
    out += '}';
    return;
  } else if (value.is_undefined()) {
    out += "Undefined";
  } else {
    out += to_text(budget, value);
  }
  budget.make(out.size() - before);
}

}  // namespace

std::string real_to_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  const double size = std::abs(value);
  const bool scientific = size != 0 && (size < 1e-4 || size >= 1e16);
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits, value,
                                 scientific ? std::chars_format::scientific : std::chars_format::fixed);
  std::string text(digits, end.ptr);
  if (!scientific && text.find('.') == text.npos) text += ".0";
  return text;
}

std::string to_text(Budget& budget, const Value& value) {
  if (value.is_undefined()) return {};
  if (value.is_none()) return "None";
  if (value.is_boolean()) return value.boolean() ? "True" : "False";
  if (value.is_integer()) return std::to_string(value.integer());
  if (value.is_real()) return real_to_text(value.real());
  if (value.is_string()) {
    budget.make(value.string().size());
    return value.string();
  }
  if (!value.list() && !value.dict()) throw Fault(std::string("expected a value with a text, got a ") + value.kind());
  return to_repr(budget, value);
}

std::string to_repr(Budget& budget, const Value& value) {
  std::string out;
  append_repr(budget, value, out);
  return out;
}

}  // namespace tern::jinja
