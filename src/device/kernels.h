// SPDX-License-Identifier: Apache-2.0
// The waist between ops and devices: one table of function pointers with plain-data arguments.
//
// Rules for every kernel. It is noexcept, allocates nothing and checks nothing: ops did. Pointers are device memory,
// outputs do not overlap inputs unless a comment says "may be in place", sizes may be 0, strides are in elements.
// The same arguments give the same bits on every instruction set and thread count (docs/numerics.md): integer sums are
// exact, and float sums follow one of two orders:
//   chain   acc = fma(a[k], b[k], acc) for k ascending, from 0 or from the accumulated value;
//   lanes   lane l of 16 takes the elements k ≡ l (mod 16) in ascending k, acc_l = fma(a[k], b[k], acc_l)
//           (or acc_l + x[k] for plain sums), then lanes fold by halves: l += l+8, l += l+4, l += l+2, l += l+1.
// fma is the correctly rounded fused operation everywhere; + * / sqrt are IEEE; exp, log and tanh are the polynomials
// of devices/cpu/generic/math.inl; no flush to zero, no reassociation.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tern/dtype.h"
#include "tern/kv_type.h"
#include "tern/matmul_precision.h"
#include "tern/ternary_layout.h"

namespace tern {

// Choices of the ternary product that a device makes by measuring itself. Results never depend on them.
struct TernaryTuning {
  TernaryLayout layout = TernaryLayout::two_bit;  // what matrices are packed in
  int64_t prefetch_bytes = 4096;  // how far ahead a matrix-vector product asks for its weights
  int64_t block_rows = 128;       // activation rows for which a block of weights is unpacked once
  int64_t block_quads = 160;      // a block's columns / 4, a multiple of 80
};

// What a kernel may use of its device besides its arguments. A CPU kernel splits its work with `parallel`; a GPU kernel
// finds its stream behind `backend`.
struct Exec {
  using Body = void (*)(void* arg, int worker, int64_t begin, int64_t end);

