// SPDX-License-Identifier: Apache-2.0
// The entries of CodedKernels, from two files.
#pragma once

#include "device/kernels.h"

namespace tern::cuda {

void code_rows(const Exec& exec, const CodeRowsArgs& args) noexcept;
void code_activations(const Exec& exec, const CodeActivationsArgs& args) noexcept;
void coded_linear(const Exec& exec, const CodedLinearArgs& args) noexcept;

}  // namespace tern::cuda
