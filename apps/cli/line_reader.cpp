// SPDX-License-Identifier: Apache-2.0
#include "line_reader.h"

#include <unistd.h>

#include <iostream>

#include "line_editing.h"
#include "output.h"
#include "tern/error.h"

namespace tern::cli {

LineReader::LineReader() : terminal_(isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1) {
  if (terminal_) prepare_line_editing();
}

std::optional<std::string> LineReader::next(const char* prompt) {
  if (terminal_) {
    std::optional<std::string> line = read_edited_line(prompt);
    if (!line) write_out("\n");
    return line;
  }
  std::string line;
  if (std::getline(std::cin, line)) return line;
  if (std::cin.bad()) throw Error("[stdin] cannot read");
  return std::nullopt;
}

}  // namespace tern::cli
