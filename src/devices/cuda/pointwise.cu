// SPDX-License-Identifier: Apache-2.0
// The pointwise family put together.
#include "devices/cuda/pointwise.h"

#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

constexpr PointwiseKernels kTable = {
    .unary = unary,
    .binary = binary,
    .compare = compare,
    .select = select,
    .copy = copy,
    .fill = fill,
    .reduce = reduce,
    .gather_rows = gather_rows,
    .scatter_add_rows = scatter_add_rows,
    .relu2_gate = relu2_gate,
    .relu2_gate_backward = relu2_gate_backward,
    .sum_squares = sum_squares,
    .abs_sum = abs_sum,
    .ternary_codes = ternary_codes,
    .adamw = adamw,
    .embed_rows = embed_rows,
};
static_assert(complete(kTable));

}  // namespace

const PointwiseKernels kPointwise = kTable;

}  // namespace tern::cuda
