// SPDX-License-Identifier: Apache-2.0
#include "autograd/tape.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/check_kind.h"
#include "core/format_shape.h"
#include "device/backend.h"
#include "device/loop.h"
#include "tern/autograd.h"

namespace tern {
namespace {

using Node = std::shared_ptr<GradState>;

Tensor contiguous_copy(const Tensor& x) {
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  CopyArgs args;
  args.x = x.raw();
  args.x_dtype = x.dtype();
  args.y = y.raw();
  args.y_dtype = y.dtype();
  set_loop(args.shape, x.shape(), {{x, args.x_strides}, {y, args.y_strides}});
  const Backend& backend = x.device().backend();
  backend.kernels().copy(backend.exec(), args);
  return y;
}

// Whether x can be added to in its memory: nobody else reads it.
bool is_own(const Tensor& x) { return GradState::owns_alone(x) && x.is_contiguous(); }

// a + b, in the memory of a where that is its own.
Tensor sum(Tensor a, const Tensor& b) {
  const bool in_place = is_own(a);
  const Tensor y = in_place ? std::move(a) : Tensor::empty(b.shape(), DType::f32, b.device());
  const Tensor& left = in_place ? y : a;
  BinaryArgs args;
  args.op = BinaryOp::add;
  args.dtype = DType::f32;
  args.a.data = left.raw();
  args.b.data = b.raw();
  args.y = y.raw();
  set_loop(args.shape, left.shape(), {{left, args.a.strides}, {b, args.b.strides}});
  const Backend& backend = b.device().backend();
  backend.kernels().binary(backend.exec(), args);
  return y;
}

void accumulate(Tensor& slot, Tensor gradient) {
  slot = slot.defined() ? sum(std::move(slot), gradient) : std::move(gradient);
}

// A leaf's gradient outlives the walk, so it shares memory with nothing.
void finish_leaf(GradState& leaf, Tensor gradient) {
  if (!gradient.defined() || !leaf.requires_grad) return;
  if (leaf.grad.defined()) {
    leaf.grad = sum(std::move(leaf.grad), gradient);
  } else {
    leaf.grad = is_own(gradient) ? std::move(gradient) : contiguous_copy(gradient);
  }
  if (leaf.on_grad) leaf.on_grad();
}

void check_not_released(const GradState& node) {
  check(node.leaf || node.vjp || node.adding_vjp, "backward",
        "expected a graph that was not walked before, got the released result of {}", node.op);
}

// The nodes below root, each after all its inputs: depth first, inputs in order.
std::vector<Node> post_order(const Node& root) {
  struct Visit {
    Node node;
    size_t next = 0;
  };
  std::vector<Node> order;
  std::unordered_set<const GradState*> seen = {root.get()};
  std::vector<Visit> stack;
  check_not_released(*root);
  stack.push_back({root});
  while (!stack.empty()) {
    Visit& top = stack.back();
    if (top.next == top.node->inputs.size()) {
      order.push_back(std::move(top.node));
      stack.pop_back();
      continue;
    }
    const Node& input = top.node->inputs[top.next++];
    if (!input || !seen.insert(input.get()).second) continue;
    check_not_released(*input);
    stack.push_back({input});
  }
  return order;
}

// Gradients on their way down the graph.
class Gradients {
 public:
  // `order` is the whole graph.
  explicit Gradients(const std::vector<Node>& order) {
    for (const Node& node : order) {
      for (const Node& input : node->inputs) {
        if (input && input->leaf) ++uses_[input.get()];
      }
    }
  }

  void add(const GradState& node, Tensor gradient) { accumulate(waiting_[&node], std::move(gradient)); }

  // Undefined when nothing was added.
  Tensor take(const GradState& node) {
    const auto found = waiting_.find(&node);
    return found == waiting_.end() ? Tensor() : std::move(waiting_.extract(found).mapped());
  }

  // The same of what can be added to in its memory; anything else stays.
  Tensor take_own(const GradState& node) {
    const auto found = waiting_.find(&node);
    return found != waiting_.end() && is_own(found->second) ? take(node) : Tensor();
  }

  // One use of a leaf has had its turn; after the last one nothing more comes to it.
  void used(GradState& leaf) {
    if (--uses_[&leaf] == 0) finish_leaf(leaf, take(leaf));
  }

