// SPDX-License-Identifier: Apache-2.0
// Lines that a person types, or that another program writes.
#pragma once

#include <optional>
#include <string>

namespace tern::cli {

// Reads standard input: on a terminal with editing and history, else line by line.
class LineReader {
 public:
  LineReader();

  // The next line without its end; none at the end of the input (Ctrl-D). Where there is a terminal `prompt` stands
  // before it. Throws Error when reading fails.
  std::optional<std::string> next(const char* prompt);
  bool terminal() const { return terminal_; }

 private:
  bool terminal_;
};

}  // namespace tern::cli
