// SPDX-License-Identifier: Apache-2.0
// The table of mixed-precision training.
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/tables.h"

namespace tern::cuda {

namespace {

constexpr MixedKernels kTable = {
    .norm_quantize = mixed_norm_quantize,
    .ternary_matmul = mixed_ternary_matmul,
    .norm_backward = mixed_norm_backward,
    .scale_rows = mixed_scale_rows,
    .codes = mixed_codes,
    .matmul = mixed_matmul,
    .attention = mixed_attention,
    .attention_backward = mixed_attention_backward,
    .cross_entropy = mixed_cross_entropy,
};
static_assert(complete(kTable));

}  // namespace

const MixedKernels kMixed = kTable;

}  // namespace tern::cuda
