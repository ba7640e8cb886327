// SPDX-License-Identifier: Apache-2.0
#include "line_reader.h"

#include <editline/readline.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "tern/error.h"

namespace tern::cli {
namespace {

constexpr int kHistory = 1000;  // lines

}  // namespace

LineReader::LineReader() : terminal_(isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1) {
  if (!terminal_) return;
  rl_catch_signals = 1;  // the terminal is put in order before Ctrl-C ends the program
  stifle_history(kHistory);
}

std::optional<std::string> LineReader::next(const char* prompt) {
  if (terminal_) {
    const std::unique_ptr<char, void (*)(void*)> line(readline(prompt), &std::free);
    if (!line) {
      std::fputs("\n", stdout);
      return std::nullopt;
    }
    if (*line != '\0') add_history(line.get());
    return line.get();
  }
  std::string line;
  if (std::getline(std::cin, line)) return line;
  if (std::cin.bad()) throw Error("[stdin] cannot read");
  return std::nullopt;
}

}  // namespace tern::cli
