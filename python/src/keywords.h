// SPDX-License-Identifier: Apache-2.0
// Arguments that many functions share, and the texts of signatures.
#pragma once

#include <optional>
#include <string>

#include "axes.h"
#include "casters.h"
#include "operand.h"

namespace tern::python {

// dtype: DType | None = None, device: Device | str | None = None
inline constexpr const char* kDTypeAndDevice = "dtype: DType | None = None, device: Device | str | None = None";

inline std::string signature(const std::string& name, const std::string& arguments,
                             const std::string& result = "Tensor") {
  return "def " + name + "(" + arguments + ") -> " + result;
}

// An argument by keyword that may be left out.
inline auto optional_keyword(const char* name) { return nb::arg(name).none() = nb::none(); }

using MaybeDType = std::optional<DType>;
using MaybeDevice = std::optional<DeviceArgument>;

inline Device device_or_default(const MaybeDevice& device) { return device ? device->device : default_device(); }

}  // namespace tern::python
