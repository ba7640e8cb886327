// SPDX-License-Identifier: Apache-2.0
// The CPU's kernels that order arrays and look things up, the same on every instruction set.
#pragma once

#include "device/array_sort.h"

namespace tern::cpu {

void sort_rows(const Exec& exec, const SortRowsArgs& args) noexcept;             // array_sort.cpp
void search_sorted(const Exec& exec, const SearchSortedArgs& args) noexcept;     // array_search.cpp
void mark_starts(const Exec& exec, const MarkStartsArgs& args) noexcept;         //
void nonzero(const Exec& exec, const NonzeroArgs& args) noexcept;                //
void gather_in_rows(const Exec& exec, const GatherInRowsArgs& args) noexcept;    //
void scatter_in_rows(const Exec& exec, const ScatterInRowsArgs& args) noexcept;  //

inline constexpr ArraySortKernels kArraySort = {.sort_rows = sort_rows,
                                                .search_sorted = search_sorted,
                                                .mark_starts = mark_starts,
                                                .nonzero = nonzero,
                                                .gather_in_rows = gather_in_rows,
                                                .scatter_in_rows = scatter_in_rows};
static_assert(complete(kArraySort));

}  // namespace tern::cpu
