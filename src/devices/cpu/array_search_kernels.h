// SPDX-License-Identifier: Apache-2.0
// The CPU's kernels that look things up and move elements by index, the same on every instruction set:
// array_search.cpp.
#pragma once

#include "device/array_sort.h"

namespace tern::cpu {

void search_sorted(const Exec& exec, const SearchSortedArgs& args) noexcept;
void mark_starts(const Exec& exec, const MarkStartsArgs& args) noexcept;
void nonzero(const Exec& exec, const NonzeroArgs& args) noexcept;
void gather_in_rows(const Exec& exec, const GatherInRowsArgs& args) noexcept;
void scatter_in_rows(const Exec& exec, const ScatterInRowsArgs& args) noexcept;

inline constexpr ArraySearchKernels kArraySearch = {.search_sorted = search_sorted,
                                                    .mark_starts = mark_starts,
                                                    .nonzero = nonzero,
                                                    .gather_in_rows = gather_in_rows,
                                                    .scatter_in_rows = scatter_in_rows};
static_assert(complete(kArraySearch));

}  // namespace tern::cpu
