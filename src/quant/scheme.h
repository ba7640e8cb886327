// SPDX-License-Identifier: Apache-2.0
// A weight scheme: how a float matrix becomes ternary codes and a scale. It knows no bytes and no device.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "core/codes.h"
#include "ops/late_ternary.h"
#include "ops/pack_rows.h"

namespace tern {

struct WeightScheme {
  const char* name;
  // The scales of f32 matrices [rows, cols] on one device, measured together: a GPU is waited for once.
  std::vector<float> (*scales)(std::span<const Tensor> matrices);
  // Their codes by their scales, and what the device makes of them. Waits for nothing. The gradient of every scheme
  // here is the straight-through estimator, which ops.h's ternary_linear_ste applies.
  std::vector<QuantizedTernary> (*codes)(std::span<const Tensor> matrices, std::span<const float> scales);
  // The same codes, before the scales are known: of matrices of the shapes that `to` was made for.
  void (*late)(LateTernary& to, std::span<const Tensor> matrices);

  TernaryCodes quantize(const Tensor& w) const {
    const float scale = scales({&w, 1})[0];
    return {codes({&w, 1}, {&scale, 1})[0].codes, scale};
  }
};

// The explicit list (schemes.cpp).
std::span<const WeightScheme> weight_schemes();

// Throws Error, listing the names, when there is none called `name`.
const WeightScheme& find_weight_scheme(std::string_view name);

}  // namespace tern
