// SPDX-License-Identifier: Apache-2.0
#include "quant/absmean.h"

#include <algorithm>

#include "tern/ops.h"

namespace tern {
namespace {

constexpr float kSmallestScale = 1e-5f;

}  // namespace

TernaryCodes absmean_quantize(const Tensor& w) {
  const float scale = std::max(mean_abs(w), kSmallestScale);
  return {ternary_codes(w, scale), scale};
}

}  // namespace tern