  void* backend = nullptr;
  int threads = 1;
  // Calls body(arg, worker, begin, end) on disjoint ranges of at most `grain` items that cover [0, count), from up to
  // `threads` threads; 0 <= worker < threads, and no two calls share a worker at one time. Returns when all are done.
  // Not to be nested.
  void (*parallel)(void* backend, int64_t count, int64_t grain, Body body, void* arg) noexcept = nullptr;
  // kScratchBytes of memory for one worker, 64-byte aligned, its content undefined at the start of each call of a body.
  // A body's `worker` has the scratch first_worker + worker.
  std::byte* (*scratch)(void* backend, int worker) noexcept = nullptr;
  int first_worker = 0;
  TernaryTuning ternary = {};
  MatmulPrecision matmul_precision = MatmulPrecision::f32;  // what this device makes of DeviceOptions'
};

inline constexpr size_t kScratchBytes = size_t{4} << 20;

// Extents or strides, in plain data. Ops merge adjacent axes where they can: rank is as small as the views
// allow, and at least 1.
struct Dims {
  int rank;
  int64_t at[8];
};

// ---------------------------------------------------------------- pointwise

enum class UnaryOp : uint8_t { neg, abs, exp, log, sqrt, rsqrt, reciprocal, square, relu, relu2, sigmoid, silu, tanh };
enum class BinaryOp : uint8_t { add, sub, mul, div, minimum, maximum };
enum class CompareOp : uint8_t { eq, ne, lt, le, gt, ge };
enum class ReduceOp : uint8_t { sum, max, min, argmax, argmin };

// y[i] = op(x[i]); contiguous; f32, or i32/i64 for neg, abs and square. May be in place.
struct UnaryArgs {
  UnaryOp op;
  DType dtype;
  int64_t count;
  const void* x;
  void* y;
};

// An input seen through the output's shape: stride 0 on broadcast axes.
struct StridedInput {
  const void* data;
  Dims strides;
};

// y = a op b; y contiguous of `shape`; dtype f32, i32 or i64 (integer div truncates; a zero divisor was rejected).
// minimum and maximum return NaN when either is NaN. May be in place of an input that is contiguous of `shape`.
struct BinaryArgs {
  BinaryOp op;
  DType dtype;
  Dims shape;
  StridedInput a, b;
  void* y;
};

// y = a op b as bool bytes; a, b f32, i32 or i64.
struct CompareArgs {
  CompareOp op;
  DType dtype;
  Dims shape;
  StridedInput a, b;
  uint8_t* y;
};

// y = condition ? a : b; condition bool bytes; a, b, y of one dtype, f32, i32 or i64; y contiguous.
struct SelectArgs {
  DType dtype;
  Dims shape;
  StridedInput condition, a, b;
  void* y;
};

// Strided copy with conversion: y (strided) = x (strided), any dtype to any. Float to integer truncates toward zero and
// saturates, NaN gives 0; to bool is != 0; narrowing of integers wraps; to bf16/f16 rounds to nearest even.
struct CopyArgs {
  Dims shape;
  const void* x;
  DType x_dtype;
  Dims x_strides;
  void* y;
  DType y_dtype;
  Dims y_strides;
};

// y[i] = value converted to dtype; contiguous.
struct FillArgs {
  DType dtype;
  int64_t count;
  double value;
  void* y;
};

// Reduces the middle axis of contiguous x [outer, extent, inner] to y [outer, inner]; f32, i32 or i64; y has x's dtype,
// i64 for argmax/argmin (the first of equals; a NaN wins). sum in f32: lanes order when inner is 1, else ascending
// adds per output. max/min return NaN if any is NaN. extent > 0 except for sum (0).
struct ReduceArgs {
  ReduceOp op;
  DType dtype;
  int64_t outer, extent, inner;
  const void* x;
  void* y;
};

// y[i, :] = table[ids[i], :]; rows of row_bytes bytes, contiguous; every id is in range.
struct GatherRowsArgs {
  int64_t count;
  size_t row_bytes;
  const void* table;
  const int64_t* ids;
  void* y;
};

// The same of rows of f32, bf16 or f16 [*, cols], as f32 [count, cols].
struct EmbedRowsArgs {
  int64_t count, cols;
  const void* table;
  DType table_dtype;
  const int64_t* ids;
  float* y;
};

// y[ids[i], :] += x[i, :] for i ascending; f32 [count, cols] into f32 [*, cols]. Ids may repeat.
struct ScatterAddRowsArgs {
  int64_t count, cols;
  const float* x;
  const int64_t* ids;
  float* y;
};

// y = relu(gate)² · up, as (r·r)·up; contiguous.
struct Relu2GateArgs {
  int64_t count;
  const float *gate, *up;
  float* y;
};

// d_gate = (dy·up)·(2·relu(gate)), d_up = dy·(r·r).
struct Relu2GateBackwardArgs {
  int64_t count;
  const float *gate, *up, *dy;
  float *d_gate, *d_up;
};

// y[t] = Σ x² of each tensor, in double: lanes order within blocks of 4096 elements, blocks added in double in ascending
// order. The list is host memory, here and in AdamwArgs and AbsSumArgs.
struct SumSquaresTensor {
  int64_t count;
  const float* x;
};
struct SumSquaresArgs {
  int64_t tensors;
  const SumSquaresTensor* tensor;
  double* y;
};

// One AdamW step (arXiv 1711.05101, PyTorch's order of operations) for each tensor, in place:
//   g = grad·grad_scale; p = p·(1 - lr·weight_decay); m = fma(1-β1, g - m, m); v = β2·v + ((1-β2)·g)·g;
//   p -= ((lr / bias1)·m) / (sqrt(v)/sqrt(bias2) + eps),  bias_i = 1 - β_i^step, the coefficients rounded from double.
struct AdamwTensor {
  int64_t count;
  float *p, *m, *v;
  const float* grad;
};
struct AdamwArgs {
  int64_t tensors;
  const AdamwTensor* tensor;
  double grad_scale, lr, beta1, beta2, eps, weight_decay;
  int64_t step;  // 1 for the first
};

// ---------------------------------------------------------------- rows

// y = x · inv · weight per row, inv = 1/sqrt(mean(x²) + eps): Σx² in lanes order. Writes inv_rms [rows] unless null.
struct RmsNormArgs {
  int64_t rows, cols;
  const float *x, *weight;
  float eps;
  float *y, *inv_rms;
};

// dx and d_weight of RmsNormArgs: with g = dy·weight, c = Σ(g·x)·inv²/cols (lanes order), dx = inv·(g - x·c);
// d_weight[j] = chain over rows ascending of dy·(x·inv), overwritten.
struct RmsNormBackwardArgs {
  int64_t rows, cols;
  const float *x, *weight, *inv_rms, *dy;
  float *dx, *d_weight;
};

// y = softmax(x) per row, max subtracted, sum in lanes order. A row of -inf gives NaN.
struct SoftmaxArgs {
  int64_t rows, cols;
  const float* x;
  float* y;
};

// dx = y · (dy - Σ dy·y).
struct SoftmaxBackwardArgs {
  int64_t rows, cols;
  const float *y, *dy;
  float* dx;
};

// Rotary embedding, half-split (Hugging Face) pairs: for the token t of x [tokens, heads, dim], p = positions[t],
// c = cos[p, i], s = sin[p, i], i < dim/2:
//   y[i] = x[i]·c - x[i+dim/2]·s,  y[i+dim/2] = x[i+dim/2]·c + x[i]·s   (products rounded, then one add)
// `inverse` rotates by -s, which is the gradient. May be in place. cos, sin: [positions, dim/2].
struct RopeArgs {
  int64_t tokens, heads, dim;
  const float* x;
  const int32_t* positions;
  const float *cos, *sin;
  bool inverse;
  float* y;
};

// The row stride of int8 activations: whole tiles of 16, 20 and 64 columns.
inline constexpr int64_t quantized_stride(int64_t cols) { return ((cols + 19) / 20 * 20 + 63) / 64 * 64; }

// int8 absmax quantization per row (b1.58): scale = (1 / max(max|x|, 1e-5))·127, two roundings, which is what PyTorch
// makes of `127 / tensor`; q = clamp(round_half_even(x·scale), -128, 127).
// q has row stride q_stride = quantized_stride(cols); the tail of each row is filled with 0. sums[r] = Σ q of the row.
// NaN quantizes to 0; an infinity makes scale 0 and the row 0.
struct QuantizeRowsArgs {
  int64_t rows, cols, q_stride;
  const float* x;
  int8_t* q;
  float* scale;
  int32_t* sums;
};

// RmsNormArgs and QuantizeRowsArgs of h in one go over each row, the same bits: h = x; or x + add, which is written to
// `sum` (may be x or add); or relu(gate)²·x, as Relu2GateArgs.
struct NormQuantizeArgs {
  int64_t rows, cols, q_stride;
  const float* x;
  const float *add, *gate;  // one of them at most, else null
  float* sum;               // with add only
  const float* weight;
  float eps;
  int8_t* q;
  float* scale;
  int32_t* sums;
};

// loss[r] = log Σ exp(logits[r] - max) - (logits[r, target] - max), Σ in lanes order; 0 where target is -100.
// lse[r] = max + log Σ exp(logits[r] - max) (for the gradient).
struct CrossEntropyArgs {
  int64_t rows, classes;
  const float* logits;
  const int64_t* targets;
  float *loss, *lse;
};

// d_logits[r, j] = scale · (exp(logits - lse) - [j == target]); 0 in ignored rows. May be in place.
struct CrossEntropyBackwardArgs {
  int64_t rows, classes;
  const float* logits;
  const int64_t* targets;
  const float* lse;
  float scale;
  float* d_logits;
};

// ---------------------------------------------------------------- matmul

// A strided matrix operand: f32, or i8 codes that count as their float value.
struct MatrixInput {
  const void* data;
  DType dtype;  // f32 or i8
  int64_t batch_stride, row_stride, col_stride;
};

// c[b] = (accumulate ? c[b] : 0) + a[b] [m, k] · b[b] [k, n], chain order over k. c rows are contiguous (col stride 1).
// Where Exec::matmul_precision is bf16, a large product may round a and b to bf16 instead and add in f32 in any order,
// the same in each run.
struct MatmulArgs {
  int64_t batch, m, n, k;
  MatrixInput a, b;
  float* c;
  int64_t c_batch_stride, c_row_stride;
  bool accumulate;
};

// y [rows, n] = x [rows, k] · wᵀ, w [n, k] contiguous of f32, bf16 or f16: one dot in lanes order per element, so that
// a row's result does not depend on how many rows there are; of many rows and w in f32, as MatmulArgs says of bf16. The
// output head.
struct LinearArgs {
  int64_t rows, n, k;
  const float* x;
  const void* w;
  DType w_dtype;
  float* y;
};

// y[i] = x [k] · w[ids[i]] for i < count, w as in LinearArgs: the bits that linear gives these columns.
struct LinearRowsArgs {
  int64_t count, k;
  const float* x;
  const void* w;
  DType w_dtype;
  const int64_t* ids;
  float* y;
};

// ---------------------------------------------------------------- coded matmul

// Products with a matrix of small codes, within proven bounds of the exact ones: the cheap heads, and the screen of a
// lossless one. With blocks of 64 columns, b = k / 64:
//   weights       ŵ[j, k] = factor[j] · multiple[j, b] · (2·u[j, k] + 1 - 2^bits),
//                 u in [0, 2^bits), multiple in [0, 127]
//   activations   x̂[r, k] = scale[r, b] · q[r, k],
//                 |q| <= 127 in one plane, 127·128 in two (q = 128·high + low)

inline constexpr int64_t kCodedBlock = 64;

// Codes a matrix w [rows, cols] of f32, bf16 or f16, bits 4, 6 or 8, into the device's own layout: `packed` is
// coded_bytes(rows, cols, bits) bytes, 64-byte aligned. error[j] >= ‖w[j] - ŵ[j]‖ and norm[j] >= ‖w[j]‖, both Euclidean
// and less than 1/1000 too large where cols < 2^16; either may be Inf or NaN for a row with such elements or a norm
// beyond f32.
struct CodeRowsArgs {
  int64_t rows, cols;
  int bits;
  const void* w;
  DType w_dtype;
  uint8_t* packed;
  float *error, *norm;
};

// Activations in `planes` (1 or 2) planes of int8. q [rows, planes, q_stride], q_stride the next multiple of 64 from
// cols, padded with 0; with two planes the first holds high in [-127, 127], the second low in [-64, 63]. scale, sums
// [rows, q_stride / 64], sums being Σ q of a block. error[r] >= ‖x[r] - x̂[r]‖ and norm[r] >= ‖x[r]‖ as above.
struct CodeActivationsArgs {
  int64_t rows, cols, q_stride;
  int planes;
  const float* x;
  int8_t* q;
  float* scale;
  int32_t* sums;
  float *error, *norm;
};

// Bounds of a column whose lower one is the greatest of some columns, of equals the lowest column; column -1: of none, or
// none of them is above -Inf.
struct alignas(16) LeadingBound {
  float low, high;
  int32_t column;
};
// Of each row there are so many, which together are of all columns.
inline constexpr int64_t kLeadingBounds = 512;

// With I[b] = Σ q·(2u + 1 - 2^bits) over block b, exact in int32:
// y[r, j] = factor[j] · (chain over b of float(I[b]) · (float(multiple[j, b])·scale[r, b])), all of it f32.
// low[r, j] <= l <= high[r, j] for l = what linear (lanes order, f32) gives for the same x and w; where either is NaN
// nothing is known of l, and where l is NaN or infinite at least one of them is NaN or infinite.
// Any of y, low, high may be null, and leaders, which go with low and high, no more than screen_rows rows, and devices
// that have BestScoresArgs. Where x is not null, up to self_coded_rows rows of it are coded on the way: q, and the rest
// of CodeActivationsArgs, are null.
struct CodedLinearArgs {
  int64_t rows, n, k, q_stride;
  int bits, planes;
  const uint8_t* packed;
  const float *w_error, *w_norm;  // of CodeRowsArgs
  const int8_t* q;                // and the rest of CodeActivationsArgs
  const float* scale;
  const int32_t* sums;
  const float *x_error, *x_norm;
  float *y, *low, *high;            // [rows, n]
  LeadingBound* leaders = nullptr;  // [rows, kLeadingBounds]
  const float* x = nullptr;         // [rows, k]
};

// ---------------------------------------------------------------- ternary matmul

// y[i] = Σ |x| of each matrix, in double: lanes order within each row of cols elements, rows added in double in ascending
// order.
struct AbsSumMatrix {
  int64_t rows, cols;
  const float* x;
};
struct AbsSumArgs {
  int64_t matrices;
  const AbsSumMatrix* matrix;
  double* y;
};

// codes[i] = clamp(round_half_even(w[i]·inverse_scale), -1, 1). NaN gives 0.
struct TernaryCodesArgs {
  int64_t count;
  const float* w;
  float inverse_scale;
  int8_t* codes;
};

// Packs rows [row_begin, row_begin + row_count) of codes into the device's own layout. `codes` points to row row_begin of
// i8 [rows, cols]; row_begin is a multiple of Kernels::ternary_tile_rows, and so is row_count but in the last call.
// `packed` is the whole matrix: ternary_packed_bytes(layout, rows, cols) bytes, 64-byte aligned.
struct TernaryPackArgs {
  TernaryLayout layout;
  int64_t rows, cols, row_begin, row_count;
  const int8_t* codes;
  uint8_t* packed;
};

// TernaryCodesArgs and TernaryPackArgs of whole matrices.
struct TernaryQuantizeMatrix {
  int64_t rows, cols;
  const float* w;
  float inverse_scale;
  int8_t* codes;    // [rows, cols]
  uint8_t* packed;  // 64-byte aligned
};
struct TernaryQuantizeArgs {
  TernaryLayout layout;
  int64_t matrices;
  const TernaryQuantizeMatrix* matrix;
};

// The inverse: the same rows of `packed` to codes.
struct TernaryUnpackArgs {
  TernaryLayout layout;
  int64_t rows, cols, row_begin, row_count;
  const uint8_t* packed;
  int8_t* codes;
};

// One matrix [n, k] of a ternary product, as it was packed, and where its results go.
struct TernaryPart {
  TernaryLayout layout;
  const uint8_t* packed;
  int64_t n;
  float weight_scale;
  float* y;      // [rows, n], may be null
  int32_t* acc;  // [rows, n], may be null
  // As many bytes as `packed` has, of a matrix that a later product reads: a device may bring it nearer meanwhile. Or
  // null.
  const uint8_t* ahead = nullptr;
};

inline constexpr int kMostTernaryParts = 4;

// The product of the same activations with up to four matrices, which share one pass (q, k and v; gate and up):
// acc[r, j] = Σ_k q[r, k]·codes[j, k], exact in int32 (|acc| <= 128·k, so k < 2^24), and
// y[r, j] = float(acc)·(weight_scale / q_scale[r]). q, q_stride, q_scale, sums as QuantizeRowsArgs gives them.
struct TernaryMatmulArgs {
  int64_t rows, k, q_stride;
  const int8_t* q;
  const float* q_scale;
  const int32_t* sums;
  int parts;  // 1 to kMostTernaryParts
  TernaryPart part[kMostTernaryParts];
};

// NormQuantizeArgs, then the product of what it quantized: the same bits, but a device may keep the codes to itself.
// norm.q, scale and sums are room for them, to which product's q, q_stride, q_scale and sums point, undefined afterwards.
// norm.sum overlaps no input here. With `residual`, [rows, n], there is one part, without acc, and its y is residual + the
// product; it overlaps no input.
struct NormTernaryArgs {
  NormQuantizeArgs norm;
  TernaryMatmulArgs product;
  const float* residual = nullptr;
};

// ---------------------------------------------------------------- attention

// What kScratchBytes hold.
inline constexpr int64_t kLargestHead = 2048, kMostKeys = int64_t{1} << 19;

// Causal grouped-query attention. q, out [batch, q_tokens, heads, dim] contiguous; k, v [batch, kv_tokens, kv_heads,
// dim] with batch stride kv_batch_stride and contiguous rows. Query i sees keys 0 … kv_tokens - q_tokens + i. Head h
// uses key head h / (heads / kv_heads). Per query: s_j = (q·k_j, lanes order)·scale, p_j = exp(s_j - max), Σp in lanes
// order, out = (chain over j of p_j·v_j) / Σp. A query's result does not depend on the others, nor on keys it does not
// see. lse [batch, heads, q_tokens] = max + log Σp, unless null. q_tokens <= kv_tokens <= kMostKeys;
// dim <= kLargestHead.
struct AttentionArgs {
  int64_t batch, heads, kv_heads, q_tokens, kv_tokens, dim, kv_batch_stride;
  const float *q, *k, *v;
  float scale;
  float *out, *lse;
};

// Gradients of AttentionArgs (q_tokens == kv_tokens, k and v contiguous). Overwrites dq, dk, dv, shaped like q, k, v.
// p_ij = exp(s_ij - lse_i); dp_ij = d_out_i·v_j and D_i = d_out_i·out_i in lanes order;
// ds_ij = (p_ij·(dp_ij - D_i))·scale. dq_i = chain over j ascending of ds_ij·k_j. dk_j = chain of ds_ij·q_i,
// dv_j = chain of p_ij·d_out_i, over the heads of the group ascending and within a head over i ascending.
// dim <= kLargestHead.
struct AttentionBackwardArgs {
  int64_t batch, heads, kv_heads, tokens, dim;
  const float *q, *k, *v, *out, *lse, *d_out;
  float scale;
  float *dq, *dk, *dv;
};

// Keys and values of one layer in pages of page_tokens tokens. A page is [k, v] [kv_heads] blocks of kv_block_bytes
// each; page i starts at data + i·page_stride. What a block holds is the device's own layout.
struct KvPages {
  KvType type;
  int64_t kv_heads, dim, page_tokens;
  size_t page_stride;  // bytes
  std::byte* data;     // of page 0
};

// The rows of a pass that belong to one sequence: its tokens length … length + rows - 1, after `length` tokens that are
// in its pages. Token t is in the page pages[table + t / page_tokens].
struct PagedSequence {
  int64_t row, rows, length, table;
};

// The sequences of a pass; their rows ascend and cover [0, rows) without gaps, at least one each.
struct PagedBatch {
  int64_t sequences, rows;
  const PagedSequence* sequence;
  const int32_t* pages;
  const float *cos, *sin;  // [positions, dim/2], as RopeArgs; a token's position is its number in its sequence
};

// Stores rotated k (RopeArgs) and v, both [rows, kv_heads, dim], in the pages of their tokens. By type:
//   f32   as they are;  f16  rounded to nearest even;
//   int8  s = max|x|/127 (f32) and clamp(round_half_even(x·(1/s)), -127, 127) per token and head; read as code·s;
//   int4  per 32 elements: m = f16(min x), s = f16((max x - m)/15), clamp(round_half_even((x - m)·(1/s)), 0, 15);
//         read as fma(code, s, m).
// What holds a NaN or an infinity reads as NaNs, in int8 its whole row, in int4 its 32 elements.
struct KvAppendArgs {
  KvPages kv;
  PagedBatch batch;
  const float *k, *v;
};

// AttentionArgs for each sequence alone, over keys and values as they are read from its pages, after those of this pass
// are stored: by KvAppendArgs before, or here, as that does it, where k and v are not null. q is rotated first; q, out
// [rows, heads, dim]. length + rows <= kMostKeys; dim <= kLargestHead, even.
struct PagedAttentionArgs {
  KvPages kv;
  PagedBatch batch;
  int64_t heads;
  const float* q;
  const float *k, *v;  // both or neither
  float scale;
  float* out;
  // Room that lets several threads share one sequence: for each sequence heads·rows·(length + rows + 32) floats. Or
  // null.
  float* scores;
};

// ---------------------------------------------------------------- scores

// Looking through rows of scores for the few tokens that can matter, on a device whose memory the host does not read:
// such a device has these entries, others have none. A row has n < 2^31 values, one for each token. A token's score is its
// value; -Inf where it is not allowed; and where it is penalized, value / penalty of values above 0 and value · penalty
// of others, in double.

inline constexpr int64_t kMostLeaders = 1024;
// Neighbouring tokens whose weights are added up together.
inline constexpr int64_t kScorePart = 4096;
constexpr int64_t score_parts(int64_t n) { return (n + kScorePart - 1) / kScorePart; }

// What is asked of a row.
struct ScoreQuery {
  int64_t allowed, penalized;  // the first words of their bits, bit i % 64 of word i / 64 for token i; -1: all, none
  double penalty;
  int64_t first_leader, leaders;  // where its leaders are, and how many, 1 to kMostLeaders
  double drop;                    // how far below the least of the leaders' scores a score can matter
  double temperature;             // of the weights of those that do not; 0: not asked for
  double number;                  // in [0, 1): where to draw (DrawnScoresArgs)
};

struct FoundScore {
  int32_t row, id;  // id -1: none
  float value;
};

// found[first_leader + i], i < leaders, of each row: as many different tokens whose scores are great, by lower bounds of
// the values, or the values themselves. For one leader it is the greatest score, passing over NaN, of equal ones any;
// of more, each is the greatest of a part of the row. None where there are too few above -Inf. `value` is that of low.
struct LeadingScoresArgs {
  int64_t rows, n;
  const float* low;  // [rows, n]
  const ScoreQuery* query;
  const uint64_t* bits;
  FoundScore* found;
};

// pairs[i].value = x[row] · w[id], for i < most and, unless count is null, i < *count: the bits that linear gives. Pairs
// without an id are left alone.
struct LinearPairsArgs {
  int64_t most, k;
  const int64_t* count;
  const float* x;  // [*, k]
  const void* w;
  DType w_dtype;
  FoundScore* pairs;
};

// What there is to say of a row besides the tokens found. Zeros before.
struct ScoreSummary {
  float least;        // of its leaders' scores, rounded down; -Inf where one is missing
  int32_t spoiled;    // not 0: a leader's value, or any allowed one if `exact`, is NaN or +Inf; the rest means nothing
  int64_t survivors;  // how many; where more than `most`, not all of them are found
};

// With floor = least - drop of a row: all tokens with scores above -Inf and at least the floor, or a few roundings less,
// by upper bounds of the values, or the values themselves; where a bound is NaN, always. `found` has those of all rows,
// in any order, `count` in all (0 before), `value` being that of high. rest[r, p], of rows with a temperature: Σ exp((score - least) /
// temperature) over the other tokens of part p above -Inf, in double; exponents below -48 may count as -48, or not.
struct SurvivingScoresArgs {
  int64_t rows, n;
  const float* high;  // [rows, n]
  bool exact;         // high are the values themselves
  const ScoreQuery* query;
  const uint64_t* bits;
  const FoundScore* leaders;  // with values that are exact
  int64_t most;
  ScoreSummary* summary;  // [rows]
  double* rest;           // [rows, score_parts(n)]; may be null where no row has a temperature
  int64_t* count;
  FoundScore* found;  // room for rows·most
};

// The token of each row with the greatest score, the lowest id among equals, of values x[row] · w[id] that lie between
// low and high: the bits that linear gives. Few are computed: of the leader, which has the greatest lower bound, and of
// the tokens whose upper bounds reach its score, or nearly; where a bound is NaN, always.
struct BestScore {
  int64_t id;        // -1: there is no leader, or a value that was computed is NaN or +Inf, and the rest means nothing
  int64_t computed;  // how many values
  float value;
};
struct BestScoresArgs {
  int64_t rows, n, k;
  const float *low, *high;  // [rows, n]
  const float* x;           // [rows, k]
  const void* w;            // [n, k]
  DType w_dtype;
  const ScoreQuery* query;  // of which allowed, penalized and penalty are read; null: all are allowed, none penalized
  const uint64_t* bits;
  const LeadingBound* leaders;  // [rows, kLeadingBounds], where there is no query; or null
  BestScore* best;              // [rows]
  int64_t* ids;     // [rows]: the same ids, 0 in place of -1
};

// Of each row, whose one leader has the score s: the weight of a token is exp((score - s) / temperature), in double.
// drawn[r] is the first token with number · total < through; `before` and `through` are the sums of the weights of the
// tokens before it, without and with its own, `total` that of all. The sums are taken in any order; where they do not
// meet, there is no leader, or a weight is NaN, id is -1.
struct DrawnScore {
  double before, through, total;
  int64_t id;
};
struct DrawnScoresArgs {
  int64_t rows, n;
  const float* values;  // [rows, n]
  const ScoreQuery* query;
  const uint64_t* bits;
  const FoundScore* leaders;
  DrawnScore* drawn;  // [rows]
};

// ---------------------------------------------------------------- probe

// What the machine can do at best (tern/device.h, DeviceProbe). *sum = Σ words modulo 2^64.
struct ReadWordsArgs {
  int64_t count;
  const uint64_t* words;
  uint64_t* sum;
};

// For each of `items`, about `products` int8 products and their sums with the instructions of ternary_matmul, in
// registers. *sum is written and means nothing.
struct Int8PeakArgs {
  int64_t items, products;
  uint64_t* sum;
};

// ---------------------------------------------------------------- the table

template <class Args>
using Kernel = void (*)(const Exec&, const Args&) noexcept;

// One struct a family. A device may fill them in files of their own; the waist is all of them together.
struct PointwiseKernels {
  Kernel<UnaryArgs> unary;
  Kernel<BinaryArgs> binary;
  Kernel<CompareArgs> compare;
  Kernel<SelectArgs> select;
  Kernel<CopyArgs> copy;
  Kernel<FillArgs> fill;
  Kernel<ReduceArgs> reduce;
  Kernel<GatherRowsArgs> gather_rows;
  Kernel<ScatterAddRowsArgs> scatter_add_rows;
  Kernel<Relu2GateArgs> relu2_gate;
  Kernel<Relu2GateBackwardArgs> relu2_gate_backward;
  Kernel<SumSquaresArgs> sum_squares;
  Kernel<AbsSumArgs> abs_sum;
  Kernel<TernaryCodesArgs> ternary_codes;
  Kernel<AdamwArgs> adamw;
  // Null where gather_rows and a conversion after it cost no more.
  Kernel<EmbedRowsArgs> embed_rows = nullptr;
};

struct RowKernels {
  Kernel<RmsNormArgs> rms_norm;
  Kernel<RmsNormBackwardArgs> rms_norm_backward;
  Kernel<SoftmaxArgs> softmax;
  Kernel<SoftmaxBackwardArgs> softmax_backward;
  Kernel<RopeArgs> rope;
  Kernel<QuantizeRowsArgs> quantize_rows;
  Kernel<NormQuantizeArgs> norm_quantize;
  Kernel<CrossEntropyArgs> cross_entropy;
  Kernel<CrossEntropyBackwardArgs> cross_entropy_backward;
};

struct MatmulKernels {
  Kernel<MatmulArgs> matmul;
  Kernel<LinearArgs> linear;
  Kernel<LinearRowsArgs> linear_rows;
};

struct CodedKernels {
  // Planes of activations for a screen: 2 where their arithmetic hides behind the reading of the codes.
  int screen_planes;
  // Rows of activations up to which bounds cost less than LinearArgs.
  int64_t screen_rows;
  size_t (*coded_bytes)(int64_t rows, int64_t cols, int bits) noexcept;
  Kernel<CodeRowsArgs> code_rows;
  Kernel<CodeActivationsArgs> code_activations;
  Kernel<CodedLinearArgs> coded_linear;
  // Rows up to which coding them on the way costs less than code_activations before.
  int64_t self_coded_rows = 0;
};

struct TernaryKernels {
  int64_t ternary_tile_rows;
  size_t (*ternary_packed_bytes)(TernaryLayout layout, int64_t rows, int64_t cols) noexcept;
  Kernel<TernaryPackArgs> ternary_pack;
  Kernel<TernaryUnpackArgs> ternary_unpack;
  Kernel<TernaryMatmulArgs> ternary_matmul;
  // Rows up to which the two in one cost less than one after the other; 0 where they never do, and there is no entry.
  int64_t norm_ternary_rows;
  Kernel<NormTernaryArgs> norm_ternary_matmul;
  // The same with the product of gated_ternary_matmul below, up to as many rows; without a gate or a residual.
  Kernel<NormTernaryArgs> norm_gated_ternary_matmul = nullptr;
  // Null where codes and packing of one matrix after the other cost no more.
  Kernel<TernaryQuantizeArgs> ternary_quantize = nullptr;
  // Rows from which gating in the product costs less than reading both results again; 0 where it never does, and there
  // is no entry. The product is of two parts of the same n, gate and up: the same bits as Relu2GateArgs of their y go to
  // part[0].y, and the parts have no other results.
  int64_t gated_ternary_rows = 0;
  Kernel<TernaryMatmulArgs> gated_ternary_matmul = nullptr;
};

struct AttentionKernels {
  Kernel<AttentionArgs> attention;
  Kernel<AttentionBackwardArgs> attention_backward;
  size_t (*kv_block_bytes)(KvType type, int64_t tokens, int64_t dim) noexcept;  // a multiple of 64
  Kernel<KvAppendArgs> kv_append;
  Kernel<PagedAttentionArgs> paged_attention;
};

// All of them or none.
struct ScoreKernels {
  Kernel<LeadingScoresArgs> leading_scores;
  Kernel<LinearPairsArgs> linear_pairs;
  Kernel<SurvivingScoresArgs> surviving_scores;
  Kernel<BestScoresArgs> best_scores;
  Kernel<DrawnScoresArgs> drawn_scores;
};

struct ProbeKernels {
  Kernel<ReadWordsArgs> read_words;
  Kernel<Int8PeakArgs> int8_peak;
};

struct MixedKernels;  // mixed_kernels.h
struct ArrayKernels;  // array_kernels.h
struct LinalgKernels;  // linalg_kernels.h

struct Kernels : PointwiseKernels,
                 RowKernels,
                 MatmulKernels,
                 CodedKernels,
                 TernaryKernels,
                 AttentionKernels,
                 ScoreKernels,
                 ProbeKernels {
  const char* name;                    // "avx2"
  const MixedKernels* mixed = nullptr;  // null on a device without
  const ArrayKernels* array = nullptr;  // the same
  const LinalgKernels* linalg = nullptr;  // the same
};

// True when every entry is set. Each device asserts it at compile time for the tables that it has.
constexpr bool complete(const PointwiseKernels& t) {
  return t.unary && t.binary && t.compare && t.select && t.copy && t.fill && t.reduce && t.gather_rows &&
         t.scatter_add_rows && t.relu2_gate && t.relu2_gate_backward && t.sum_squares && t.abs_sum && t.ternary_codes &&
         t.adamw;
}
constexpr bool complete(const RowKernels& t) {
  return t.rms_norm && t.rms_norm_backward && t.softmax && t.softmax_backward && t.rope && t.quantize_rows &&
         t.norm_quantize && t.cross_entropy && t.cross_entropy_backward;
}
constexpr bool complete(const MatmulKernels& t) { return t.matmul && t.linear && t.linear_rows; }
constexpr bool complete(const CodedKernels& t) {
  return (t.screen_planes == 1 || t.screen_planes == 2) && t.screen_rows >= 1 && t.coded_bytes && t.code_rows && t.code_activations &&
         t.coded_linear;
}
constexpr bool complete(const TernaryKernels& t) {
  return t.ternary_tile_rows > 0 && t.ternary_packed_bytes && t.ternary_pack && t.ternary_unpack && t.ternary_matmul &&
         (t.norm_ternary_rows == 0 || t.norm_ternary_matmul) && (t.gated_ternary_rows == 0 || t.gated_ternary_matmul);
}
constexpr bool complete(const AttentionKernels& t) {
  return t.attention && t.attention_backward && t.kv_block_bytes && t.kv_append && t.paged_attention;
}
constexpr bool complete(const ScoreKernels& t) {
  return t.leading_scores && t.linear_pairs && t.surviving_scores && t.best_scores && t.drawn_scores;
}
constexpr bool complete(const ProbeKernels& t) { return t.read_words && t.int8_peak; }

}  // namespace tern
