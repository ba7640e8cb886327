// SPDX-License-Identifier: Apache-2.0
#include "base/cache_size.h"

#include <unistd.h>

#include <algorithm>

namespace tern {

int64_t last_level_cache_bytes() {
  int64_t bytes = 0;
#ifdef _SC_LEVEL3_CACHE_SIZE
  bytes = std::max(bytes, static_cast<int64_t>(::sysconf(_SC_LEVEL2_CACHE_SIZE)));
  bytes = std::max(bytes, static_cast<int64_t>(::sysconf(_SC_LEVEL3_CACHE_SIZE)));
#endif
  return bytes > 0 ? bytes : int64_t{32} << 20;
}

int64_t second_level_cache_bytes() {
  static const int64_t bytes = [] {
    int64_t said = 0;
#ifdef _SC_LEVEL2_CACHE_SIZE
    said = static_cast<int64_t>(::sysconf(_SC_LEVEL2_CACHE_SIZE));
#endif
    return said > 0 ? said : int64_t{512} << 10;
  }();
  return bytes;
}

}  // namespace tern
