// SPDX-License-Identifier: Apache-2.0
#include "nn/blocks.h"

#include <cmath>
#include <vector>

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

float score_scale(int64_t head_dim) { return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim))); }

}  // namespace

Tensor SelfAttention::forward(const Tensor& n, const TokenPositions& positions, bool with_grad) const {
  const QuantizedRows nq = quantize_rows(n);
  const auto rotated = [&](const BitLinear& linear, int64_t count) {
    return rope(split_heads(linear.forward(n, nq, with_grad), count, head_dim), positions.ids, positions.rope->cos,
                positions.rope->sin);
  };
  const Tensor values = split_heads(v.forward(n, nq, with_grad), kv_heads, head_dim);
  const Tensor mixed = attention(rotated(q, heads), rotated(k, kv_heads), values, score_scale(head_dim));
  return project(o, reshape(mixed, {n.size(0), n.size(1), heads * head_dim}), sub_norm, eps, with_grad);
}

Tensor SelfAttention::run(const QuantizedRows& n, const KvLayer& at) const {
  const std::vector<Tensor> qkv = ternary_linear(n, {&q.packed(), &k.packed(), &v.packed()});
  kv_append(at.kv, at.layer, at.pass, qkv[1], qkv[2]);
  const Tensor mixed = paged_attention(at.kv, at.layer, at.pass, qkv[0], score_scale(head_dim));
  return ternary_linear(norm_quantize(mixed, sub_norm.get(false), eps), o.packed());
}

Tensor FeedForward::forward(const Tensor& m, bool with_grad) const {
  const QuantizedRows mq = quantize_rows(m);
  const Tensor gated = relu2_gate(gate.forward(m, mq, with_grad), up.forward(m, mq, with_grad));
  return project(down, gated, sub_norm, eps, with_grad);
}

Tensor FeedForward::run(const QuantizedRows& m) const {
  const std::vector<Tensor> both = ternary_linear(m, {&gate.packed(), &up.packed()});
  return ternary_linear(gate_norm_quantize(both[0], both[1], sub_norm.get(false), eps), down.packed());
}

}  // namespace tern
