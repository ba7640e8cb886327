// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include "line_editing.h"
#include "output.h"

namespace tern::cli {

void prepare_line_editing() {}

std::optional<std::string> read_edited_line(const char* prompt) {
  write_out(prompt);
  std::string line;
  if (std::getline(std::cin, line)) return line;
  return std::nullopt;
}

}  // namespace tern::cli
