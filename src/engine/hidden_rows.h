// SPDX-License-Identifier: Apache-2.0
// Rows of a pass that tokens are drawn from.
#pragma once

#include <cstdint>
#include <vector>

#include "tern/ops.h"

namespace tern {

// hidden[rows], without a copy where that is all of them.
inline Tensor hidden_rows(const Tensor& hidden, const std::vector<int64_t>& rows) {
  if (std::ssize(rows) == hidden.size(0)) return hidden;
  return embedding(hidden, Tensor::from(rows, {std::ssize(rows)}, hidden.device()));
}

}  // namespace tern
