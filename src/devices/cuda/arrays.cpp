// SPDX-License-Identifier: Apache-2.0
// The table of the kernels for arrays of any dtype.
#include "devices/cuda/array_entries.h"
#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

constexpr ArrayKernels kTable = {
    ArrayPointwiseKernels{
        .copy = array_copy,
        .saturate = array_saturate,
        .array_unary = array_unary,
        .array_binary = array_binary,
        .array_select = array_select,
    },
    ArrayIndexKernels{
        .repeat = array_repeat,
        .ramp = array_ramp,
        .zero_triangle = array_zero_triangle,
        .gather = array_gather,
        .scatter = array_scatter,
        .scatter_add = array_scatter_add,
        .offsets = array_offsets,
        .mask_counts = array_mask_counts,
        .mask_positions = array_mask_positions,
    },
    ArrayReduceKernels{.reduce = array_reduce, .scan = array_scan},
    ArraySortKernels{.sort_rows = array_sort_rows},
    ArraySearchKernels{
        .search_sorted = array_search_sorted,
        .mark_starts = array_mark_starts,
        .nonzero = array_nonzero,
        .gather_in_rows = array_gather_in_rows,
        .scatter_in_rows = array_scatter_in_rows,
    },
    ArrayRandomKernels{
        .random = array_random,
        .random_integers = array_random_integers,
        .random_chance = array_random_chance,
    },
    ArrayMatmulKernels{.array_matmul = array_matmul},
    ArrayPackedKernels{.pack = array_pack, .unpack = array_unpack, .repack = array_repack},
};
static_assert(complete(static_cast<const ArrayPointwiseKernels&>(kTable)));
static_assert(complete(static_cast<const ArrayIndexKernels&>(kTable)));
static_assert(complete(static_cast<const ArrayReduceKernels&>(kTable)));
static_assert(complete(static_cast<const ArraySortKernels&>(kTable)));
static_assert(complete(static_cast<const ArraySearchKernels&>(kTable)));
static_assert(complete(static_cast<const ArrayRandomKernels&>(kTable)));
static_assert(complete(static_cast<const ArrayMatmulKernels&>(kTable)));
static_assert(complete(static_cast<const ArrayPackedKernels&>(kTable)));

}  // namespace

const ArrayKernels kArrays = kTable;

}  // namespace tern::cuda
