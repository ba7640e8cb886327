// SPDX-License-Identifier: Apache-2.0
// The table of the kernels that walk rows.
#include "devices/cuda/rows.h"

#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

constexpr RowKernels kTable = {
    .rms_norm = rms_norm,
    .rms_norm_backward = rms_norm_backward,
    .softmax = softmax,
    .softmax_backward = softmax_backward,
    .rope = rope,
    .quantize_rows = quantize_rows,
    .norm_quantize = norm_quantize,
    .cross_entropy = cross_entropy,
    .cross_entropy_backward = cross_entropy_backward,
};
static_assert(complete(kTable));

}  // namespace

const RowKernels kRows = kTable;

}  // namespace tern::cuda
