// SPDX-License-Identifier: Apache-2.0
#include "quant/absmean.h"

#include <algorithm>

#include "tern/ops.h"

namespace tern {
namespace {

constexpr float kSmallestScale = 1e-5f;

}  // namespace

std::vector<float> absmean_scales(std::span<const Tensor> matrices) {
  std::vector<float> scales = mean_abs(matrices);
  for (float& scale : scales) scale = std::max(scale, kSmallestScale);
  return scales;
}

void absmean_late(LateTernary& to, std::span<const Tensor> matrices) { to.quantize(matrices, kSmallestScale); }

}  // namespace tern
