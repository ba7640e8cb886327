// SPDX-License-Identifier: Apache-2.0
// The entries of the pointwise family, from several files.
#pragma once

#include "device/kernels.h"

namespace tern::cuda {

void unary(const Exec& exec, const UnaryArgs& args) noexcept;
void binary(const Exec& exec, const BinaryArgs& args) noexcept;
void compare(const Exec& exec, const CompareArgs& args) noexcept;
void select(const Exec& exec, const SelectArgs& args) noexcept;
void copy(const Exec& exec, const CopyArgs& args) noexcept;
void fill(const Exec& exec, const FillArgs& args) noexcept;
void reduce(const Exec& exec, const ReduceArgs& args) noexcept;
void gather_rows(const Exec& exec, const GatherRowsArgs& args) noexcept;
void embed_rows(const Exec& exec, const EmbedRowsArgs& args) noexcept;
void scatter_add_rows(const Exec& exec, const ScatterAddRowsArgs& args) noexcept;
// The same for more rows than one launch of it takes (scatter_rows.cu).
void scatter_many_rows(const Exec& exec, const ScatterAddRowsArgs& args) noexcept;
void relu2_gate(const Exec& exec, const Relu2GateArgs& args) noexcept;
void relu2_gate_backward(const Exec& exec, const Relu2GateBackwardArgs& args) noexcept;
void sum_squares(const Exec& exec, const SumSquaresArgs& args) noexcept;
void abs_sum(const Exec& exec, const AbsSumArgs& args) noexcept;
void ternary_codes(const Exec& exec, const TernaryCodesArgs& args) noexcept;
void adamw(const Exec& exec, const AdamwArgs& args) noexcept;

}  // namespace tern::cuda
