// SPDX-License-Identifier: Apache-2.0
// The entries of MatmulKernels, each from a file of its own.
#pragma once

#include "device/kernels.h"

namespace tern::cuda {

void matmul(const Exec& exec, const MatmulArgs& args) noexcept;
void linear(const Exec& exec, const LinearArgs& args) noexcept;
void linear_rows(const Exec& exec, const LinearRowsArgs& args) noexcept;

}  // namespace tern::cuda
