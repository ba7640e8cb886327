// SPDX-License-Identifier: Apache-2.0
// The entries of the mixed-precision table, by the files that have them.
#pragma once

#include "device/mixed_kernels.h"

namespace tern::cuda {

// scatter_rows.cu
void mixed_scatter_add_rows(const Exec& exec, const MixedScatterArgs& args) noexcept;
// mixed_norm.cu
void mixed_norm_quantize(const Exec& exec, const MixedNormQuantizeArgs& args) noexcept;
void mixed_norm(const Exec& exec, const MixedNormArgs& args) noexcept;
// mixed_norm_backward.cu
void mixed_norm_backward(const Exec& exec, const MixedNormBackwardArgs& args) noexcept;
// mixed_rows.cu
void mixed_gather_rows(const Exec& exec, const MixedGatherArgs& args) noexcept;
void mixed_scale(const Exec& exec, const MixedScaleArgs& args) noexcept;
void mixed_codes(const Exec& exec, const MixedCodesArgs& args) noexcept;
// ternary_pack.cu
void mixed_quantize(const Exec& exec, const MixedQuantizeArgs& args) noexcept;
// mixed_cross_entropy.cu
void mixed_cross_entropy(const Exec& exec, const MixedCrossEntropyArgs& args) noexcept;
// mixed_ternary.cu
void mixed_ternary_matmul(const Exec& exec, const MixedTernaryArgs& args) noexcept;
// mixed_matmul.cu
void mixed_matmul(const Exec& exec, const MixedMatmulArgs& args) noexcept;
// mixed_gradient.cu
void mixed_weight_gradient(const Exec& exec, const MixedGradientArgs& args) noexcept;
// mixed_attention.cu
void mixed_attention(const Exec& exec, const MixedAttentionArgs& args) noexcept;
// mixed_attention_backward.cu
void mixed_attention_backward(const Exec& exec, const MixedAttentionBackwardArgs& args) noexcept;
// mixed_attention_lines.cu: the same where it is faster; false where not, then nothing is launched.
bool mixed_attention_backward_by_lines(const Exec& exec, const MixedAttentionBackwardArgs& args) noexcept;

}  // namespace tern::cuda
