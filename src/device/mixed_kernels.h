// SPDX-License-Identifier: Apache-2.0
// Kernels of mixed-precision training: activations and their gradients in bf16, sums, norms' statistics, weights and
// weight gradients in f32, the forward products exact in int32 as everywhere. A device that was opened with
// MatmulPrecision::bf16 may have them (Kernels::mixed); others train by the kernels of kernels.h, in f32.
//
// The rules of kernels.h hold, but float sums have any fixed order: the same arguments give the same bits in each run.
// Every result is computed in f32 and rounded once, to nearest even. Extents of columns are multiples of 8, row strides
// too, and pointers are 16-byte aligned.
//
// How a ternary product is pulled back without a pass over its gradient: forward, y = acc·(weight_scale / q_scale[r]),
// and by the straight-through estimator dx = (dy·codes)·weight_scale and d_master = (dy / q_scale)ᵀ·q. With
// e = dy / q_scale, which whoever makes dy writes instead of it,
//   d_master = eᵀ·q,   z = e·codes,   dx[r] = z[r]·(weight_scale·q_scale[r]),
// where whoever reads z multiplies: both products have exact small integers for one operand and e for the other.
//
// The scales of weights are read on the device, where they are made: the host waits for none, so that a step of
// training can be recorded (Backend::record).
#pragma once

#include "device/kernels.h"

