// SPDX-License-Identifier: Apache-2.0
#include "turn_end.h"

#include <algorithm>
#include <string>
#include <vector>

namespace tern::cli {
namespace {

constexpr std::string_view kAnswer = "an answer 8c1d", kQuestion = "a question 5e7f";
constexpr std::string_view kBlank = " \t\r\n";

// What stands between an answer and the next question; nothing if the template says otherwise.
std::string between_turns(const ChatTemplate& chat_template) {
  const ChatMessage messages[] = {
      {"user", "first"}, {"assistant", std::string(kAnswer)}, {"user", std::string(kQuestion)}};
  std::string text;
  try {
    text = chat_template.render(messages, false);
  } catch (const Error&) {
    return "";
  }
  const size_t answer = text.find(kAnswer);
  if (answer == text.npos) return "";
  const size_t begin = answer + kAnswer.size(), end = text.find(kQuestion, begin);
  return end == text.npos ? "" : text.substr(begin, end - begin);
}

// Up to the end of its first line with anything on it.
std::string first_line(const std::string& text) {
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == text.npos) return "";
  const std::string line = text.substr(0, text.find('\n', begin));
  return line.substr(0, line.find_last_not_of(kBlank) + 1);
}

}  // namespace

void end_turns_of(const ChatTemplate& chat_template, const Tokenizer& tokenizer, TextOptions& options) {
  const std::string between = between_turns(chat_template);
  const std::vector<int32_t> ids = tokenizer.encode(between);
  const auto special = std::find_if(ids.begin(), ids.end(), [&](int32_t id) { return tokenizer.is_special(id); });
  if (special != ids.end()) {
    options.stop_ids.push_back(*special);
  } else if (const std::string line = first_line(between); !line.empty()) {
    options.stop.push_back(line);
  }
}

}  // namespace tern::cli