 private:
  std::unordered_map<const GradState*, Tensor> waiting_;
  std::unordered_map<const GradState*, int64_t> uses_;  // of leaves, still to come
};

// Runs the node's vjp, releases what it saved and hands the results on.
void pull_back(GradState& node, Gradients& gradients) {
  const std::vector<Node> inputs = std::exchange(node.inputs, {});
  const GradState::Vjp vjp = std::exchange(node.vjp, nullptr);
  const GradState::AddingVjp adding_vjp = std::exchange(node.adding_vjp, nullptr);
  if (Tensor gradient = gradients.take(node); gradient.defined() && adding_vjp) {
    gradients.add(*inputs[0], adding_vjp(gradient, gradients.take_own(*inputs[0])));
  } else if (gradient.defined()) {
    std::vector<Tensor> results = vjp(gradient);
    gradient = Tensor();
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] && results[i].defined()) gradients.add(*inputs[i], std::move(results[i]));
    }
  }
  for (const Node& input : inputs) {
    if (input && input->leaf) gradients.used(*input);
  }
}

Tensor seed(const Tensor& output, const Tensor& grad) {
  if (!grad.defined()) {
    check(output.numel() == 1, "backward", "expected a gradient for an output of shape {}, got none", output.shape());
    return Tensor::full(output.shape(), 1.0, DType::f32, output.device());
  }
  const bool of_output = grad.dtype() == output.dtype() && has_gradient(output.dtype());
  check(grad.shape() == output.shape() && (grad.dtype() == DType::f32 || of_output) && grad.device() == output.device(),
        "backward", "expected a gradient f32 {} on the output's device, got {} {}", output.shape(),
        name_of(grad.dtype()), grad.shape());
  return grad.detach();
}

Node make_node(const Tensor& out, const char* op, std::span<const Tensor> inputs) {
  auto node = std::make_shared<GradState>();
  node->requires_grad = true;
  node->leaf = false;
  node->op = op;
  for (const Tensor& input : inputs) node->inputs.push_back(input.requires_grad() ? input.grad_state() : nullptr);
  out.grad_state() = node;
  return node;
}

void check_carries(bool carries, const char* op, DType dtype) {
  check_as<WrongType>(carries, op, "expected inputs without a gradient, which a result of dtype {} cannot carry",
                      name_of(dtype));
}

}  // namespace

bool needs_grad(std::span<const Tensor> tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const Tensor& tensor) { return tensor.requires_grad(); });
}

void record(const Tensor& out, const char* op, std::span<const Tensor> inputs, GradState::Vjp vjp) {
  if (!needs_grad(inputs)) return;
  check_carries(has_gradient(out.dtype()), op, out.dtype());
  record_linear(out, op, inputs, std::move(vjp));
}

void record(const Tensor& out, const char* op, const std::vector<Tensor>& inputs, GradState::Vjp vjp) {
  record(out, op, std::span<const Tensor>(inputs), std::move(vjp));
}

void record_adding(const Tensor& out, const char* op, const Tensor& input,
                   std::function<void(const Tensor& grad, const Tensor& to)> add) {
  if (!needs_grad(input)) return;
  check_carries(has_gradient(out.dtype()), op, out.dtype());
  make_node(out, op, {&input, 1})->adding_vjp = [add = std::move(add), shape = input.shape()](const Tensor& grad,
                                                                                              Tensor to) {
    if (!to.defined()) to = Tensor::zeros(shape, DType::f32, grad.device());
    add(grad, to);
    return to;
  };
}

void record_linear(const Tensor& out, const char* op, std::span<const Tensor> inputs, GradState::Vjp vjp) {
  if (!needs_grad(inputs)) return;
  check_carries(is_float(out.dtype()), op, out.dtype());
  make_node(out, op, inputs)->vjp = std::move(vjp);
}

void record_linear(const Tensor& out, const char* op, const std::vector<Tensor>& inputs, GradState::Vjp vjp) {
  record_linear(out, op, std::span<const Tensor>(inputs), std::move(vjp));
}

void backward(const Tensor& output, const Tensor& grad) {
  check(output.defined() && output.requires_grad(), "backward", "expected an output that requires a gradient, got {}",
        output.defined() ? "one that does not" : "an undefined tensor");
  std::vector<Node> order = post_order(output.grad_state());
  if (output.grad_state()->leaf) return finish_leaf(*output.grad_state(), seed(output, grad));
  Gradients gradients(order);
  gradients.add(*order.back(), seed(output, grad));
  for (; !order.empty(); order.pop_back()) {
    if (!order.back()->leaf) pull_back(*order.back(), gradients);
  }
}

}  // namespace tern
