// SPDX-License-Identifier: Apache-2.0
#include "nn/blocks.h"

#include <cmath>

namespace tern {
namespace {

// [batch, tokens, heads·dim] → [batch, tokens, heads, dim].
Tensor split_heads(const Tensor& x, int64_t heads, int64_t dim) {
  return reshape(x, {x.size(0), x.size(1), heads, dim});
}

// Stores this pass's rows in the cache and gives all rows so far.
Tensor append(const Tensor& rows, const Tensor& cache, int64_t length) {
  const int64_t end = length + rows.size(1);
  assign(slice(cache, 1, length, end), rows);
  return slice(cache, 1, 0, end);
}

// Normalizes and projects: every ternary projection behind a sub-norm.
Tensor project(const BitLinear& linear, const Tensor& x, const DenseWeight& norm, float eps, bool with_grad) {
  const Tensor n = rms_norm(x, norm.get(with_grad), eps);
  return linear.forward(n, quantize_rows(n), with_grad);
}

}  // namespace

Tensor SelfAttention::forward(const Tensor& n, const TokenPositions& positions, const LayerCache* cache,
                              bool with_grad) const {
  const QuantizedRows nq = quantize_rows(n);
  const auto rotated = [&](const BitLinear& linear, int64_t count) {
    return rope(split_heads(linear.forward(n, nq, with_grad), count, head_dim), positions.ids, positions.rope->cos,
                positions.rope->sin);
  };
  const Tensor queries = rotated(q, heads);
  Tensor keys = rotated(k, kv_heads);
  Tensor values = split_heads(v.forward(n, nq, with_grad), kv_heads, head_dim);
  if (cache) {
    keys = append(keys, cache->k, cache->length);
    values = append(values, cache->v, cache->length);
  }
  const float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
  const Tensor mixed = reshape(attention(queries, keys, values, scale), {n.size(0), n.size(1), heads * head_dim});
  return project(o, mixed, sub_norm, eps, with_grad);
}

Tensor FeedForward::forward(const Tensor& m, bool with_grad) const {
  const QuantizedRows mq = quantize_rows(m);
  const Tensor gated = relu2_gate(gate.forward(m, mq, with_grad), up.forward(m, mq, with_grad));
  return project(down, gated, sub_norm, eps, with_grad);
}

}  // namespace tern
