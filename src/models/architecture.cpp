// SPDX-License-Identifier: Apache-2.0
#include "models/architecture.h"

#include <vector>

#include "base/check.h"

namespace tern {

const ArchitectureEntry& find_architecture(std::string_view name) {
  std::vector<std::string_view> names;
  for (const ArchitectureEntry& entry : architectures()) {
    if (entry.name == name) return entry;
    names.emplace_back(entry.name);
  }
  fail("model", "expected an architecture of {}, got '{}'", fmt::join(names, ", "), name);
}

}  // namespace tern
