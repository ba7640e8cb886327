// SPDX-License-Identifier: Apache-2.0
// How much the caches of this machine hold.
#pragma once

#include <cstdint>

namespace tern {

// Bytes of the largest cache that a core reads through, shared or not; 32 MiB where the system does not say.
int64_t last_level_cache_bytes();

// Bytes of a core's second-level cache; 512 KiB where the system does not say.
int64_t second_level_cache_bytes();

}  // namespace tern
