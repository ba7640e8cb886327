// SPDX-License-Identifier: Apache-2.0
// What the system says of the processor and of this process.
#pragma once

#include <cstdint>
#include <string>

namespace tern::cli {

// "AMD EPYC"; "unknown" where the system does not say.
std::string cpu_name();

// Memory of this process that is in use now, files it has mapped and read included; 0 where the system does not say.
int64_t resident_bytes();

}  // namespace tern::cli
