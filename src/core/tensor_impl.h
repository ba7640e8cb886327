// SPDX-License-Identifier: Apache-2.0
// What a Tensor points to.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/storage.h"
#include "tern/tensor.h"

namespace tern {

// Gradient side of a tensor: absent (null) for tensors outside any graph. The graph's edges and walk are in src/autograd.
struct GradState {
  // Gradient of one op's output to gradients of its inputs, in order; an undefined Tensor where an input needs none.
  using Vjp = std::function<std::vector<Tensor>(const Tensor& grad)>;

  bool requires_grad = false;
  Tensor grad;                 // leaves only
  const char* op = "leaf";     // name of the op that computed the tensor
  std::vector<Tensor> inputs;  // of that op; empty for a leaf
  Vjp vjp;                     // empty for a leaf

  // Releases long chains without deep recursion.
  ~GradState();
};

struct TensorImpl {
  std::shared_ptr<Storage> storage;
  int64_t byte_offset = 0;
  Shape shape;
  Shape strides;
  DType dtype = DType::f32;
  std::shared_ptr<GradState> grad_state;
};

}  // namespace tern
