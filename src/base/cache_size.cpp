// SPDX-License-Identifier: Apache-2.0
#include "base/cache_size.h"

#include <unistd.h>

#include <algorithm>

namespace tern {
namespace {

// 0 where the system does not say.
struct CacheBytes {
  int64_t second = 0, third = 0;

  CacheBytes() {
#ifdef _SC_LEVEL3_CACHE_SIZE
    second = std::max<int64_t>(::sysconf(_SC_LEVEL2_CACHE_SIZE), 0);
    third = std::max<int64_t>(::sysconf(_SC_LEVEL3_CACHE_SIZE), 0);
#endif
  }
};

// Asked once, since products ask before each call.
const CacheBytes& cache_bytes() {
  static const CacheBytes bytes;
  return bytes;
}

}  // namespace

int64_t last_level_cache_bytes() {
  const int64_t bytes = std::max(cache_bytes().second, cache_bytes().third);
  return bytes > 0 ? bytes : int64_t{32} << 20;
}

int64_t second_level_cache_bytes() {
  const int64_t bytes = cache_bytes().second;
  return bytes > 0 ? bytes : int64_t{512} << 10;
}

}  // namespace tern
