// SPDX-License-Identifier: Apache-2.0
// The two halves of a transformer layer, with BitNet's sub-norms.
#pragma once

#include "nn/bit_linear.h"
#include "nn/dense_weight.h"
#include "nn/rope_table.h"

namespace tern {

// Keys and values of one layer in a longer cache: rows [length, length + tokens) are written, [0, length + tokens)
// read.
struct LayerCache {
  Tensor k, v;  // f32 [batch, capacity, kv_heads, head_dim]
  int64_t length = 0;
};

// Where the tokens of a pass stand.
struct TokenPositions {
  Tensor ids;  // i32 [batch, tokens]
  const RopeTable* rope;
};

// Grouped-query self-attention: Wo·norm(GQA(RoPE(Wq n), RoPE(Wk n), Wv n)), the sub-norm before the output projection
// (b1.58 2B4T, arXiv 2504.12285).
struct SelfAttention {
  BitLinear q, k, v, o;
  DenseWeight sub_norm;
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  float eps = 0;

  // n f32 [batch, tokens, hidden], already normalized; the same shape comes back. cache may be null.
  Tensor forward(const Tensor& n, const TokenPositions& positions, const LayerCache* cache, bool with_grad) const;
};

// Gated feed-forward: W2·norm(relu(W1 m)² ⊙ (W3 m)), the sub-norm before the down projection.
struct FeedForward {
  BitLinear gate, up, down;
  DenseWeight sub_norm;
  float eps = 0;

  Tensor forward(const Tensor& m, bool with_grad) const;
};

}  // namespace tern
