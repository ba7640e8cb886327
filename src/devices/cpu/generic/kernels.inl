// SPDX-License-Identifier: Apache-2.0
// Every kernel of the CPU device that computes in f32; the ternary ones are in ternary_matmul.inl.

// Some use those above them.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/ahead.inl"
#include "devices/cpu/generic/lanes.inl"
#include "devices/cpu/generic/math.inl"
#include "devices/cpu/generic/convert.inl"
#include "devices/cpu/generic/runs.inl"
#include "devices/cpu/generic/strided.inl"
// pointwise
#include "devices/cpu/generic/adamw.inl"
#include "devices/cpu/generic/binary.inl"
#include "devices/cpu/generic/copy.inl"
#include "devices/cpu/generic/ordered_sums.inl"
#include "devices/cpu/generic/reduce.inl"
#include "devices/cpu/generic/relu2_gate.inl"
#include "devices/cpu/generic/row_moves.inl"
#include "devices/cpu/generic/unary.inl"
// rows
#include "devices/cpu/generic/softmax.inl"
#include "devices/cpu/generic/cross_entropy.inl"
#include "devices/cpu/generic/quantize.inl"
#include "devices/cpu/generic/rms_norm.inl"
#include "devices/cpu/generic/norm_quantize.inl"
#include "devices/cpu/generic/rope.inl"
// matmul
#include "devices/cpu/generic/matmul.inl"
#include "devices/cpu/generic/weights.inl"
#include "devices/cpu/generic/linear.inl"
// attention
#include "devices/cpu/generic/attention.inl"
#include "devices/cpu/generic/attention_backward.inl"
#include "devices/cpu/generic/kv_blocks.inl"
#include "devices/cpu/generic/paged_attention.inl"

#include "devices/cpu/generic/table.inl"
// clang-format on
