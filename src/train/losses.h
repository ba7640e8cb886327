// SPDX-License-Identifier: Apache-2.0
// The two halves of evaluate(), for processes that share a text.
#pragma once

#include <cstdint>
#include <span>

#include "tern/train.h"

namespace tern {

// The sum of the losses of all ids but the first, in windows as evaluate() takes them, whose arguments these are.
double sum_of_losses(const Model& model, std::span<const int32_t> ids, int64_t window, KvType kv);

// Of that sum over a text of `ids` ids; tokens_per_second stays 0.
Evaluation evaluation_of(double sum, int64_t ids, int64_t bytes);

}  // namespace tern
