// SPDX-License-Identifier: Apache-2.0
#include "train/training_pass.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "core/device_memory.h"
#include "tern/autograd.h"
#include "tern/ops.h"

namespace tern {
namespace {

// A loop has two, if its micro-batches are alike, and some more for what is left at an end.
constexpr size_t kMostKinds = 16;

std::vector<Parameter> trained(std::vector<Parameter> parameters) {
  std::erase_if(parameters, [](const Parameter& parameter) { return !parameter.value.requires_grad(); });
  return parameters;
}

}  // namespace

TrainingPass::TrainingPass(const Model& model, const LossOptions& options, bool records)
    : model_(model),
      options_(options),
      parameters_(trained(model.parameters())),
      records_(records && !parameters_.empty() && model.trains_by_kernels_alone()) {}

TrainingPass::~TrainingPass() {
  if (has_own_gradients()) set_gradients(std::vector<Tensor>(parameters_.size()));
}

Tensor TrainingPass::forward(const TokenBatch& batch, double scale) {
  waiting_ = nullptr;
  loss_ = {};
  if (!records_ || (has_gradients() && !has_own_gradients())) return plain(batch, scale);
  const int64_t counted = model_.counted_targets(batch), count = std::ssize(batch.ids);
  const Kind kind = {batch.sequences, count / batch.sequences, counted, scale, place_of_gradients()};
  const auto found = recorded_.find(kind);
  if (found == recorded_.end()) {
    // The first time: what is made once, like a library's plans, cannot be while work is recorded.
    if (recorded_.size() < kMostKinds) recorded_.try_emplace(kind);
    return plain(batch, scale);
  }
  Recorded& pass = found->second;
  if (!pass.backward) record(kind, pass);
  if (!pass.backward) return plain(batch, scale);
  copy_inputs(batch, pass);
  pass.forward->replay();
  ++replays_;
  waiting_ = &pass;
  return clone(pass.loss);  // the recording's own is overwritten by the next pass
}

void TrainingPass::backward() {
  check(waiting_ != nullptr || loss_.defined(), "train",
        "expected a backward pass after a forward one, got none before");
  if (Recorded* const pass = std::exchange(waiting_, nullptr)) {
    pass->backward->replay();
    set_gradients(pass->gradients);
    own_ = pass;
    return;
  }
  tern::backward(std::exchange(loss_, {}), std::exchange(scale_, {}));
}

Tensor TrainingPass::plain(const TokenBatch& batch, double scale) {
  loss_ = model_.loss(batch, options_);
  scale_ = Tensor::full({}, scale, DType::f32, model_.device());
  return loss_.detach();
}

void TrainingPass::record(const Kind& kind, Recorded& to) {
  to.inputs = Tensor::empty({2, kind.sequences, kind.tokens}, DType::i64, model_.device());
  to.scale = Tensor::full({}, kind.scale, DType::f32, model_.device());
  Backend& backend = model_.device().backend();
  Tensor loss;
  to.forward = backend.record(
      [&] { loss = model_.loss(select(to.inputs, 0, 0), select(to.inputs, 0, 1), kind.counted, options_); });
  records_ = to.forward != nullptr;
  if (!records_) return;
  // What is added to is held by nobody else meanwhile, and so stays in its place.
  std::vector<Recorded*> holders;
  for (auto& [other, pass] : recorded_) {
    const bool holds = !pass.gradients.empty() && pass.gradients[0].raw() == kind.adds;
    if (holds) holders.push_back(&pass);
  }
  for (Recorded* const holder : holders) holder->gradients.clear();
  to.backward = backend.record([&] { tern::backward(loss, to.scale); });
  to.loss = loss.detach();
  to.gradients = gradients();
  check(kind.adds == nullptr || to.gradients[0].raw() == kind.adds, "train",
        "expected gradients to be added to in place, got others");
  for (Recorded* const holder : holders) holder->gradients = to.gradients;
}

void TrainingPass::copy_inputs(const TokenBatch& batch, const Recorded& to) const {
  DeviceMemory& memory = model_.device().memory();
  const size_t bytes = batch.ids.size() * sizeof(int64_t);
  auto* const at = static_cast<std::byte*>(to.inputs.raw());
  memory.copy_to_device(at, batch.ids.data(), bytes);
  memory.copy_to_device(at + bytes, batch.targets.data(), bytes);
}

bool TrainingPass::has_gradients() const {
  return std::any_of(parameters_.begin(), parameters_.end(),
                     [](const Parameter& parameter) { return parameter.value.grad().defined(); });
}

bool TrainingPass::has_own_gradients() const {
  if (own_ == nullptr || own_->gradients.size() != parameters_.size()) return false;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor grad = parameters_[i].value.grad();
    if (!grad.defined() || grad.raw() != own_->gradients[i].raw()) return false;
  }
  return true;
}

const void* TrainingPass::place_of_gradients() const { return has_gradients() ? own_->gradients[0].raw() : nullptr; }

std::vector<Tensor> TrainingPass::gradients() const {
  std::vector<Tensor> gradients;
  for (const Parameter& parameter : parameters_) gradients.push_back(parameter.value.grad());
  return gradients;
}

void TrainingPass::set_gradients(const std::vector<Tensor>& gradients) const {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Tensor value = parameters_[i].value;
    value.set_grad(gradients[i]);
  }
}

}  // namespace tern
