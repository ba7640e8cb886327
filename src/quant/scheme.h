// SPDX-License-Identifier: Apache-2.0
// A weight scheme: how a float matrix becomes ternary codes and a scale. It knows no bytes and no device.
#pragma once

#include <span>
#include <string_view>

#include "core/codes.h"

namespace tern {

struct WeightScheme {
  const char* name;
  // Codes and scale of f32 w [rows, cols]. The gradient of every scheme here is the straight-through estimator, which
  // ops.h's ternary_linear_ste applies.
  TernaryCodes (*quantize)(const Tensor& w);
};

// The explicit list (schemes.cpp).
std::span<const WeightScheme> weight_schemes();

// Throws Error, listing the names, when there is none called `name`.
const WeightScheme& find_weight_scheme(std::string_view name);

}  // namespace tern
