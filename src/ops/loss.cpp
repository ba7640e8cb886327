// SPDX-License-Identifier: Apache-2.0
// Cross-entropy, of logits and of what they are made of.
#include <algorithm>
#include <utility>
#include <vector>

#include "ops/call.h"
#include "ops/checked_indices.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gradients.h"
#include "ops/loss.h"
#include "ops/matmul.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr int64_t kIgnored = -100;

// How many targets are not ignored, of those for rows [..., *], each in [0, classes) or ignored: an Error otherwise.
// Reads them on the host.
int64_t count_targets(const char* op, const Tensor& targets, const Input& rows, int64_t classes) {
  check_inputs(op, {rows, {"targets", targets}});
  check_inputs(op, DType::i64, {{"targets", targets}});
  check_rank_at_least(op, rows, 1);
  Shape leading = rows.tensor.shape();
  leading.erase(leading.rank() - 1);
  check_shape(op, {"targets", targets}, leading);
  const std::vector<int64_t> values = targets.to_vector<int64_t>();
  check_index_values(op, "targets", values, leading, classes, kIgnored);
  return std::ssize(values) - std::count(values.begin(), values.end(), kIgnored);
}

struct RowLosses {
  Tensor loss, lse;        // f32 [rows]
  Tensor logits, targets;  // contiguous
  int64_t counted;
};

RowLosses row_losses(const char* op, const Tensor& logits, const Tensor& targets) {
  check_floats(op, {{"logits", logits}});
  check_rank_at_least(op, {"logits", logits}, 1);
  const int64_t counted = count_targets(op, targets, {"logits", logits}, logits.shape().back());
  const Tensor loss = Tensor::empty(targets.shape(), DType::f32, logits.device());
  const Tensor lse = Tensor::empty(targets.shape(), DType::f32, logits.device());
  const RowLosses out{loss, lse, is_half(logits.dtype()) ? converted(logits, DType::f32) : dense(logits),
                      dense(targets), counted};
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

// The count is filled in by a kernel, not copied: a device records this (Backend::record).
Tensor mean_loss(const Tensor& losses, double count) {
  const Tensor divisor = Tensor::empty({}, DType::f32, losses.device());
  call(losses.device(), &Kernels::fill, {.dtype = DType::f32, .count = 1, .value = count, .y = divisor.raw()});
  return sum(losses) / divisor;
}

// A head's losses, a chunk of rows at a time, and the gradients of their mean where they are wanted.
struct ChunkedHead {
  Tensor hidden, weight;      // [rows, k] and [classes, k], contiguous, without a graph
  Tensor targets;             // [rows], contiguous
  float scale;                // one over the number of targets
  Tensor losses;              // f32 [rows]
  Tensor d_hidden, d_weight;  // f32, or undefined
  Tensor weight_factor;       // the weight as a factor of d_hidden: in f32

  void run(int64_t rows_at_once) const {
    const int64_t rows = hidden.shape()[0], classes = weight.shape()[0], most = std::min(rows_at_once, rows);
    const Tensor logits = Tensor::empty({most, classes}, DType::f32, hidden.device());
    const Tensor lse = Tensor::empty({most}, DType::f32, hidden.device());
    for (int64_t first = 0; first < rows; first += most) {
      const int64_t end = std::min(first + most, rows);
      const Tensor part = slice(logits, 0, 0, end - first);
      score(first, end, part, lse);
      if (d_hidden.defined() || d_weight.defined()) pull_back(first, end, part, lse);
    }
  }

 private:
  void score(int64_t first, int64_t end, const Tensor& logits, const Tensor& lse) const {
    const Tensor x = slice(hidden, 0, first, end);
    call(hidden.device(), &Kernels::linear,
         {.rows = end - first,
          .n = weight.shape()[0],
          .k = weight.shape()[1],
          .x = x.data<float>(),
          .w = weight.raw(),
          .w_dtype = weight.dtype(),
          .y = logits.data<float>()});
    call(hidden.device(), &Kernels::cross_entropy,
         {.rows = end - first,
          .classes = weight.shape()[0],
          .logits = logits.data<float>(),
          .targets = targets.data<int64_t>() + first,
          .loss = losses.data<float>() + first,
          .lse = lse.data<float>()});
  }

  void pull_back(int64_t first, int64_t end, const Tensor& logits, const Tensor& lse) const {
    call(hidden.device(), &Kernels::cross_entropy_backward,
         {.rows = end - first,
          .classes = weight.shape()[0],
          .logits = logits.data<float>(),
          .targets = targets.data<int64_t>() + first,
          .lse = lse.data<float>(),
          .scale = scale,
          .d_logits = logits.data<float>()});
    if (d_hidden.defined()) product_into(slice(d_hidden, 0, first, end), logits, weight_factor, false);
    if (d_weight.defined()) product_into(d_weight, transpose(logits), slice(hidden, 0, first, end), first > 0);
  }
};

}  // namespace

