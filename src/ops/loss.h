// SPDX-License-Identifier: Apache-2.0
// What the heads that never hold all logits share.
#pragma once

#include <cstdint>

#include "tern/tensor.h"

namespace tern {

// Rows of logits of this dtype that are made at once. The more they are, the less a large weight and its gradient are
// read again, and the more of a GPU works on a chunk.
int64_t head_rows_at_once(int64_t classes, DType logits);

// The mean of the losses over `counted` targets, with gradients that were made with it; undefined where they are not
// wanted. scale(y, factor) multiplies in place by a tensor of one element.
Tensor record_head_loss(const Tensor& losses, int64_t counted, const Tensor& hidden, const Tensor& weight,
                        Tensor d_hidden, Tensor d_weight, void (*scale)(const Tensor& y, const Tensor& factor));

}  // namespace tern
