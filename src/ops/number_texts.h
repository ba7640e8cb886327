// SPDX-License-Identifier: Apache-2.0
// The elements of a tensor as texts of one width, so that they stand below each other.
#pragma once

#include <string>
#include <vector>

#include "tern/print.h"

namespace tern {

// In row-major order; of a number alone, without blanks around it. x has elements and may be on any device.
std::vector<std::string> number_texts(const Tensor& x, const PrintOptions& options);

}  // namespace tern
