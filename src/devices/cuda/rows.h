// SPDX-License-Identifier: Apache-2.0
// The entries of kRows (device/kernels.h says what each does).
#pragma once

#include "device/kernels.h"

namespace tern::cuda {

void rms_norm(const Exec& exec, const RmsNormArgs& args) noexcept;
void rms_norm_backward(const Exec& exec, const RmsNormBackwardArgs& args) noexcept;
void softmax(const Exec& exec, const SoftmaxArgs& args) noexcept;
void softmax_backward(const Exec& exec, const SoftmaxBackwardArgs& args) noexcept;
void rope(const Exec& exec, const RopeArgs& args) noexcept;
void quantize_rows(const Exec& exec, const QuantizeRowsArgs& args) noexcept;
void norm_quantize(const Exec& exec, const NormQuantizeArgs& args) noexcept;
void cross_entropy(const Exec& exec, const CrossEntropyArgs& args) noexcept;
void cross_entropy_backward(const Exec& exec, const CrossEntropyBackwardArgs& args) noexcept;

}  // namespace tern::cuda
