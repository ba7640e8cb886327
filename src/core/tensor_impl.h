// SPDX-License-Identifier: Apache-2.0
// What a Tensor points to.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/storage.h"
#include "tern/tensor.h"

namespace tern {

// Gradient side of a tensor: absent (null) for tensors outside any graph. Nodes point at nodes, not at tensors, so that
// a graph keeps alive only the values that a gradient needs. src/autograd records and walks it.
struct GradState {
  // Gradient of one op's output to gradients of its inputs, in order; an undefined Tensor where an input needs none. It
  // captures detached tensors only. Runs at most once.
  using Vjp = std::function<std::vector<Tensor>(const Tensor& grad)>;
  // The same of an op of one input, most of whose gradient is 0: adds it to `to`, a contiguous gradient of the input
  // that nobody else has and that it gives back. Undefined stands for zeros.
  using AddingVjp = std::function<Tensor(const Tensor& grad, Tensor to)>;

  bool requires_grad = false;
  // Not computed by an op; only leaves keep a gradient.
  bool leaf = true;
  Tensor grad;
  // Of a leaf: called by backward() once `grad` has all that this walk adds to it, while the walk goes on. It may take
  // `grad` away. Null where nobody asks.
  std::function<void()> on_grad;
  // The op that computed the tensor and its inputs, null where one needs no gradient.
  const char* op = "leaf";
  std::vector<std::shared_ptr<GradState>> inputs;
  // One of them; empty for a leaf, and after backward().
  Vjp vjp;
  AddingVjp adding_vjp;

  GradState() = default;
  // Releases long chains without deep recursion.
  ~GradState();
  GradState(const GradState&) = delete;
  GradState& operator=(const GradState&) = delete;

  // True when no other tensor, handle or view, reaches the elements: they may be overwritten.
  static bool owns_alone(const Tensor& tensor);
};

struct TensorImpl {
  TensorImpl(std::shared_ptr<Storage> over, int64_t offset, const Shape& extents, const Shape& steps, DType type)
      : storage(std::move(over)), byte_offset(offset), dtype(type), shape(extents), strides(steps) {}

  const std::shared_ptr<Storage> storage;
  const int64_t byte_offset;
  const DType dtype;
  const Shape shape;
  const Shape strides;
  std::shared_ptr<GradState> grad_state;
};

inline bool GradState::owns_alone(const Tensor& tensor) {
  return tensor.impl_.use_count() == 1 && tensor.impl_->storage.use_count() == 1;
}

}  // namespace tern
