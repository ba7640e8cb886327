// SPDX-License-Identifier: Apache-2.0
#include "output.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "tern/error.h"

namespace tern::cli {

void write_out(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return;
  if (errno == EPIPE) throw BrokenPipe();
  throw Error("[stdout] cannot write: " + std::generic_category().message(errno));
}

void print_json(const Json& object) { write_out(object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"); }

void write_note(std::string_view text) { static_cast<void>(std::fwrite(text.data(), 1, text.size(), stderr)); }

}  // namespace tern::cli
