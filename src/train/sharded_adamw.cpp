// SPDX-License-Identifier: Apache-2.0
#include "train/sharded_adamw.h"

#include <array>
#include <bit>
#include <span>
#include <utility>

#include "base/check.h"
#include "device/backend.h"
#include "tern/io.h"
#include "tern/ops.h"

namespace tern {
namespace {

const std::vector<Parameter>& checked(const std::vector<Parameter>& parameters) {
  for (const auto& [name, value] : parameters) {
    check(value.dtype() == DType::f32 && value.is_contiguous() && value.device() == parameters.front().value.device(),
          "adamw", "{}: expected a contiguous f32 parameter on the device of the first, got {} {}", name,
          name_of(value.dtype()), to_string(value.shape()));
  }
  return parameters;
}

std::vector<int64_t> counts_of(const std::vector<Parameter>& parameters) {
  std::vector<int64_t> counts;
  for (const Parameter& parameter : parameters) counts.push_back(parameter.value.numel());
  return counts;
}

Tensor flat(const Tensor& x) { return reshape(x.detach(), {x.numel()}); }

Tensor stretch(const Tensor& x, const ShardPlan::Range& range) { return slice(x, 0, range.begin, range.end); }

}  // namespace

ShardedAdamw::ShardedAdamw(std::vector<Parameter> parameters, Communicator group, int64_t bucket_elements)
    : parameters_(std::move(parameters)),
      group_(std::move(group)),
      plan_(counts_of(checked(parameters_)), group_.size(), bucket_elements),
      reducer_(parameters_, plan_, group_.collectives()),
      m_(Tensor::zeros({plan_.own_elements()}, DType::f32, reducer_.sums().device())),
      v_(Tensor::zeros({plan_.own_elements()}, DType::f32, m_.device())) {
  for (const Parameter& parameter : parameters_) values_.push_back(flat(parameter.value));
}

double ShardedAdamw::gradient_squares() {
  reducer_.finish();
  const float* const sums = reducer_.sums().data<float>();
  std::vector<SumSquaresTensor> tensors;
  for (int64_t i = 0; i < plan_.buckets(); ++i) {
    for (const Part& part : plan_.bucket(i)) {
      // What everyone owns counts once.
      if (!reducer_.has_gradient(part.parameter) || (!part.is_divided && group_.rank() != 0)) continue;
      tensors.push_back({own(part).size(), sums + part.place});
    }
  }
  // One double each; i64 lends its eight bytes.
  const Tensor squares = Tensor::empty({std::ssize(tensors)}, DType::i64, m_.device());
  const Backend& backend = m_.device().backend();
  backend.kernels().sum_squares(backend.exec(),
                                {std::ssize(tensors), tensors.data(), static_cast<double*>(squares.raw())});
  double sum = 0.0;
  for (const int64_t bits : squares.to_vector<int64_t>()) sum += std::bit_cast<double>(bits);
  return sum;
}

// Each bucket's new parameters leave while the next bucket's are made.
void ShardedAdamw::step(const AdamwOptions& options, double grad_scale) {
  ++steps_;
  const Backend& backend = m_.device().backend();
  Collectives& collectives = group_.collectives();
  Collectives::Ticket last = 0;
  for (int64_t i = 0; i < plan_.buckets(); ++i) {
    std::vector<AdamwTensor> tensors;
    std::vector<Collectives::Operation> operations;
    for (const Part& part : plan_.bucket(i)) {
      if (!reducer_.has_gradient(part.parameter)) continue;
      const Tensor& value = values_[part.parameter];
      const ShardPlan::Range range = own(part);
      tensors.push_back({range.size(), value.data<float>() + range.begin, m_.data<float>() + part.place,
                         v_.data<float>() + part.place, reducer_.sums().data<float>() + part.place});
      if (part.is_divided) {
        operations.push_back(collectives.all_gather(stretch(value, range), stretch(value, part.range)));
      }
    }
    if (tensors.empty()) continue;
    backend.kernels().adamw(backend.exec(), {std::ssize(tensors), tensors.data(), grad_scale, options.lr, options.beta1,
                                             options.beta2, options.eps, options.weight_decay, steps_});
    last = collectives.start(operations);
  }
  collectives.wait(last);
}

// On the host of rank 0, whose GPU may have no room for all of it.
AdamwState ShardedAdamw::gathered() {
  const Device host = Device::open("cpu", {.threads = 1});
  AdamwState out;
  for (const auto& [name, value] : parameters_) {
    if (group_.rank() != 0) break;
    out.emplace_back("m." + name, Tensor::empty(value.shape(), DType::f32, host));
    out.emplace_back("v." + name, Tensor::empty(value.shape(), DType::f32, host));
  }
  Collectives& collectives = group_.collectives();
  const std::array<const Tensor*, 2> moments = {&m_, &v_};
  for (int64_t i = 0; i < plan_.buckets(); ++i) {
    for (const Part& part : plan_.bucket(i)) {
      for (size_t moment = 0; moment < moments.size(); ++moment) {
        Tensor whole = stretch(*moments[moment], plan_.kept(part));
        if (part.is_divided) {
          const Tensor share = std::exchange(whole, Tensor::empty({part.range.size()}, DType::f32, m_.device()));
          collectives.wait(collectives.start(collectives.all_gather(share, whole)));
        }
        if (group_.rank() != 0) continue;
        float* const to = out[2 * part.parameter + moment].second.data<float>() + part.range.begin;
        whole.copy_to_host(std::as_writable_bytes(std::span(to, static_cast<size_t>(part.range.size()))));
      }
    }
  }
  collectives.check_alive();
  return out;
}

void ShardedAdamw::save(const std::string& path) {
  const AdamwState state = gathered();
  if (group_.rank() == 0) save_safetensors(path, state);
}

void ShardedAdamw::load(const std::string& path, int64_t steps) {
  const Device host = Device::open("cpu", {.threads = 1});
  std::vector<Tensor> state;
  if (group_.rank() == 0) state = moments_in(load_safetensors(path, host), parameters_);
  const std::array<const Tensor*, 2> moments = {&m_, &v_};
  for (int64_t i = 0; i < plan_.buckets(); ++i) {
    for (const Part& part : plan_.bucket(i)) {
      for (size_t moment = 0; moment < moments.size(); ++moment) {
        const Tensor whole = Tensor::empty({part.range.size()}, DType::f32, m_.device());
        if (group_.rank() == 0) {
          const float* const from = state[2 * part.parameter + moment].data<float>() + part.range.begin;
          whole.device().memory().copy_to_device(whole.raw(), from, static_cast<size_t>(whole.numel()) * sizeof(float));
        }
        group_.collectives().wait(group_.collectives().start_broadcast(whole));
        const ShardPlan::Range range = own(part);
        assign(stretch(*moments[moment], plan_.kept(part)),
               stretch(whole, {range.begin - part.range.begin, range.end - part.range.begin}));
      }
    }
  }
  steps_ = steps;
}

}  // namespace tern
