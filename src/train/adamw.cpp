// SPDX-License-Identifier: Apache-2.0
// AdamW and clipping by global norm.
#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>
#include <vector>

#include "base/check.h"
#include "device/backend.h"
#include "tern/ops.h"
#include "tern/train.h"
#include "train/adamw_state.h"

namespace tern {

Adamw::Adamw(std::vector<Parameter> parameters) {
  const MemoryLabel label("optimizer");
  for (Parameter& parameter : parameters) {
    const Tensor& value = parameter.value;
    check(value.dtype() == DType::f32 && value.is_contiguous(), "adamw",
          "{}: expected a contiguous f32 parameter, got {} {}", parameter.name, name_of(value.dtype()),
          to_string(value.shape()));
    check(slots_.empty() || value.device() == slots_.front().parameter.value.device(), "adamw",
          "{}: expected all parameters on one device", parameter.name);
    Tensor m = Tensor::zeros(value.shape(), DType::f32, value.device());
    Tensor v = Tensor::zeros(value.shape(), DType::f32, value.device());
    slots_.push_back({std::move(parameter), std::move(m), std::move(v)});
  }
}

double Adamw::gradient_norm() const {
  if (slots_.empty()) return 0.0;
  std::vector<Tensor> gradients;
  std::vector<SumSquaresTensor> tensors;
  for (const Slot& slot : slots_) {
    const Tensor grad = slot.parameter.value.grad();
    if (!grad.defined()) continue;
    const Tensor& dense = gradients.emplace_back(contiguous(grad));
    tensors.push_back({dense.numel(), dense.data<float>()});
  }
  // One double per gradient, read back together; i64 lends its eight bytes.
  const Tensor squares = Tensor::empty({std::ssize(tensors)}, DType::i64, slots_.front().parameter.value.device());
  const Backend& backend = squares.device().backend();
  backend.kernels().sum_squares(backend.exec(),
                                {std::ssize(tensors), tensors.data(), static_cast<double*>(squares.raw())});
  double sum = 0.0;
  for (int64_t bits : squares.to_vector<int64_t>()) sum += std::bit_cast<double>(bits);
  return std::sqrt(sum);
}

void Adamw::step(const AdamwOptions& options, double grad_scale) {
  ++steps_;
  if (slots_.empty()) return;
  std::vector<Tensor> gradients;
  std::vector<AdamwTensor> tensors;
  gradients.reserve(slots_.size());
  tensors.reserve(slots_.size());
  for (Slot& slot : slots_) {
    const Tensor& value = slot.parameter.value;
    Tensor given = value.grad();
    if (!given.defined()) continue;
    const Tensor& grad = gradients.emplace_back(given.is_contiguous() ? std::move(given) : contiguous(given));
    tensors.push_back(
        {value.numel(), value.data<float>(), slot.m.data<float>(), slot.v.data<float>(), grad.data<float>()});
  }
  const Backend& backend = slots_.front().parameter.value.device().backend();
  backend.kernels().adamw(backend.exec(), {std::ssize(tensors), tensors.data(), grad_scale, options.lr, options.beta1,
                                           options.beta2, options.eps, options.weight_decay, steps_});
  for (Slot& slot : slots_) slot.parameter.value.set_grad({});  // while a GPU is at work
}

std::vector<std::pair<std::string, Tensor>> Adamw::state() const {
  std::vector<std::pair<std::string, Tensor>> out;
  for (const Slot& slot : slots_) {
    out.emplace_back("m." + slot.parameter.name, slot.m);
    out.emplace_back("v." + slot.parameter.name, slot.v);
  }
  return out;
}

void Adamw::load_state(const std::vector<std::pair<std::string, Tensor>>& state, int64_t steps) {
  check(steps >= 0, "adamw", "expected a step count of at least 0, got {}", steps);
  std::vector<Parameter> parameters;
  for (const Slot& slot : slots_) parameters.push_back(slot.parameter);
  const std::vector<Tensor> moments = moments_in(state, parameters);
  for (size_t i = 0; i < slots_.size(); ++i) {
    assign(slots_[i].m, moments[2 * i]);
    assign(slots_[i].v, moments[2 * i + 1]);
  }
  steps_ = steps;
}

double clip_scale(double norm, double max_norm) { return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0; }

}  // namespace tern
