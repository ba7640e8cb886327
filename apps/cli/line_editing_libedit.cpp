// SPDX-License-Identifier: Apache-2.0
#include <editline/readline.h>

#include <cstdlib>
#include <memory>

#include "line_editing.h"

namespace tern::cli {
namespace {

constexpr int kHistory = 1000;  // lines

}  // namespace

void prepare_line_editing() {
  rl_catch_signals = 1;  // the terminal is put in order before Ctrl-C ends the program
  stifle_history(kHistory);
}

std::optional<std::string> read_edited_line(const char* prompt) {
  const std::unique_ptr<char, void (*)(void*)> line(readline(prompt), &std::free);
  if (!line) return std::nullopt;
  if (*line != '\0') add_history(line.get());
  return line.get();
}

}  // namespace tern::cli