namespace tern {

// *over / *under of numbers on the device; null for 1.
struct MixedRatio {
  const float *over, *under;
};

// Rows of an f32 table by their ids, in bf16: y[i] = table[ids[i]].
struct MixedGatherArgs {
  int64_t count, cols;
  const float* table;  // [*, cols]
  const int64_t* ids;
  bf16* y;
};
// ScatterAddRowsArgs of rows in bf16, into a table of so many rows.
struct MixedScatterArgs {
  int64_t count, cols, table_rows;
  const bf16* x;
  const int64_t* ids;
  float* y;
};

// NormQuantizeArgs of h = x, or of relu(gate)²·x as (r·r)·x, in bf16: y = h · inv · weight, never stored, then codes.
// The codes of a row are those that NormQuantizeArgs gives it, but for the order of Σh². inv_rms [rows] is kept for the
// gradient.
struct MixedNormQuantizeArgs {
  int64_t rows, cols, q_stride;
  const bf16* x;        // [rows, cols]
  const bf16* gate;     // [rows, cols] or null
  const float* weight;  // [cols]
  float eps;
  int8_t* q;
  float* scale;
  int32_t* sums;
  float* inv_rms;
};

// y = x · inv · weight in bf16, with inv as there.
struct MixedNormArgs {
  int64_t rows, cols;
  const bf16* x;
  const float* weight;
  float eps;
  bf16* y;
  float* inv_rms;
};

// Heads of dim columns side by side, those of row r rotated by position r % tokens (RopeArgs) and rounded.
struct MixedRotation {
  int64_t tokens, dim;     // dim a multiple of 16, at most 128
  const float *cos, *sin;  // [tokens, dim/2]
};

// TernaryMatmulArgs with bf16 results: y[r, j] = bf16((residual ? residual[r, j] : 0) + float(acc)·(weight_scale /
// q_scale[r])); then those of parts that are rotated are, n being a multiple of dim.
struct MixedTernaryPart {
  const uint8_t* packed;  // TernaryLayout of the device
  int64_t n;
  const float* weight_scale;
  bf16* y;  // [rows, n]
  int64_t y_stride;
  const bf16* residual;  // [rows, n] contiguous, or null; null where rotated
  bool rotated;
};
struct MixedTernaryArgs {
  int64_t rows, k, q_stride;
  const int8_t* q;
  const float* q_scale;
  const int32_t* sums;
  int parts;
  MixedTernaryPart part[kMostTernaryParts];
  MixedRotation rotation;
};

// Pulls back h = x (or relu(gate)²·x), y = h · inv · weight: dy[r] = z[r]·(weight_scale·q_scale[r]), where what is null
// is 1.
//   g = dy·weight, c = Σ(g·h)·inv²/cols, dh = inv·(g - h·c), d_weight[j] = Σ_r dy·(h·inv), overwritten.
// Without a gate: (add ? add[r]·add_q_scale[r] : 0) + dh, where a null add_q_scale is ones, divided by e_q_scale[r], is
// written to `d` (may be add). With a gate: d_gate = (dh·x)·(2·relu(gate)) and d_x = dh·(r·r) go to e_gate and e_x,
// divided by e_q_scale[r], d_x times x_factor, with row stride e_stride; d and add are null. Without e_q_scale nothing
// is divided.
struct MixedNormBackwardArgs {
  int64_t rows, cols;
  const bf16 *x, *gate;
  const float *weight, *inv_rms;
  const bf16* z;
  int64_t z_stride;
  const float *q_scale, *weight_scale;  // of the product that gave z, or null
  const bf16* add;
  const float* add_q_scale;
  bf16* d;
  bf16 *e_gate, *e_x;
  int64_t e_stride;
  MixedRatio x_factor;
  const float* e_q_scale;  // [rows], or null
  float* d_weight;         // [cols], or null
};

// y[i] *= factor. Where that is 1, y is not touched.
struct MixedScaleArgs {
  int64_t count;  // a multiple of 8
  DType dtype;    // f32 or bf16
  void* y;
  MixedRatio factor;
};

// y[r, j] = x[r, j] of small integers, exact.
struct MixedCodesArgs {
  int64_t rows, cols, x_stride;
  const int8_t* x;
  bf16* y;  // [rows, cols]
};

// TernaryQuantizeArgs by the means of the matrices' magnitudes, whose sums are on the device, as AbsSumArgs gives them:
// what is rounded of matrix i is w / scale[i], scale[i] = max(float(abs_sum[i] / (rows·cols)), least_scale), which is
// written; its inverse_scale is not read.
struct MixedQuantizeArgs {
  TernaryQuantizeArgs to;
  const double* abs_sum;
  float least_scale;
  float* scale;
};

// c = alpha · a·b (+ c where accumulate, which is for c in f32), sums in f32: tensor cores. a [m, k], b [k, n] in bf16,
// one stride of each is 1; c [m, n] with column stride 1.
struct MixedMatrix {
  const bf16* data;
  int64_t row_stride, col_stride;
};
struct MixedMatmulArgs {
  int64_t m, n, k;
  MixedMatrix a, b;
  void* c;
  DType c_dtype;  // f32 or bf16
  int64_t c_row_stride;
  float alpha;
  bool accumulate;
};

// The gradients d_master of matrices, by inputs that some share: with e_p the n columns of e [rows, Σ n] that are part
// p's, in order, c_p [n, cols] = factor · e_pᵀ·q, overwritten, sums in f32: tensor cores.
struct MixedGradientPart {
  int64_t n;
  float* c;  // null: not wanted
  MixedRatio factor;
};
struct MixedGradientInput {
  int64_t cols, q_stride;
  const int8_t* q;  // [rows, cols], q_stride a multiple of 64
  const bf16* e;
  int64_t e_stride;
  int parts;  // 1 to kMostTernaryParts
  MixedGradientPart part[kMostTernaryParts];
};
inline constexpr int kMostGradientInputs = 4;
struct MixedGradientArgs {
  int64_t rows;
  int inputs;  // 1 to kMostGradientInputs
  MixedGradientInput input[kMostGradientInputs];
};

// AttentionArgs of q_tokens == kv_tokens tokens, dim a multiple of 16, at most 128. Row t of sequence b is row
// b·tokens + t of each operand, whose head h is at column h·dim; out is contiguous. The probabilities are rounded to
// bf16 for their product with v.
struct MixedAttentionArgs {
  int64_t batch, heads, kv_heads, tokens, dim;
  const bf16 *q, *k, *v;
  int64_t q_stride, k_stride, v_stride;  // of rows
  float scale;
  bf16* out;   // [batch·tokens, heads·dim]
  float* lse;  // [batch, heads, tokens]
};

// Its gradients, of q and k before they were rotated by cos, sin as MixedRotation has them: q and k here are the
// rotated ones. Of dq, dk and dv what is written is times (their factor / q_scale[row]), dq's being 1, and rows have
// stride d_stride.
struct MixedAttentionBackwardArgs {
  int64_t batch, heads, kv_heads, tokens, dim;
  const bf16 *q, *k, *v;
  int64_t q_stride, k_stride, v_stride;
  const float *cos, *sin;
  float scale;
  const bf16 *out, *d_out;
  const float* lse;
  bf16 *dq, *dk, *dv;
  int64_t d_stride;
  const float* q_scale;  // [batch·tokens]
  MixedRatio dk_factor, dv_factor;
};

// CrossEntropyArgs and its gradient in one, in place: logits become scale·(softmax - onehot), 0 in rows whose target is
// -100.
struct MixedCrossEntropyArgs {
  int64_t rows, classes;
  bf16* logits;  // [rows, classes]
  const int64_t* targets;
  float scale;
  float* loss;  // [rows]
};

struct MixedKernels {
  Kernel<MixedGatherArgs> gather_rows;
  Kernel<MixedScatterArgs> scatter_add_rows;
  Kernel<MixedNormQuantizeArgs> norm_quantize;
  Kernel<MixedNormArgs> norm;
  Kernel<MixedTernaryArgs> ternary_matmul;
  Kernel<MixedNormBackwardArgs> norm_backward;
  Kernel<MixedScaleArgs> scale;
  Kernel<MixedCodesArgs> codes;
  Kernel<MixedQuantizeArgs> quantize;
  Kernel<MixedMatmulArgs> matmul;
  Kernel<MixedGradientArgs> weight_gradient;
  Kernel<MixedAttentionArgs> attention;
  Kernel<MixedAttentionBackwardArgs> attention_backward;
  Kernel<MixedCrossEntropyArgs> cross_entropy;
};

constexpr bool complete(const MixedKernels& t) {
  return t.gather_rows && t.scatter_add_rows && t.norm_quantize && t.norm && t.ternary_matmul && t.norm_backward &&
         t.scale && t.codes && t.quantize && t.matmul && t.weight_gradient && t.attention && t.attention_backward &&
         t.cross_entropy;
}

}  // namespace tern
