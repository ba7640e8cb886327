// SPDX-License-Identifier: Apache-2.0
// Ops whose indices somebody has checked already: they read none on the host, so they wait for nothing.
#pragma once

#include "tern/tensor.h"

namespace tern {

// table[ids[i]] for contiguous table [n, cols] and ids i64, which are in [0, n): [..., cols], of the table's dtype.
// Without a graph.
Tensor gather_rows(const Tensor& table, const Tensor& ids);
// The same in f32.
Tensor embed_rows(const Tensor& table, const Tensor& ids);

// The ops of these names in tern/ops.h, on operands that they would take.
namespace checked {

Tensor embedding(const Tensor& table, const Tensor& ids);
Tensor rope(const Tensor& x, const Tensor& positions, const Tensor& cos, const Tensor& sin);
// `counted` targets are not -100. Makes the logits of rows_at_once rows at a time; 0: of as many as a budget of memory
// allows.
Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets, int64_t counted,
                            int64_t rows_at_once = 0);

}  // namespace checked

}  // namespace tern
