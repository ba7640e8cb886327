// SPDX-License-Identifier: Apache-2.0
#include "train/sharded_adamw.h"

#include <array>
#include <bit>
#include <deque>
#include <map>
#include <span>
#include <utility>

#include "base/check.h"
#include "device/backend.h"
#include "tern/io.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr size_t kMostRunning = 4;  // buckets of parameters on their way at once

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

// `count` elements of a flat tensor.
Tensor part(const Tensor& x, int64_t begin, int64_t count) { return slice(x, 0, begin, begin + count); }

}  // namespace

ShardedAdamw::ShardedAdamw(std::vector<Parameter> parameters, Communicator group, int64_t bucket_elements)
    : parameters_(std::move(parameters)),
      group_(std::move(group)),
      space_(counts_of(checked(parameters_)), group_.size(), bucket_elements),
      reducer_(parameters_, space_, group_.collectives()),
      m_(Tensor::zeros({space_.share_elements()}, DType::f32, reducer_.shares().device())),
      v_(Tensor::zeros({space_.share_elements()}, DType::f32, m_.device())) {
  for (const Parameter& parameter : parameters_) values_.push_back(flat(parameter.value));
  for (int64_t i = 0; i < space_.buckets(); ++i) {
    const FlatSpace::Range share = space_.share(i, group_.rank());
    for (const Piece& piece : space_.pieces(share)) {
      own_.push_back({piece.parameter, piece.begin, space_.share_begin(i) + piece.flat - share.begin, piece.count});
    }
  }
}

double ShardedAdamw::gradient_squares() {
  reducer_.finish();
  const float* const gradients = reducer_.shares().data<float>();
  std::vector<SumSquaresTensor> tensors;
  for (const Own& own : own_) {
    if (reducer_.has_gradient(own.parameter)) tensors.push_back({own.count, gradients + own.place});
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

void ShardedAdamw::step(const AdamwOptions& options, double grad_scale) {
  ++steps_;
  std::vector<AdamwTensor> tensors;
  for (const Own& own : own_) {
    if (!reducer_.has_gradient(own.parameter)) continue;
    tensors.push_back({own.count, values_[own.parameter].data<float>() + own.begin, m_.data<float>() + own.place,
                       v_.data<float>() + own.place, reducer_.shares().data<float>() + own.place});
  }
  const Backend& backend = m_.device().backend();
  backend.kernels().adamw(backend.exec(), {std::ssize(tensors), tensors.data(), grad_scale, options.lr, options.beta1,
                                           options.beta2, options.eps, options.weight_decay, steps_});
  exchange_parameters();
}

// Each bucket's shares to everyone.
void ShardedAdamw::exchange_parameters() {
  struct Running {
    Collectives::Ticket ticket;
    int64_t bucket;
    Tensor memory;
  };
  std::deque<Running> running;
  const auto finish_first = [&] {
    const auto [ticket, bucket, memory] = std::move(running.front());
    running.pop_front();
    group_.collectives().wait(ticket);
    const FlatSpace::Range range = space_.bucket(bucket);
    for (const Piece& piece : space_.pieces(range)) {
      assign(part(values_[piece.parameter], piece.begin, piece.count),
             part(memory, piece.flat - range.begin, piece.count));
    }
  };
  for (int64_t i = 0; i < space_.buckets(); ++i) {
    const FlatSpace::Range range = space_.bucket(i), share = space_.share(i, group_.rank());
    const Tensor memory = Tensor::empty({range.size()}, DType::f32, m_.device());
    for (const Piece& piece : space_.pieces(share)) {
      assign(part(memory, piece.flat - range.begin, piece.count),
             part(values_[piece.parameter], piece.begin, piece.count));
    }
    const Tensor own = part(memory, share.begin - range.begin, share.size());
    running.push_back({group_.collectives().start_all_gather(own, memory), i, memory});
    if (running.size() >= kMostRunning) finish_first();
  }
  while (!running.empty()) finish_first();
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
  const std::array<const Tensor*, 2> shares = {&m_, &v_};
  for (int64_t i = 0; i < space_.buckets(); ++i) {
    const FlatSpace::Range range = space_.bucket(i);
    const Tensor memory = Tensor::empty({range.size()}, DType::f32, m_.device());
    for (size_t moment = 0; moment < shares.size(); ++moment) {
      const Tensor own = part(*shares[moment], space_.share_begin(i), range.size() / group_.size());
      group_.collectives().wait(group_.collectives().start_all_gather(own, memory));
      if (group_.rank() != 0) continue;
      for (const Piece& piece : space_.pieces(range)) {
        float* const to = out[2 * piece.parameter + moment].second.data<float>() + piece.begin;
        part(memory, piece.flat - range.begin, piece.count)
            .copy_to_host(std::as_writable_bytes(std::span(to, static_cast<size_t>(piece.count))));
      }
    }
  }
  group_.collectives().check_alive();
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
  const std::array<const Tensor*, 2> shares = {&m_, &v_};
  for (int64_t i = 0; i < space_.buckets(); ++i) {
    const FlatSpace::Range range = space_.bucket(i), share = space_.share(i, group_.rank());
    const Tensor memory = Tensor::zeros({range.size()}, DType::f32, m_.device());
    for (size_t moment = 0; moment < shares.size(); ++moment) {
      for (const Piece& piece : space_.pieces(range)) {
        if (group_.rank() != 0) break;
        const float* const from = state[2 * piece.parameter + moment].data<float>() + piece.begin;
        const Tensor to = part(memory, piece.flat - range.begin, piece.count);
        to.device().memory().copy_to_device(to.raw(), from, static_cast<size_t>(piece.count) * sizeof(float));
      }
      group_.collectives().wait(group_.collectives().start_broadcast(memory));
      assign(part(*shares[moment], space_.share_begin(i), share.size()),
             part(memory, share.begin - range.begin, share.size()));
    }
  }
  steps_ = steps;
}

}  // namespace tern
