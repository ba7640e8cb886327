// SPDX-License-Identifier: Apache-2.0
#include "conversation.h"

#include <fmt/format.h>

#include <utility>

#include "files.h"
#include "output.h"
#include "tern/error.h"

namespace tern::cli {
namespace {

[[noreturn]] void bad_file(const std::string& path, const std::string& what) {
  throw Error(fmt::format("[chat] {}: {}", path, what));
}

ChatMessage parse_message(const Json& json, const std::string& path, size_t index) {
  const auto text = [&](const char* key) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_string()) {
      bad_file(path, fmt::format("expected a text '{}' in message {}", key, index));
    }
    return json[key].get<std::string>();
  };
  return {text("role"), text("content")};
}

}  // namespace

void Conversation::set_system(const std::string& text) { system_ = text; }

bool Conversation::undo() {
  if (turns_.empty()) return false;
  take_back_answer();
  if (!turns_.empty()) turns_.pop_back();
  return true;
}

bool Conversation::take_back_answer() {
  if (turns_.empty() || turns_.back().role != "assistant") return false;
  turns_.pop_back();
  return true;
}

std::vector<ChatMessage> Conversation::messages() const {
  std::vector<ChatMessage> all;
  if (!system_.empty()) all.push_back({"system", system_});
  all.insert(all.end(), turns_.begin(), turns_.end());
  return all;
}

void Conversation::save(const std::string& path) const {
  Json list = Json::array();
  for (const ChatMessage& message : messages()) list.push_back({{"role", message.role}, {"content", message.content}});
  write_text(path, Json{{"messages", list}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

void Conversation::load(const std::string& path) {
  const Json json = Json::parse(read_text(path), nullptr, false);
  if (!json.is_object() || !json.contains("messages") || !json["messages"].is_array()) {
    bad_file(path, "expected a JSON object with a list 'messages'");
  }
  Conversation loaded;
  for (size_t i = 0; i < json["messages"].size(); ++i) {
    ChatMessage message = parse_message(json["messages"][i], path, i);
    const char* const turn = loaded.turns_.size() % 2 == 0 ? "user" : "assistant";
    if (i == 0 && message.role == "system") {
      loaded.system_ = message.content;
    } else if (message.role == turn) {
      loaded.turns_.push_back(std::move(message));
    } else {
      bad_file(path, fmt::format("expected message {} of the {}, got one of '{}'", i, turn, message.role));
    }
  }
  *this = std::move(loaded);
}

}  // namespace tern::cli
