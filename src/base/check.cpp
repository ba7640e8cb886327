// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

namespace tern {

void fail_with(const char* op, fmt::string_view format, fmt::format_args args) {
  throw Error(fmt::format("[{}] {}", op, fmt::vformat(format, args)));
}

}  // namespace tern
