// SPDX-License-Identifier: Apache-2.0
#include "jinja/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "jinja/print.h"
#include "jinja/text.h"

namespace tern::jinja {
namespace {

// nlohmann's parser calls these; it keeps no value of its own and does not recurse.
class Reader {
 public:
  explicit Reader(Budget& budget) : budget_(budget) {}

  // NOLINTBEGIN: the names are nlohmann's
  bool null() { return put(None{}); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(int64_t value) { return put(value); }
  bool number_unsigned(uint64_t value) {
    if (value > uint64_t{INT64_MAX}) throw Fault("expected an integer of 64 bits, got " + std::to_string(value));
    return put(static_cast<int64_t>(value));
  }
  bool number_float(double value, const std::string&) { return put(value); }
  bool string(std::string& value) { return put(make_string(budget_, std::move(value))); }
  bool binary(nlohmann::json::binary_t&) { return false; }
  bool start_object(size_t) { return open(false); }
  bool start_array(size_t) { return open(true); }
  bool key(std::string& name) {
    open_.back().entries.emplace_back(make_string(budget_, std::move(name)), Value());
    return true;
  }
  bool end_object() {
    auto entries = std::move(open_.back().entries);
    open_.pop_back();
    return put(make_dict(budget_, std::move(entries)));
  }
  bool end_array() {
    Values items = std::move(open_.back().items);
    open_.pop_back();
    return put(make_list(budget_, std::move(items)));
  }
  bool parse_error(size_t byte, const std::string&, const nlohmann::json::exception&) {
    throw Fault("expected JSON, got invalid JSON or UTF-8 at byte " + std::to_string(byte));
  }
  // NOLINTEND

  Value result;

 private:
  struct Open {
    bool array;
    Values items;
    std::vector<std::pair<Value, Value>> entries;
  };

  bool open(bool array) {
    if (open_.size() >= static_cast<size_t>(kMaxValueDepth))
      throw Fault("expected JSON less deep, got more levels than the limit allows");
    open_.push_back({array, {}, {}});
    return true;
  }
  bool put(Value value) {
    if (open_.empty()) {
      result = std::move(value);
    } else if (open_.back().array) {
      open_.back().items.push_back(std::move(value));
    } else {
      open_.back().entries.back().second = std::move(value);
    }
    return true;
  }

  Budget& budget_;
  std::vector<Open> open_;
};

class Writer {
 public:
  Writer(Budget& budget, const JsonStyle& style) : budget_(budget), style_(style) {}

  void write(const Value& value, int level) {
    budget_.step();
    if (value.is_string()) {
      write_string(value.string());
    } else if (const List* list = value.list()) {
      write_list(*list, level);
    } else if (const Dict* dict = value.dict()) {
      write_dict(*dict, level);
    } else {
      write_scalar(value);
    }
  }
  std::string take() {
    settle();
    return std::move(out_);
  }

 private:
  // Accounts for what was written since the last time.
  void settle() {
    budget_.make(out_.size() - settled_);
    settled_ = out_.size();
  }
  void write_scalar(const Value& value) {
    if (value.is_none()) {
      out_ += "null";
    } else if (value.is_boolean()) {
      out_ += value.boolean() ? "true" : "false";
    } else if (value.is_real() && !std::isfinite(value.real())) {
      out_ += std::isnan(value.real()) ? "NaN" : value.real() < 0 ? "-Infinity" : "Infinity";
    } else if (value.is_number()) {
      out_ += to_text(budget_, value);
    } else {
      value.require_defined();
      throw Fault(std::string("expected a value that JSON can hold, got a ") + value.kind());
    }
  }
  void write_string(const std::string& text) {
    out_ += '"';
    for (size_t at = 0, bytes = 0; at < text.size(); at += bytes) {
      bytes = code_point_length(text, at);
      const uint32_t code = code_point_at(text, at);
      if (code < 0x80 || style_.ascii) {
        write_code(code);
      } else {
        out_.append(text, at, bytes);
      }
    }
    out_ += '"';
    settle();
  }
  void write_code(uint32_t code) {
    static constexpr std::string_view kShort = "\"\"\\\\\bb\ff\nn\rr\tt";  // character, letter of its escape
    for (size_t i = 0; i < kShort.size(); i += 2) {
      if (code != static_cast<uint8_t>(kShort[i])) continue;
      out_ += '\\';
      out_ += kShort[i + 1];
      return;
    }
    if (code >= 0x10000) {
      out_ += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
    } else if (code < 0x20 || code >= 0x80) {
      out_ += fmt::format("\\u{:04x}", code);
    } else {
      out_ += static_cast<char>(code);
    }
  }
  void new_line(int level) {
    if (!style_.indent) return;
    out_ += '\n';
    for (int i = 0; i < level; ++i) out_ += *style_.indent;
    settle();
  }
  // What stands before element i of a list or dict.
  void begin_item(size_t i, int level) {
    if (i > 0) out_ += style_.item_separator;
    new_line(level + 1);
  }
  void write_list(const List& list, int level) {
    out_ += '[';
    for (size_t i = 0; i < list.items.size(); ++i) {
      begin_item(i, level);
      write(list.items[i], level + 1);
    }
    if (!list.items.empty()) new_line(level);
    out_ += ']';
  }
  void write_dict(const Dict& dict, int level) {
    std::vector<const std::pair<Value, Value>*> entries;
    for (const auto& entry : dict.entries) entries.push_back(&entry);
    budget_.make(entries.size() * sizeof entries[0]);
    if (style_.sort_keys) {
      for (const auto* entry : entries) {
        if (!entry->first.is_string()) throw Fault("expected keys that are strings to sort, got another kind");
        budget_.step();
      }
      std::stable_sort(entries.begin(), entries.end(),
                       [](const auto* a, const auto* b) { return a->first.string() < b->first.string(); });
    }
    out_ += '{';
    for (size_t i = 0; i < entries.size(); ++i) {
      begin_item(i, level);
      const Value& key = entries[i]->first;
      if (key.is_string()) {
        write_string(key.string());
      } else {
        out_ += '"';
        if (key.list()) throw Fault("expected a key that JSON can hold, got a tuple");
        write_scalar(key);
        out_ += '"';
      }
      out_ += style_.key_separator;
      write(entries[i]->second, level + 1);
    }
    if (!entries.empty()) new_line(level);
    out_ += '}';
  }

  Budget& budget_;
  const JsonStyle& style_;
  std::string out_;
  size_t settled_ = 0;
};

}  // namespace

Value parse_json(Budget& budget, std::string_view json) {
  if (json.find('\0') != json.npos) throw Fault("expected JSON, got a zero byte");  // it ends nlohmann's input
  Reader reader(budget);
  nlohmann::json::sax_parse(json, &reader);
  return std::move(reader.result);
}

std::string to_json(Budget& budget, const Value& value, const JsonStyle& style) {
  Writer writer(budget, style);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace tern::jinja
