// SPDX-License-Identifier: Apache-2.0
#include "machine.h"

#include <cstdlib>
#include <fstream>

namespace tern::cli {
namespace {

// The value after "key:" in a file of /proc, or nothing.
std::string proc_value(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (line.rfind(key, 0) != 0 || colon == line.npos) continue;
    const size_t value = line.find_first_not_of(" \t", colon + 1);
    return value == line.npos ? "" : line.substr(value);
  }
  return "";
}

}  // namespace

std::string cpu_name() {
  const std::string name = proc_value("/proc/cpuinfo", "model name");
  return name.empty() ? "unknown" : name;
}

int64_t resident_bytes() { return std::strtoll(proc_value("/proc/self/status", "VmRSS").c_str(), nullptr, 10) * 1024; }

}  // namespace tern::cli
