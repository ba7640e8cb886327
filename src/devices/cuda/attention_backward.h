// SPDX-License-Identifier: Apache-2.0
// Gradients of attention by the products of warp groups.
#pragma once

#include "device/kernels.h"

namespace tern::cuda {

// What attention_backward_wgmma takes, on compute capability 9.0.
inline constexpr int64_t kWidestWgmmaHead = 128;

// attention_backward, for at least one row. Products as accurate as those of f32, or of operands that are rounded to
// bf16, as Exec::matmul_precision says.
void attention_backward_wgmma(const Exec& exec, const AttentionBackwardArgs& args) noexcept;

}  // namespace tern::cuda
