// SPDX-License-Identifier: Apache-2.0
// The messages of a chat, and their file.
#pragma once

#include <string>
#include <vector>

#include "tern/chat.h"

namespace tern::cli {

// A system message, if there is one, then what user and assistant said in turn.
class Conversation {
 public:
  // An empty text takes the system message away.
  void set_system(const std::string& text);
  void ask(const std::string& text) { turns_.push_back({"user", text}); }
  void answer(const std::string& text) { turns_.push_back({"assistant", text}); }
  void clear() { turns_.clear(); }
  // Takes back the last question and its answer, or the last question that has none. False if there is nothing.
  bool undo();
  // Takes back the last answer; false if the last message is none.
  bool take_back_answer();

  const std::vector<ChatMessage>& turns() const { return turns_; }
  std::vector<ChatMessage> messages() const;

  // {"messages": [{"role": …, "content": …}, …]}, written in one step. Throws Error naming the path.
  void save(const std::string& path) const;
  // Throws Error naming the path and what is wrong; the conversation is then as it was.
  void load(const std::string& path);

 private:
  std::string system_;
  std::vector<ChatMessage> turns_;
};

}  // namespace tern::cli
