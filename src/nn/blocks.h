// SPDX-License-Identifier: Apache-2.0
// The two halves of a transformer layer, with BitNet's sub-norms.
#pragma once

#include <initializer_list>
#include <vector>

#include "nn/bit_linear.h"
#include "nn/dense_weight.h"
#include "nn/rope_table.h"
#include "ops/paged.h"

namespace tern {

// What scores are multiplied by: one over the root of a head's dimension.
float score_scale(int64_t head_dim);

// Where a layer of a running model finds the keys and values of its sequences.
struct KvLayer {
  const PagedKv& kv;
  int64_t layer;
  const PagedPass& pass;
};

// What a running model hands from block to block: x, and what the block before adds to it, undefined before the first
// and where it has been added already. A block reads their sum, normalized, and adds to it in turn.
struct Residual {
  Tensor x, change;

  Tensor sum() const { return change.defined() ? x + change : x; }

  // The products of norm(x + change) with the packed matrices. Takes the change into x. `ahead` as in tern/ops.h.
  std::vector<Tensor> project(const DenseWeight& norm, float eps, std::initializer_list<const PackedTernary*> weights,
                              std::initializer_list<const PackedTernary*> ahead);
  Gated project_gated(const DenseWeight& norm, float eps, const PackedTernary& gate, const PackedTernary& up,
                      std::initializer_list<const PackedTernary*> ahead);
  // Adds gate_norm_ternary_linear(gate, up, norm, eps, w), after project() or project_gated().
  void add(const Tensor& gate, const Tensor& up, const DenseWeight& norm, float eps, const PackedTernary& w,
           std::initializer_list<const PackedTernary*> ahead);
};

// Where the tokens of a pass stand.
struct TokenPositions {
  Tensor ids;  // i32 [batch, tokens], each a row of the table
  const RopeTable* rope;
};

// Grouped-query self-attention: Wo·norm(GQA(RoPE(Wq n), RoPE(Wk n), Wv n)), the sub-norm before the output projection
// (b1.58 2B4T, arXiv 2504.12285).
struct SelfAttention {
  BitLinear q, k, v, o;
  DenseWeight sub_norm;
  int64_t heads = 0, kv_heads = 0, head_dim = 0;
  float eps = 0;

  // n f32 [batch, tokens, hidden], already normalized; the same shape comes back.
  Tensor forward(const Tensor& n, const TokenPositions& positions, bool with_grad) const;
  // The same bits for rows [rows, hidden] of sequences that go on, without a graph; n is `stream` behind `norm`.
  // `next` is the block of the layer that follows, or null.
  void run(Residual& stream, const DenseWeight& norm, const KvLayer& kv, const SelfAttention* next) const;
};

// Gated feed-forward: W2·norm(relu(W1 m)² ⊙ (W3 m)), the sub-norm before the down projection.
struct FeedForward {
  BitLinear gate, up, down;
  DenseWeight sub_norm;
  float eps = 0;

  Tensor forward(const Tensor& m, bool with_grad) const;
  // The same bits without a graph; m is `stream` behind `norm`. `next` as there.
  void run(Residual& stream, const DenseWeight& norm, const FeedForward* next) const;
};

}  // namespace tern
