// SPDX-License-Identifier: Apache-2.0
// The entries of the kernels for arrays of any dtype, from several files.
#pragma once

#include "device/array_kernels.h"

namespace tern::cuda {

void array_copy(const Exec& exec, const CopyArgs& args) noexcept;
void array_saturate(const Exec& exec, const CopyArgs& args) noexcept;
void array_unary(const Exec& exec, const ArrayUnaryArgs& args) noexcept;
void array_binary(const Exec& exec, const ArrayBinaryArgs& args) noexcept;
void array_select(const Exec& exec, const ArraySelectArgs& args) noexcept;

void array_repeat(const Exec& exec, const RepeatArgs& args) noexcept;
void array_ramp(const Exec& exec, const RampArgs& args) noexcept;
void array_zero_triangle(const Exec& exec, const ZeroTriangleArgs& args) noexcept;
void array_gather(const Exec& exec, const IndexedArgs& args) noexcept;
void array_scatter(const Exec& exec, const IndexedArgs& args) noexcept;
void array_scatter_add(const Exec& exec, const IndexedArgs& args) noexcept;
void array_offsets(const Exec& exec, const OffsetsArgs& args) noexcept;
void array_mask_counts(const Exec& exec, const MaskCountsArgs& args) noexcept;
void array_mask_positions(const Exec& exec, const MaskPositionsArgs& args) noexcept;

void array_reduce(const Exec& exec, const ArrayReduceArgs& args) noexcept;
void array_scan(const Exec& exec, const ArrayScanArgs& args) noexcept;

void array_sort_rows(const Exec& exec, const SortRowsArgs& args) noexcept;
void array_search_sorted(const Exec& exec, const SearchSortedArgs& args) noexcept;
void array_mark_starts(const Exec& exec, const MarkStartsArgs& args) noexcept;
void array_nonzero(const Exec& exec, const NonzeroArgs& args) noexcept;
void array_gather_in_rows(const Exec& exec, const GatherInRowsArgs& args) noexcept;
void array_scatter_in_rows(const Exec& exec, const ScatterInRowsArgs& args) noexcept;

void array_random(const Exec& exec, const RandomArgs& args) noexcept;
void array_random_integers(const Exec& exec, const RandomIntegersArgs& args) noexcept;
void array_random_chance(const Exec& exec, const RandomChanceArgs& args) noexcept;

void array_matmul(const Exec& exec, const ArrayMatmulArgs& args) noexcept;

void array_pack(const Exec& exec, const PackArgs& args) noexcept;
void array_unpack(const Exec& exec, const UnpackArgs& args) noexcept;
void array_repack(const Exec& exec, const RepackArgs& args) noexcept;

}  // namespace tern::cuda
