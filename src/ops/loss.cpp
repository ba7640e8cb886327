// SPDX-License-Identifier: Apache-2.0
// Cross-entropy.
#include <algorithm>
#include <vector>

#include "ops/call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gradients.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr int64_t kIgnored = -100;

struct RowLosses {
  Tensor loss, lse;        // f32 [rows]
  Tensor logits, targets;  // contiguous
};

RowLosses row_losses(const char* op, const Tensor& logits, const Tensor& targets) {
  check_inputs(op, {{"logits", logits}, {"targets", targets}});
  check_floats(op, {{"logits", logits}});
  check_inputs(op, DType::i64, {{"targets", targets}});
  check_rank_at_least(op, {"logits", logits}, 1);
  Shape leading = logits.shape();
  leading.erase(leading.rank() - 1);
  check_shape(op, {"targets", targets}, leading);
  check_indices(op, {"targets", targets}, logits.shape().back(), kIgnored);
  const Tensor loss = Tensor::empty(leading, DType::f32, logits.device());
  const Tensor lse = Tensor::empty(leading, DType::f32, logits.device());
  const RowLosses out{loss, lse, is_half(logits.dtype()) ? converted(logits, DType::f32) : dense(logits),
                      dense(targets)};
  call(logits.device(), &Kernels::cross_entropy,
       {.rows = targets.numel(),
        .classes = logits.shape().back(),
        .logits = out.logits.data<float>(),
        .targets = out.targets.data<int64_t>(),
        .loss = loss.data<float>(),
        .lse = lse.data<float>()});
  return out;
}

// scale · (softmax(logits) - one_hot(targets)), in the memory of the logits when nobody else reads them any more: they
// are the largest tensor of a training step.
Tensor logits_gradient(const Tensor& logits, const Tensor& targets, const Tensor& lse, float scale) {
  const bool in_place = GradState::owns_alone(logits);
  const Tensor dx = in_place ? logits : Tensor::empty(logits.shape(), DType::f32, logits.device());
  call(logits.device(), &Kernels::cross_entropy_backward,
       {.rows = targets.numel(),
        .classes = logits.shape().back(),
        .logits = logits.data<float>(),
        .targets = targets.data<int64_t>(),
        .lse = lse.data<float>(),
        .scale = scale,
        .d_logits = dx.data<float>()});
  return dx;
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& targets) {
  const RowLosses rows = row_losses("cross_entropy", logits, targets);
  const std::vector<int64_t> classes = targets.to_vector<int64_t>();
  const auto count =
      static_cast<double>(classes.size()) - static_cast<double>(std::count(classes.begin(), classes.end(), kIgnored));
  const Tensor loss = sum(rows.loss) / Tensor::full({}, count, DType::f32, logits.device());
  if (needs_grad(logits)) {
    record(loss, "cross_entropy", {logits},
           [logits = saved(rows.logits), targets = saved(rows.targets), lse = rows.lse, count](const Tensor& dy) {
             return Gradients{logits_gradient(logits, targets, lse, static_cast<float>(dy.item() / count))};
           });
  }
  return loss;
}

Tensor cross_entropy_rows(const Tensor& logits, const Tensor& targets) {
  return row_losses("cross_entropy_rows", logits, targets).loss;
}

}  // namespace tern
