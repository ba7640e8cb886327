// SPDX-License-Identifier: Apache-2.0
// What the system says of resident memory (Linux).
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <vector>

namespace tern::testing {

// Of the process.
inline size_t resident_bytes() {
  size_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

// Of the mapped pages that [at, at + bytes) touches.
inline size_t resident_bytes(const void* at, size_t bytes) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(at) / page * page;
  std::vector<unsigned char> pages((reinterpret_cast<uintptr_t>(at) + bytes - begin + page - 1) / page);
  if (::mincore(reinterpret_cast<void*>(begin), pages.size() * page, pages.data()) != 0) return 0;
  return static_cast<size_t>(std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return p & 1; })) * page;
}

}  // namespace tern::testing
