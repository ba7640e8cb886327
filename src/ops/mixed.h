// SPDX-License-Identifier: Apache-2.0
// Ops of mixed-precision training over device/mixed_kernels.h: activations and their gradients in bf16. Most record no
// graph of their own; nn/mixed_layer.cpp composes them forward and back. Their operands are checked by the layer that
// holds them, and are matrices [rows, cols] whose last stride is 1.
#pragma once

#include <span>
#include <vector>

#include "ops/late_ternary.h"
#include "tern/ops.h"

namespace tern::mixed {

// Whether the device has these kernels: opened with MatmulPrecision::bf16, on a GPU that has the instructions.
bool is_available(const Device& device);
// What they ask of the extents of columns, and of a head's dimension.
constexpr bool takes_columns(int64_t cols) { return cols % 8 == 0; }
constexpr bool takes_head(int64_t dim) { return dim % 16 == 0 && dim <= 128; }

// Not yet written.
Tensor empty_bf16(int64_t rows, int64_t cols, const Device& device);

// bf16 of f32 x and back, of any shape; the gradient is converted the other way.
Tensor to_bf16(const Tensor& x);
Tensor to_f32(const Tensor& x);

struct NormalizedRows {
  QuantizedRows rows;
  Tensor inv_rms;  // f32 [rows]
};

// quantize_rows(rms_norm(h)) for h = x, or relu(gate)²·x where a gate is given. x, gate bf16 [rows, cols] contiguous,
// weight f32 [cols].
NormalizedRows norm_quantize(const Tensor& x, const Tensor& gate, const Tensor& weight, float eps);

// Heads of the results of the first `parts` matrices are rotated (MixedRotation), in sequences of so many tokens.
struct HeadRotation {
  size_t parts = 0;
  Tensor cos, sin;  // f32 [tokens or more, dim/2]
  int64_t tokens = 0;
};

// y[i] = x · weights[i]ᵀ (+ residual), one product of up to kMostTernaryParts matrices; y[i] bf16 [rows, n], any row
// stride; residual bf16 [rows, n] contiguous, or undefined, and then heads may be rotated.
void ternary_linear(const QuantizedRows& x, std::span<const LateMatrix> weights, std::span<const Tensor> y,
                    const Tensor& residual = {}, const HeadRotation& rotation = {});

// checked::embedding of an f32 table, in bf16 [rows, cols]; records itself.
Tensor embedding(const Tensor& table, const Tensor& ids);
// rms_norm(x) of bf16 [rows, cols], contiguous; records itself. The gradient of x is divided by q_scale, f32 [rows] or
// undefined.
Tensor rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& q_scale);

// over / under of f32 [] each, which no host looks at; undefined for 1.
struct Ratio {
  Tensor over, under;
};

// A gradient that was divided by the scales of quantized rows, where it has any.
struct Divided {
  Tensor e;        // bf16 [rows, cols]
  Tensor q_scale;  // f32 [rows]
};

// What an RMSNorm takes back, of MixedNormBackwardArgs: the gradient of its input from z, the product of a gradient
// with codes, which is times weight_scale·q_scale, as far as they are defined.
struct NormGradient {
  Tensor x, gate;          // as in norm_quantize
  Tensor weight, inv_rms;  // the same
  Tensor z;                // bf16 [rows, cols]
  Tensor q_scale;          // f32 [rows]
  Tensor weight_scale;     // f32 []
};

// dh (+ what `add` was before its division), divided by the scales `by` f32 [rows], if defined: bf16 [rows, cols].
// d_weight f32 [cols].
struct PulledNorm {
  Tensor d, d_weight;
};
PulledNorm pull_back(const NormGradient& norm, const Divided& add, const Tensor& by = {});
// With a gate: the gradients of gate and x, side by side in bf16 [rows, 2·cols], divided by `by`, x's times x_factor,
// too.
struct PulledGate {
  Tensor e, d_weight;
};
PulledGate pull_back_gate(const NormGradient& norm, const Tensor& by, const Ratio& x_factor);

// y *= the only element of f32 `factor`, in place; y f32 or bf16, contiguous.
void scale_in_place(const Tensor& y, const Tensor& factor);
// y = the codes, i8 [rows, cols], as bf16; both contiguous.
void widen_codes(const Tensor& codes, const Tensor& y);

// alpha · a·b on tensor cores; a [m, k] and b [k, n] of bf16, transposed or not. c of f32 or bf16, added to where
// `accumulate`, which is for f32.
void product_into(const Tensor& c, const Tensor& a, const Tensor& b, float alpha = 1.0f, bool accumulate = false);

// A matrix whose master's gradient is wanted, or not: eᵀ·q times a factor, e its n columns.
struct MasterGradient {
  int64_t n;
  Ratio factor;
  bool wanted;
};
// Of matrices that were multiplied with the same q of x [rows, cols]; e bf16 has the columns of all side by side.
struct InputGradients {
  Tensor e;
  QuantizedRows x;
  int64_t cols;
  std::vector<MasterGradient> matrices;
};
// f32 [n, cols] for each matrix of each input, undefined where it is not wanted. At most kMostGradientInputs inputs
// with as many rows, which share one launch.
std::vector<std::vector<Tensor>> master_gradients(std::span<const InputGradients> inputs);

// Heads of one projection side by side: [rows, heads·dim].
struct AttentionShape {
  int64_t batch, tokens, heads, kv_heads, dim;
  float scale;
};
struct Attended {
  Tensor out, lse;
};
// q, k, v are columns of `qkv` bf16 [rows, (heads + 2·kv_heads)·dim], of which q and k are rotated.
Attended attention(const Tensor& qkv, const AttentionShape& shape);
// The gradients of qkv before the rotation, side by side as there, divided by the scales `by` f32 [rows]; k's times
// k_factor, v's times v_factor.
Tensor attention_backward(const Tensor& qkv, const Attended& attended, const Tensor& d_out, const Tensor& cos,
                          const Tensor& sin, const AttentionShape& shape, const Tensor& by, const Ratio& k_factor,
                          const Ratio& v_factor);

// Whether linear_cross_entropy is for these: both require gradients, and are of types and extents that it takes.
bool takes_head_loss(const Tensor& hidden, const Tensor& weight);
// checked::linear_cross_entropy of bf16 hidden and f32 weight, the logits and their gradients in bf16.
Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets, int64_t counted);

}  // namespace tern::mixed
