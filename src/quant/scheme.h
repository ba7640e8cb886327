// SPDX-License-Identifier: Apache-2.0
// A weight scheme: how a float matrix becomes ternary codes and a scale. It knows no bytes and no device.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/codes.h"

namespace tern {

struct WeightScheme {
  const char* name;
  // The scales of f32 matrices [rows, cols] on one device, measured together: a GPU is waited for once.
  std::vector<float> (*scales)(std::span<const Tensor> matrices);
  // The codes i8 of w, contiguous, by its scale. Waits for nothing. The gradient of every scheme here is the
  // straight-through estimator, which ops.h's ternary_linear_ste applies.
  Tensor (*codes)(const Tensor& w, float scale);

  TernaryCodes quantize(const Tensor& w) const {
    const float scale = scales({&w, 1})[0];
    return {codes(w, scale), scale};
  }
};

// The explicit list (schemes.cpp).
std::span<const WeightScheme> weight_schemes();

// Throws Error, listing the names, when there is none called `name`.
const WeightScheme& find_weight_scheme(std::string_view name);

}  // namespace tern
