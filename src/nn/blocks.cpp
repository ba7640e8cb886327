// SPDX-License-Identifier: Apache-2.0
#include "nn/blocks.h"

#include <cmath>
#include <utility>

#include "ops/checked_indices.h"

namespace tern {
namespace {

// [batch, tokens, heads·dim] → [batch, tokens, heads, dim].
Tensor split_heads(const Tensor& x, int64_t heads, int64_t dim) {
  return reshape(x, {x.size(0), x.size(1), heads, dim});
}

// Normalizes and projects: every ternary projection behind a sub-norm.
Tensor project(const BitLinear& linear, const Tensor& x, const DenseWeight& norm, float eps, bool with_grad) {
  const Tensor n = rms_norm(x, norm.get(with_grad), eps);
  return linear.forward(n, quantize_rows(n), with_grad);
}

}  // namespace

float score_scale(int64_t head_dim) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim))); }

std::vector<Tensor> Residual::project(const DenseWeight& norm, float eps,
                                      std::initializer_list<const PackedTernary*> weights,
                                      std::initializer_list<const PackedTernary*> ahead) {
  if (!change.defined()) return norm_ternary_linear(x, norm.get(false), eps, weights, ahead);
  AddedTernary added = add_norm_ternary_linear(x, change, norm.get(false), eps, weights, ahead);
  x = std::move(added.sum);
  change = {};
  return std::move(added.results);
}

Gated Residual::project_gated(const DenseWeight& norm, float eps, const PackedTernary& gate, const PackedTernary& up,
                              std::initializer_list<const PackedTernary*> ahead) {
  if (!change.defined()) return norm_gated_ternary_linear(x, norm.get(false), eps, gate, up, ahead);
  AddedGated added = add_norm_gated_ternary_linear(x, change, norm.get(false), eps, gate, up, ahead);
  x = std::move(added.sum);
  change = {};
  return std::move(added.results);
}

void Residual::add(const Tensor& gate, const Tensor& up, const DenseWeight& norm, float eps, const PackedTernary& w,
                   std::initializer_list<const PackedTernary*> ahead) {
  if (adds_residual(up.device(), up.numel() / up.shape().back())) {
    x = residual_norm_ternary_linear(x, gate, up, norm.get(false), eps, w, ahead);
  } else {
    change = gate_norm_ternary_linear(gate, up, norm.get(false), eps, w, ahead);
  }
}

Tensor SelfAttention::forward(const Tensor& n, const TokenPositions& positions, bool with_grad) const {
  const QuantizedRows nq = quantize_rows(n);
  const auto rotated = [&](const BitLinear& linear, int64_t count) {
    return checked::rope(split_heads(linear.forward(n, nq, with_grad), count, head_dim), positions.ids,
                         positions.rope->cos, positions.rope->sin);
  };
  const Tensor values = split_heads(v.forward(n, nq, with_grad), kv_heads, head_dim);
  const Tensor mixed = attention(rotated(q, heads), rotated(k, kv_heads), values, score_scale(head_dim));
  return project(o, reshape(mixed, {n.size(0), n.size(1), heads * head_dim}), sub_norm, eps, with_grad);
}

// The last layer, which has none after it, reads its own again: that costs nothing.
void SelfAttention::run(Residual& stream, const DenseWeight& norm, const KvLayer& at, const SelfAttention* next) const {
  const SelfAttention& later = next ? *next : *this;
  const std::vector<Tensor> qkv = stream.project(norm, eps, {&q.packed(), &k.packed(), &v.packed()},
                                                 {&later.q.packed(), &later.k.packed(), &later.v.packed()});
  const Tensor mixed = append_and_attend(at.kv, at.layer, at.pass, qkv[0], qkv[1], qkv[2], score_scale(head_dim));
  stream.add({}, mixed, sub_norm, eps, o.packed(), {&later.o.packed()});
}

Tensor FeedForward::forward(const Tensor& m, bool with_grad) const {
  const QuantizedRows mq = quantize_rows(m);
  const Tensor gated = relu2_gate(gate.forward(m, mq, with_grad), up.forward(m, mq, with_grad));
  return project(down, gated, sub_norm, eps, with_grad);
}

void FeedForward::run(Residual& stream, const DenseWeight& norm, const FeedForward* next) const {
  const FeedForward& later = next ? *next : *this;
  const Gated gated =
      stream.project_gated(norm, eps, gate.packed(), up.packed(), {&later.gate.packed(), &later.up.packed()});
  stream.add(gated.gate, gated.up, sub_norm, eps, down.packed(), {&later.down.packed()});
}

}  // namespace tern
