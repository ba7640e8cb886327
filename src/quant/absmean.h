// SPDX-License-Identifier: Apache-2.0
// The absmean scheme of b1.58.
#pragma once

#include <span>
#include <vector>

#include "ops/late_ternary.h"
#include "tern/tensor.h"

namespace tern {

// scale = max(mean|W|, 1e-5) over the whole matrix. The codes are ternary_codes (tern/ops.h): clamp(round(W / scale),
// -1, 1) with ties to even and the division done as a multiplication by 1/scale (arXiv 2402.17764, equations 1 to 3,
// with the clamp of Microsoft's and Hugging Face's code in place of the paper's + ε).
std::vector<float> absmean_scales(std::span<const Tensor> matrices);
void absmean_late(LateTernary& to, std::span<const Tensor> matrices);

}  // namespace tern
