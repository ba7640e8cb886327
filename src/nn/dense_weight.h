// SPDX-License-Identifier: Apache-2.0
// A weight that is not ternary: a norm's gain, an embedding, a head.
#pragma once

#include <utility>

#include "tern/tensor.h"

namespace tern {

// The leaf that trains and the same elements outside any graph, so that running a model records nothing.
class DenseWeight {
 public:
  DenseWeight() = default;
  // `trainable` makes the leaf require a gradient; value must then be f32.
  DenseWeight(Tensor value, bool trainable) : leaf_(std::move(value)), frozen_(leaf_.detach()) {
    if (trainable) leaf_.set_requires_grad();
  }

  const Tensor& get(bool with_grad) const { return with_grad ? leaf_ : frozen_; }
  const Tensor& leaf() const { return leaf_; }

 private:
  Tensor leaf_, frozen_;
};

}  // namespace tern
