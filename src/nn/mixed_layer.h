// SPDX-License-Identifier: Apache-2.0
// A transformer layer in mixed precision (ops/mixed.h): one node of the graph, forward and backward.
#pragma once

#include "nn/blocks.h"

namespace tern {

// A layer's weights, which outlive its graph.
struct LayerWeights {
  const DenseWeight& input_norm;
  const SelfAttention& attention;
  const DenseWeight& post_norm;
  const FeedForward& feed_forward;
};

// Whether the device has the kernels, and they take a layer of these extents.
bool takes_mixed_layer(const Device& device, int64_t hidden, int64_t intermediate, int64_t head_dim);

// What goes from layer to layer: x bf16 [batch·tokens, hidden], sequences one after the other. Whoever pulls x back
// divides its gradient by q_scale, which is for the products of that gradient in the layer that made x; undefined where
// none did.
struct MixedStream {
  Tensor x, q_scale;
};

// What SelfAttention::forward and FeedForward::forward make of x with their norms and residuals. The products are the
// same integer sums of codes, but the activations between them are rounded to bf16, gradients too. Tokens stand at
// positions 0, 1, … of their sequence.
MixedStream mixed_layer(const LayerWeights& layer, const MixedStream& in, const RopeTable& rope, int64_t batch);

}  // namespace tern
