// SPDX-License-Identifier: Apache-2.0
// A memory report as a dict.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "tern/memory.h"

namespace tern::python {

namespace nb = nanobind;

// What every tensor has: bytes, and the block that they lie in.
inline void put_memory_fields(nb::dict& to, const TensorMemory& memory) {
  to["bytes"] = memory.bytes;
  to["storage_bytes"] = memory.storage_bytes;
  to["offset"] = memory.offset;
  to["sharers"] = memory.sharers;
  to["owned"] = memory.owned;
  to["label"] = memory.label;
}

}  // namespace tern::python
