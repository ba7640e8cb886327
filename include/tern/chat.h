// SPDX-License-Identifier: Apache-2.0
// Chats as the text a model was trained on: the model's own chat template, rendered.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "tern/error.h"

namespace tern {

struct ChatMessage {
  std::string role, content;  // "system", "user", "assistant", …
};

// A chat template in Hugging Face's dialect of Jinja. An immutable value: copies share the template, and threads may
// use one at the same time. Templates are not trusted: one that runs or grows without end is an Error, and none can
// reach anything but the variables given to it and the clock (strftime_now, local time).
//
// Rendered as transformers does (trim_blocks, lstrip_blocks, loop controls, no escaping, immutable sandbox), with these
// differences: integers have 64 bits; upper, lower, title and capitalize change ASCII letters only; safe and
// escape give plain text, which + never escapes; loops cannot be recursive, and no template can include another. The
// text usually begins with bos_token, so encode it without adding another one.
class ChatTemplate {
 public:
  // The template of a model: `template_file` if given, else chat_template.jinja in the directory, else chat_template of
  // its tokenizer_config.json, which is a string or a list of named ones, of which "default" is taken. Every member
  // <name>_token of tokenizer_config.json that is a string or has a "content" is a variable of the template. Throws
  // Error naming the file at fault, and when the model has no template.
  static ChatTemplate load(const std::string& model_directory, const std::string& template_file = "");
  // The same from memory. `tokens` are variables ("bos_token"); `name` stands for the file in errors.
  static ChatTemplate parse(std::string_view jinja, const std::map<std::string, std::string>& tokens = {},
                            const std::string& name = "chat template");

  // The messages as text; add_generation_prompt appends what begins the assistant's answer. Bytes that are not UTF-8
  // become U+FFFD. tools and documents are none. Throws Error naming the line when the template refuses the messages
  // (raise_exception), uses what is undefined, or passes a limit.
  std::string render(std::span<const ChatMessage> messages, bool add_generation_prompt) const;
  // The same for any variables: a JSON object with `messages` in the shape the template expects, tools,
  // add_generation_prompt (false if absent) and whatever else it reads.
  std::string render_json(std::string_view variables) const;

 private:
  struct State;
  explicit ChatTemplate(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace tern