int64_t head_rows_at_once(int64_t classes, DType logits) {
  constexpr int64_t kBytes = int64_t{512} << 20, kUnit = 128;
  const int64_t row_bytes = std::max<int64_t>(classes, 1) * static_cast<int64_t>(size_of(logits));
  return std::max<int64_t>(kBytes / row_bytes / kUnit, 1) * kUnit;
}

Tensor record_head_loss(const Tensor& losses, int64_t counted, const Tensor& hidden, const Tensor& weight,
                        Tensor d_hidden, Tensor d_weight, void (*scale)(const Tensor& y, const Tensor& factor)) {
  const Tensor loss = mean_loss(losses, static_cast<double>(counted));
  // Handed over, not held: whoever gets them may add to them in place.
  record(loss, "linear_cross_entropy", {hidden, weight},
         [d_hidden = std::move(d_hidden), d_weight = std::move(d_weight), shape = hidden.shape(),
          scale](const Tensor& dy) mutable {
           if (d_hidden.defined()) {
             scale(d_hidden, dy);
             d_hidden = reshape(d_hidden, shape);
           }
           if (d_weight.defined()) scale(d_weight, dy);
           return Gradients{std::move(d_hidden), std::move(d_weight)};
         });
  return loss;
}

Tensor checked::linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets, int64_t counted,
                                     int64_t rows_at_once) {
  const Device& device = hidden.device();
  const int64_t rows = rows_of(hidden.shape()), classes = weight.shape()[0];
  ChunkedHead head = {.hidden = reshape(dense(hidden).detach(), {rows, weight.shape()[1]}),
                      .weight = dense(weight).detach(),
                      .targets = dense(targets),
                      .scale = static_cast<float>(1.0 / static_cast<double>(counted)),
                      .losses = Tensor::empty(targets.shape(), DType::f32, device),
                      .d_hidden = {},
                      .d_weight = {},
                      .weight_factor = {}};
  if (hidden.requires_grad()) {
    head.d_hidden = Tensor::empty(head.hidden.shape(), DType::f32, device);
    head.weight_factor = weight.dtype() == DType::f32 ? head.weight : converted(head.weight, DType::f32);
  }
  if (weight.requires_grad()) {
    head.d_weight = rows > 0 ? Tensor::empty(weight.shape(), DType::f32, device)
                             : Tensor::zeros(weight.shape(), DType::f32, device);
  }
  head.run(rows_at_once > 0 ? rows_at_once : head_rows_at_once(classes, DType::f32));
  return record_head_loss(head.losses, counted, hidden, weight, std::move(head.d_hidden), std::move(head.d_weight),
                          scale_in_place);
}

Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets) {
  const char* const op = "linear_cross_entropy";
  check_inputs(op, {{"hidden", hidden}, {"weight", weight}});
  check_inputs(op, DType::f32, {{"hidden", hidden}});
  check_floats(op, {{"weight", weight}});
  check_rank_at_least(op, {"hidden", hidden}, 1);
  check_rank(op, {"weight", weight}, 2);
  check(hidden.shape().back() == weight.shape()[1], op,
        "expected hidden [..., k] and weight [classes, k], got {} and {}", hidden.shape(),
        weight.shape());
  check(weight.dtype() == DType::f32 || !weight.requires_grad(), op,
        "expected weight of dtype f32 for its gradient, got {}", name_of(weight.dtype()));
  const int64_t counted = count_targets(op, targets, {"hidden", hidden}, weight.shape()[0]);
  return checked::linear_cross_entropy(hidden, weight, targets, counted);
}

Tensor cross_entropy(const Tensor& logits, const Tensor& targets) {
  const RowLosses rows = row_losses("cross_entropy", logits, targets);
  const auto count = static_cast<double>(rows.counted);
  const Tensor loss = mean_loss(rows.loss, count);
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
