// SPDX-License-Identifier: Apache-2.0
// AdamW and clipping by global norm.
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <utility>

#include "base/check.h"
#include "device/backend.h"
#include "tern/ops.h"
#include "tern/train.h"

namespace tern {

Adamw::Adamw(std::vector<Parameter> parameters) {
  for (Parameter& parameter : parameters) {
    const Tensor& value = parameter.value;
    check(value.dtype() == DType::f32 && value.is_contiguous(), "adamw",
          "{}: expected a contiguous f32 parameter, got {} {}", parameter.name, name_of(value.dtype()),
          to_string(value.shape()));
    Tensor m = Tensor::zeros(value.shape(), DType::f32, value.device());
    Tensor v = Tensor::zeros(value.shape(), DType::f32, value.device());
    slots_.push_back({std::move(parameter), std::move(m), std::move(v)});
  }
}

double Adamw::gradient_norm() const {
  if (slots_.empty()) return 0.0;
  // One double per parameter, read back together; i64 lends its eight bytes.
  const Tensor squares =
      Tensor::zeros({static_cast<int64_t>(slots_.size())}, DType::i64, slots_.front().parameter.value.device());
  Backend& backend = squares.device().backend();
  double* out = static_cast<double*>(squares.raw());
  for (const Slot& slot : slots_) {
    const Tensor grad = slot.parameter.value.grad();
    double* square = out++;
    if (!grad.defined()) continue;
    const Tensor dense = contiguous(grad);
    backend.kernels().sum_squares(backend.exec(), {dense.numel(), dense.data<float>(), square});
  }
  double sum = 0.0;
  for (int64_t bits : squares.to_vector<int64_t>()) sum += std::bit_cast<double>(bits);
  return std::sqrt(sum);
}

void Adamw::step(const AdamwOptions& options, double grad_scale) {
  ++steps_;
  for (Slot& slot : slots_) {
    Tensor& value = slot.parameter.value;
    if (!value.grad().defined()) continue;
    const Tensor grad = contiguous(value.grad());
    Backend& backend = value.device().backend();
    backend.kernels().adamw(backend.exec(), {value.numel(), value.data<float>(), slot.m.data<float>(),
                                             slot.v.data<float>(), grad.data<float>(), grad_scale, options.lr,
                                             options.beta1, options.beta2, options.eps, options.weight_decay, steps_});
    value.set_grad({});
  }
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
  std::map<std::string, Tensor> given(state.begin(), state.end());
  const std::vector<std::pair<std::string, Tensor>> own = this->state();
  check(state.size() == own.size() && given.size() == own.size(), "adamw", "expected {} tensors of state, got {}",
        own.size(), state.size());
  for (const auto& [name, tensor] : own) {
    const auto found = given.find(name);
    check(found != given.end(), "adamw", "expected a tensor {} in the state, got none", name);
    const Tensor& saved = found->second;
    check(saved.shape() == tensor.shape() && saved.dtype() == DType::f32, "adamw", "{}: expected f32 {}, got {} {}",
          name, to_string(tensor.shape()), name_of(saved.dtype()), to_string(saved.shape()));
  }
  for (const auto& [name, tensor] : own) assign(tensor, given[name]);
  steps_ = steps;
}

double clip_scale(double norm, double max_norm) { return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0; }

}  // namespace tern
