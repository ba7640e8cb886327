// SPDX-License-Identifier: Apache-2.0
// The entries of MatmulKernels, and of ScoreKernels what belongs to them.
#pragma once

#include "device/kernels.h"

namespace tern::cuda {

void matmul(const Exec& exec, const MatmulArgs& args) noexcept;
void linear(const Exec& exec, const LinearArgs& args) noexcept;
void linear_rows(const Exec& exec, const LinearRowsArgs& args) noexcept;
void linear_pairs(const Exec& exec, const LinearPairsArgs& args) noexcept;

// The products of matmul and of linear with f32 weights on tensor cores, where Exec::matmul_precision is bf16 and they
// are large enough. False where nothing was done: they are left to f32.
bool matmul_in_bf16(const Exec& exec, const MatmulArgs& args) noexcept;
bool linear_in_bf16(const Exec& exec, const LinearArgs& args) noexcept;

}  // namespace tern::cuda
