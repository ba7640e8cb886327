// SPDX-License-Identifier: Apache-2.0
// Operations on tensors. Each checks its inputs, allocates its result on their device and calls one kernel.
//
// Conventions. Inputs may be any strided views on one device. Two-input ops broadcast by NumPy's rule and want equal
// dtypes. Arithmetic is done in f32, i32 or i64: bf16 and f16 inputs are computed in f32 and rounded once at the end;
// i8, u8 and bool are an error (cast first). Results are contiguous, except of the view ops. Negative axes count from
// the end. Every failure throws Error("[op] expected …, got …"). Float ops are differentiable unless the comment says
// otherwise; gradients are f32.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "tern/tensor.h"

namespace tern {

// ---------------------------------------------------------------- views and copies (differentiable for floats)

// The elements in row-major order under a new shape; one extent may be -1. A view where strides allow, else a copy.
Tensor reshape(const Tensor& x, const Shape& shape);
// Axes in a new order; `axes` is a permutation of 0 … rank-1.
Tensor permute(const Tensor& x, std::span<const int> axes);
// Two axes swapped.
Tensor transpose(const Tensor& x, int axis0 = -2, int axis1 = -1);
// Elements [begin, end) with `step` of one axis, as Python's slice of a list (out-of-range bounds are clipped, step may
// be negative, begin < 0 counts from the end).
Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end, int64_t step = 1);
// One index of an axis, which disappears.
Tensor select(const Tensor& x, int axis, int64_t index);
Tensor squeeze(const Tensor& x, int axis);
Tensor unsqueeze(const Tensor& x, int axis);
// Broadcast view.
Tensor expand(const Tensor& x, const Shape& shape);
// x itself if contiguous, else a copy.
Tensor contiguous(const Tensor& x);
Tensor clone(const Tensor& x);
// Conversion to another dtype (kernels.h, CopyArgs gives the rounding); x itself if it has it. Differentiable between
// floats, also through f64, which views, copies, concat and sum pass on; other ops refuse it there. Complex: an Error.
Tensor cast(const Tensor& x, DType dtype);
// Joined along an existing axis, of the promoted dtype (promotion.h); other extents must agree.
Tensor concat(std::span<const Tensor> parts, int axis);
// Copies src (broadcast, converted) into the elements of dst, in place. Not differentiable: Error if either requires a
// gradient.
void assign(const Tensor& dst, const Tensor& src);
// A copy on another device. Not differentiable.
Tensor to_device(const Tensor& x, const Device& device);

// ---------------------------------------------------------------- pointwise

Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
// Integer division truncates; an integer divisor of 0 is an Error.
Tensor div(const Tensor& a, const Tensor& b);
// NaN if either is; the gradient goes to the chosen input, halves to both where they are equal.
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);
// With a number, converted to the tensor's dtype.
Tensor add(const Tensor& a, double b);
Tensor mul(const Tensor& a, double b);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }

Tensor neg(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor square(const Tensor& x);
Tensor relu(const Tensor& x);
// relu(x)², the squared ReLU (arXiv 2109.08668).
Tensor relu2(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor silu(const Tensor& x);
Tensor tanh(const Tensor& x);

// Comparisons give bool tensors; not differentiable.
Tensor equal(const Tensor& a, const Tensor& b);
Tensor not_equal(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
// condition ? a : b, all three broadcast; condition is bool.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// relu(gate)² · up, of equal shapes: the gate of b1.58 2B4T's feed-forward block (arXiv 2504.12285).
Tensor relu2_gate(const Tensor& gate, const Tensor& up);

// ---------------------------------------------------------------- reductions

// Over the given axes, or over all when `axes` is empty. `keep` leaves extents of 1. sum of no elements is 0, mean NaN;
// the others need at least one. The gradient of max and min goes to the first extreme. Other dtypes: reductions.h.
Tensor sum(const Tensor& x, std::span<const int> axes = {}, bool keep = false);
Tensor mean(const Tensor& x, std::span<const int> axes = {}, bool keep = false);
Tensor max(const Tensor& x, int axis, bool keep = false);
Tensor min(const Tensor& x, int axis, bool keep = false);
// The first index of the extreme, i64; not differentiable.
Tensor argmax(const Tensor& x, int axis, bool keep = false);
Tensor argmin(const Tensor& x, int axis, bool keep = false);

// ---------------------------------------------------------------- rows: over the last axis

// x · weight / sqrt(mean(x²) + eps) (arXiv 1910.07467); weight has the last extent of x.
Tensor rms_norm(const Tensor& x, const Tensor& weight, float eps);
Tensor softmax(const Tensor& x);
// Rotary embedding (arXiv 2104.09864) in Hugging Face's half-split form. x [batch, tokens, heads, dim], dim even;
// positions i32 [batch, tokens], each in [0, extent of cos); cos, sin f32 [positions, dim/2].
Tensor rope(const Tensor& x, const Tensor& positions, const Tensor& cos, const Tensor& sin);
// Mean over the rows whose target is not -100 of -log softmax(logits)[target]. logits [..., classes], targets i64 of
// the leading shape, each -100 or in [0, classes). NaN when every target is -100 (as PyTorch).
Tensor cross_entropy(const Tensor& logits, const Tensor& targets);
// cross_entropy(linear(hidden, weight), targets) without its logits: hidden f32 [..., k], weight [classes, k]. Works on
// some rows at a time, and where a gradient is needed makes it at once, so that neither the logits nor their gradient
// ever exist as a whole. The same bits on a CPU; where the gradient that flows back into the loss is not 1, it
// multiplies the results instead of the logits' gradients, which rounds elsewhere (and is exact for powers of two).
Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets);
// cross_entropy, per row, 0 where ignored: f32 of the leading shape. Not differentiable.
Tensor cross_entropy_rows(const Tensor& logits, const Tensor& targets);
// Rows table[ids]: table [rows, cols], ids i64 of any shape → ids.shape + [cols]. Throws Error naming an id out of
// range.
Tensor embedding(const Tensor& table, const Tensor& ids);

// ---------------------------------------------------------------- matmul

// Matrix product over the last two axes, leading axes broadcast, of the promoted dtype (promotion.h): any; sums of
// integers wrap, and of bools are whether any product is true. A vector is a row of a or a column of b, and that axis is
// not in the result. Differentiable for f32, bf16 and f16.
Tensor matmul(const Tensor& a, const Tensor& b);
// x [..., k] · wᵀ for w [n, k]; f32 x, f32/bf16/f16 w (a gradient only for an f32 w). A row's bits do not depend on the
// others.
Tensor linear(const Tensor& x, const Tensor& w);

// ---------------------------------------------------------------- ternary

// Activations quantized per row (the last axis) to int8 by absmax (b1.58): what ternary_linear eats.
struct QuantizedRows {
  Shape shape;   // of the tensor that was quantized
  Tensor q;      // i8 [rows, stride], stride a multiple of 64, rows padded with 0
  Tensor scale;  // f32 [rows]: (1 / max(max|x|, 1e-5)) · 127, rounded twice as in PyTorch; x ≈ q / scale
  Tensor sums;   // i32 [rows]: sum of q
};

// A ternary matrix in its device's layout.
struct PackedTernary {
  Tensor bytes;  // u8, in the layout of the device
  int64_t rows = 0, cols = 0;
  float scale = 1.0f;  // multiplies the codes
  TernaryLayout layout = TernaryLayout::two_bit;
};

// x [..., k], f32. Not differentiable by itself: ternary_linear passes the gradient straight through.
QuantizedRows quantize_rows(const Tensor& x);

// quantize_rows(rms_norm(x, weight, eps)), bit for bit, in one kernel. x and weight f32. Not differentiable, like the two
// below.
QuantizedRows norm_quantize(const Tensor& x, const Tensor& weight, float eps);
// The same for x + y, which becomes the content of x, in place. x contiguous, y of its shape.
QuantizedRows add_norm_quantize(const Tensor& x, const Tensor& y, const Tensor& weight, float eps);
// The same for relu2_gate(gate, up).
QuantizedRows gate_norm_quantize(const Tensor& gate, const Tensor& up, const Tensor& weight, float eps);

// Mean of |w|, summed in double in a fixed order. f32.
float mean_abs(const Tensor& w);
// Of each, on one device: they are measured together, so that a GPU is waited for once.
std::vector<float> mean_abs(std::span<const Tensor> tensors);
// clamp(round(w / scale), -1, 1) as i8, rounding half to even, by multiplication with the f32 1/scale. f32 [rows,
// cols].
Tensor ternary_codes(const Tensor& w, float scale);
// i8 codes [rows, cols] in {-1, 0, 1} (an Error otherwise) to the layout of Device::ternary_layout() and back.
PackedTernary pack_ternary(const Tensor& codes, float scale);
Tensor unpack_ternary(const PackedTernary& w);

// y = x̂·ŵᵀ by the packed integer kernel: [..., rows of w], exact int32 sums, then one f32 scale per row.
// x̂ = q/scale and ŵ = w.scale·codes. Not differentiable.
Tensor ternary_linear(const QuantizedRows& x, const PackedTernary& w);
// The same with one to four matrices in one pass over x (q, k and v; gate and up): a result for each, in order.
std::vector<Tensor> ternary_linear(const QuantizedRows& x, std::initializer_list<const PackedTernary*> weights);
// ternary_linear(norm_quantize(x, weight, eps), weights), bit for bit, in one kernel for as few rows as the device has
// one for: decoding. Not differentiable, like those below. `ahead` are matrices of later products, each of the size of
// the one in its place, which a device may bring nearer meanwhile; no result depends on them.
std::vector<Tensor> norm_ternary_linear(const Tensor& x, const Tensor& weight, float eps,
                                        std::initializer_list<const PackedTernary*> weights,
                                        std::initializer_list<const PackedTernary*> ahead = {});
// The same for x + y, which is a result, too. y of x's shape.
struct AddedTernary {
  Tensor sum;
  std::vector<Tensor> results;
};
AddedTernary add_norm_ternary_linear(const Tensor& x, const Tensor& y, const Tensor& weight, float eps,
                                     std::initializer_list<const PackedTernary*> weights,
                                     std::initializer_list<const PackedTernary*> ahead = {});
// Those with a gate and what it gates, matrices of one shape. What relu2_gate is to be taken of, gate and up; or, where
// the device gates in the product of so many rows, up is relu2_gate already and gate undefined.
struct Gated {
  Tensor gate, up;
};
Gated norm_gated_ternary_linear(const Tensor& x, const Tensor& weight, float eps, const PackedTernary& gate,
                                const PackedTernary& up, std::initializer_list<const PackedTernary*> ahead = {});
struct AddedGated {
  Tensor sum;
  Gated results;
};
AddedGated add_norm_gated_ternary_linear(const Tensor& x, const Tensor& y, const Tensor& weight, float eps,
                                         const PackedTernary& gate, const PackedTernary& up,
                                         std::initializer_list<const PackedTernary*> ahead = {});
// norm_ternary_linear of relu2_gate(gate, up), or of up where gate is undefined, and one matrix.
Tensor gate_norm_ternary_linear(const Tensor& gate, const Tensor& up, const Tensor& weight, float eps,
                                const PackedTernary& w, std::initializer_list<const PackedTernary*> ahead = {});
// residual + gate_norm_ternary_linear(gate, up, weight, eps, w, ahead). It costs no more than that where adds_residual():
// for as few rows as the device has one kernel for.
bool adds_residual(const Device& device, int64_t rows);
Tensor residual_norm_ternary_linear(const Tensor& residual, const Tensor& gate, const Tensor& up, const Tensor& weight,
                                    float eps, const PackedTernary& w,
                                    std::initializer_list<const PackedTernary*> ahead = {});
// The int32 sums themselves, [..., rows of w].
Tensor ternary_linear_sums(const QuantizedRows& x, const PackedTernary& w);
// The same forward values, differentiable by the straight-through estimator (b1.58): dx = dy·ŵ, d_master = dyᵀ·x̂.
// xq = quantize_rows(x); codes are w's codes, i8; master is the f32 matrix they came from. x and master give only
// their graph, not their values.
Tensor ternary_linear_ste(const Tensor& x, const QuantizedRows& xq, const Tensor& master, const Tensor& codes,
                          const PackedTernary& w);

// ---------------------------------------------------------------- attention

// Causal grouped-query attention. q [batch, q_tokens, heads, dim], k and v [batch, kv_tokens, kv_heads, dim], heads a
// multiple of kv_heads, q_tokens <= kv_tokens: query i sees the keys 0 … kv_tokens - q_tokens + i. scale multiplies
// q·k. Differentiable when q_tokens == kv_tokens. k and v may be views of a longer cache (a slice of axis 1).
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, float scale);

}  // namespace tern
