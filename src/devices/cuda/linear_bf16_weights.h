// SPDX-License-Identifier: Apache-2.0
// linear and its kin with weights in bf16, which are for tensor cores.
#pragma once

#include <cstdint>

#include "device/kernels.h"

namespace tern::cuda {

// Of columns; beyond, whatever their type, weights are left to linear.cu.
inline constexpr int64_t kMostSplitColumns = int64_t{1} << 30;

// Whether tensor cores multiply them: the bits depend on the type of the weights and on k alone.
inline bool suits_tensor_cores(DType w_dtype, int64_t k) { return w_dtype == DType::bf16 && k <= kMostSplitColumns; }

void linear_bf16_weights(const Exec& exec, const LinearArgs& args) noexcept;
void linear_rows_bf16_weights(const Exec& exec, const LinearRowsArgs& args) noexcept;
void linear_pairs_bf16_weights(const Exec& exec, const LinearPairsArgs& args) noexcept;

}  // namespace tern::cuda
