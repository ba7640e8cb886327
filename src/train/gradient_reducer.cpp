// SPDX-License-Identifier: Apache-2.0
#include "train/gradient_reducer.h"

#include <utility>

#include "base/check.h"
#include "core/device_memory.h"
#include "core/tensor_impl.h"
#include "tern/ops.h"

namespace tern {
namespace {

// Buckets being reduced at once: one is on its way while the next is filled and others wait for the network. Each holds
// memory, which would add up to a second copy of all gradients.
constexpr size_t kMostRunning = 4;

}  // namespace

GradientReducer::GradientReducer(const std::vector<Parameter>& parameters, const FlatSpace& space, Collectives& group)
    : parameters_(parameters), space_(space), group_(group), parts_(parameters.size()), taken_(parameters.size()) {
  const Device& device = parameters.front().value.device();
  shares_ = Tensor::zeros({space.share_elements()}, DType::f32, device);
  for (int64_t i = 0; i < space.buckets(); ++i) {
    const FlatSpace::Range range = space.bucket(i);
    const std::vector<FlatSpace::Piece> pieces = space.pieces(range);
    for (const auto& [parameter, begin, flat, count] : pieces) {
      parts_[parameter].push_back({i, begin, flat - range.begin, count});
    }
    buckets_.push_back({{}, std::ssize(pieces), 0});
  }
}

GradientReducer::~GradientReducer() { stop_listening(); }

void GradientReducer::begin() {
  next_ = 0;
  for (Bucket& bucket : buckets_) bucket.missing = bucket.pieces;
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
  // What has no gradient takes part as zeros.
  for (Bucket& bucket : buckets_) bucket.missing = 0;
  start_full();
  if (!running_.empty()) group_.wait(running_.back().ticket);
  running_.clear();
  free_.clear();
}

void GradientReducer::take(size_t parameter) {
  const Parameter& from = parameters_[parameter];
  check(!taken_[parameter], "train", "{}: expected one whole gradient a step, got more of it", from.name);
  taken_[parameter] = true;
  const Tensor gradient = reshape(contiguous(from.value.grad()), {from.value.numel()});
  for (const auto& [index, begin, place, count] : parts_[parameter]) {
    Bucket& bucket = buckets_[static_cast<size_t>(index)];
    if (!bucket.memory.defined()) bucket.memory = room();
    assign(slice(bucket.memory, 0, place, place + count), slice(gradient, 0, begin, begin + count));
    --bucket.missing;
  }
  Tensor(from.value).set_grad({});
  start_full();
}

void GradientReducer::start_full() {
  for (; next_ < space_.buckets() && buckets_[static_cast<size_t>(next_)].missing == 0; ++next_) {
    Tensor memory = std::exchange(buckets_[static_cast<size_t>(next_)].memory, {});
    if (!memory.defined()) memory = room();
    const int64_t all = space_.bucket(next_).size(), share = all / group_.size(), begin = space_.share_begin(next_);
    const auto ticket =
        group_.start_reduce_scatter_sum(slice(memory, 0, 0, all), slice(shares_, 0, begin, begin + share));
    running_.push_back({ticket, std::move(memory)});
  }
}

// As long as a bucket, zeros.
Tensor GradientReducer::room() {
  if (free_.empty() && running_.size() >= kMostRunning) {
    group_.wait(running_.front().ticket);
    free_.push_back(std::move(running_.front().memory));
    running_.pop_front();
  }
  if (free_.empty()) return Tensor::zeros({space_.bucket(0).size()}, DType::f32, shares_.device());
  Tensor memory = std::move(free_.back());
  free_.pop_back();
  memory.device().memory().zero(memory.raw(), memory.storage()->bytes());
  return memory;
}

void GradientReducer::stop_listening() {
  for (const Parameter& parameter : parameters_) parameter.value.grad_state()->on_grad = nullptr;
}

}  // namespace tern
