// SPDX-License-Identifier: Apache-2.0
// The table of mixed-precision training.
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/tables.h"

namespace tern::cuda {

namespace {

constexpr MixedKernels kTable = {
    .gather_rows = mixed_gather_rows,
    .scatter_add_rows = mixed_scatter_add_rows,
    .norm_quantize = mixed_norm_quantize,
    .norm = mixed_norm,
    .ternary_matmul = mixed_ternary_matmul,
    .norm_backward = mixed_norm_backward,
    .scale = mixed_scale,
    .codes = mixed_codes,
    .quantize = mixed_quantize,
    .matmul = mixed_matmul,
    .weight_gradient = mixed_weight_gradient,
    .attention = mixed_attention,
    .attention_backward = mixed_attention_backward,
    .cross_entropy = mixed_cross_entropy,
};
static_assert(complete(kTable));

}  // namespace

const MixedKernels kMixed = kTable;

}  // namespace tern::cuda
