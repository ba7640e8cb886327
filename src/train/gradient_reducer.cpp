// SPDX-License-Identifier: Apache-2.0
#include "train/gradient_reducer.h"

#include <utility>

#include "base/check.h"
#include "core/tensor_impl.h"
#include "tern/ops.h"

namespace tern {
namespace {

// Buckets being reduced at once: one is on its way while the next is filled. Each keeps gradients alive, which would
// add up to all of them.
constexpr size_t kMostRunning = 2;

}  // namespace

GradientReducer::GradientReducer(const std::vector<Parameter>& parameters, const ShardPlan& plan, Collectives& group)
    : parameters_(parameters),
      plan_(plan),
      group_(group),
      sums_(Tensor::zeros({plan.own_elements()}, DType::f32, parameters.front().value.device())),
      places_(parameters.size()),
      buckets_(static_cast<size_t>(plan.buckets())),
      taken_(parameters.size()) {
  for (int64_t i = 0; i < plan.buckets(); ++i) {
    size_t part = 0;
    for (const ShardPlan::Part& of : plan.bucket(i)) places_[of.parameter].push_back({i, part++});
  }
}

GradientReducer::~GradientReducer() { stop_listening(); }

void GradientReducer::begin() {
  next_ = 0;
  for (int64_t i = 0; i < plan_.buckets(); ++i) {
    const size_t parts = plan_.bucket(i).size();
    buckets_[static_cast<size_t>(i)] = {std::vector<Tensor>(parts), parts};
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    taken_[i] = false;
    parameters_[i].value.grad_state()->on_grad = [this, i] { take(i); };
  }
}

void GradientReducer::finish() {
  stop_listening();
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (!taken_[i] && parameters_[i].value.grad().defined()) take(i);
  }
  while (next_ < plan_.buckets()) start(next_++);
  while (!running_.empty()) wait_for_first();
}

void GradientReducer::take(size_t parameter) {
  const Parameter& from = parameters_[parameter];
  check(!taken_[parameter], "train", "{}: expected one whole gradient a step, got more of it", from.name);
  taken_[parameter] = true;
  const Tensor gradient = reshape(contiguous(from.value.grad()), {from.value.numel()});
  for (const auto& [index, part] : places_[parameter]) {
    const ShardPlan::Range range = plan_.bucket(index)[part].range;
    Bucket& bucket = buckets_[static_cast<size_t>(index)];
    bucket.gradients[part] = slice(gradient, 0, range.begin, range.end);
    --bucket.missing;
  }
  Tensor(from.value).set_grad({});
  start_full();
}

void GradientReducer::start_full() {
  while (next_ < plan_.buckets() && buckets_[static_cast<size_t>(next_)].missing == 0) start(next_++);
}

// What has no gradient takes part as zeros.
void GradientReducer::start(int64_t index) {
  if (running_.size() >= kMostRunning) wait_for_first();
  std::vector<Tensor> gradients = std::move(buckets_[static_cast<size_t>(index)].gradients);
  std::vector<Collectives::Operation> operations;
  for (size_t i = 0; i < gradients.size(); ++i) {
    const ShardPlan::Part& part = plan_.bucket(index)[i];
    if (!gradients[i].defined()) gradients[i] = Tensor::zeros({part.range.size()}, DType::f32, sums_.device());
    const ShardPlan::Range kept = plan_.kept(part);
    const Tensor sum = slice(sums_, 0, kept.begin, kept.end);
    if (part.is_divided) {
      operations.push_back(group_.reduce_scatter_sum(gradients[i], sum));
    } else {
      assign(sum, gradients[i]);
      operations.push_back(group_.all_reduce_sum(sum));
    }
  }
  running_.push_back({group_.start(operations), std::move(gradients)});
}

void GradientReducer::wait_for_first() {
  group_.wait(running_.front().ticket);
  running_.pop_front();
}

void GradientReducer::stop_listening() {
  for (const Parameter& parameter : parameters_) parameter.value.grad_state()->on_grad = nullptr;
}

}  // namespace tern
