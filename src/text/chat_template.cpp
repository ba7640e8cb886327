// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/check.h"
#include "base/file.h"
#include "jinja/template.h"
#include "tern/chat.h"
#include "text/utf8.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;
using Tokens = std::map<std::string, std::string>;

constexpr const char* kOp = "chat_template";
constexpr uint64_t kMaxConfig = uint64_t{256} << 20;  // bytes of a tokenizer_config.json
constexpr std::string_view kTokenSuffix = "_token";

Json read_config(const std::string& path) {
  Json config;
  try {
    config = Json::parse(read_file(path, kMaxConfig));
  } catch (const Json::exception& error) {
    fail(kOp, "expected JSON in {}, got: {}", path, error.what());
  }
  check(config.is_object(), kOp, "{}: expected an object, got {}", path, config.type_name());
  return config;
}

Tokens tokens_of(const Json& config) {
  Tokens tokens;
  for (const auto& [key, value] : config.items()) {
    if (!std::string_view(key).ends_with(kTokenSuffix)) continue;
    const bool wrapped = value.is_object() && value.contains("content");
    const Json& content = wrapped ? value["content"] : value;
    if (content.is_string()) tokens.emplace(key, content.get<std::string>());
  }
  return tokens;
}

// The template of a tokenizer_config.json, if it has one.
std::optional<std::string> template_of(const Json& config, const std::string& path) {
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return std::nullopt;
  if (found->is_string()) return found->get<std::string>();
  check(found->is_array(), kOp, "{}: expected chat_template to be a string or a list, got {}", path,
        found->type_name());
  for (const Json& entry : *found) {
    const bool is_entry = entry.is_object() && entry.contains("name") && entry["name"].is_string() &&
                          entry.contains("template") && entry["template"].is_string();
    check(is_entry, kOp, "{}: expected each chat_template with a name and a template, both strings", path);
    if (entry["name"] == "default") return entry["template"].get<std::string>();
  }
  fail(kOp, "{}: expected a chat_template with the name \"default\", got {} others", path, found->size());
}

std::string well_formed(std::string_view bytes) {
  std::string text;
  append_utf8(bytes, /*last=*/true, text);
  return text;
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm result{};
  localtime_r(&now, &result);
  return result;
}

}  // namespace

struct ChatTemplate::State {
  jinja::Template parsed;
  std::string defaults;  // variables of every rendering, as JSON
};

ChatTemplate ChatTemplate::load(const std::string& model_directory, const std::string& template_file) {
  const std::filesystem::path directory(model_directory);
  const std::string config_path = (directory / "tokenizer_config.json").string();
  const std::string jinja_path = template_file.empty() ? (directory / "chat_template.jinja").string() : template_file;
  Json config = Json::object();
  if (std::filesystem::exists(config_path)) config = read_config(config_path);
  const Tokens tokens = tokens_of(config);
  if (!template_file.empty() || std::filesystem::exists(jinja_path)) {
    return parse(read_file(jinja_path, jinja::kMaxSource), tokens, jinja_path);
  }
  const std::optional<std::string> source = template_of(config, config_path);
  check(source.has_value(), kOp,
        "{}: expected chat_template.jinja or a chat_template in tokenizer_config.json, got neither: give a template's "
        "file (--chat-template FILE)",
        model_directory);
  return parse(*source, tokens, config_path + ": chat_template");
}

ChatTemplate ChatTemplate::parse(std::string_view jinja, const Tokens& tokens, const std::string& name) {
  const size_t valid = utf8_prefix(jinja);
  check(valid == jinja.size(), kOp, "{}: expected UTF-8, got byte {} that is none", name, valid);
  Json defaults = {{"tools", nullptr}, {"documents", nullptr}, {"add_generation_prompt", false}};
  for (const auto& [token, text] : tokens) defaults[token] = well_formed(text);
  return ChatTemplate(std::make_shared<const State>(State{jinja::Template::parse(jinja, name), defaults.dump()}));
}

std::string ChatTemplate::render(std::span<const ChatMessage> messages, bool add_generation_prompt) const {
  Json list = Json::array();
  for (const ChatMessage& message : messages) {
    list.push_back({{"role", well_formed(message.role)}, {"content", well_formed(message.content)}});
  }
  return render_json(Json{{"messages", std::move(list)}, {"add_generation_prompt", add_generation_prompt}}.dump());
}

std::string ChatTemplate::render_json(std::string_view variables) const {
  const std::array<std::string_view, 2> both = {state_->defaults, variables};
  return state_->parsed.render(both, local_time());
}

}  // namespace tern
