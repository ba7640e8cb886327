// SPDX-License-Identifier: Apache-2.0
#include "nn/bit_linear.h"

#include <map>
#include <utility>
#include <vector>

#include "ops/pack_rows.h"

namespace tern {

// What these layers were quantized into together, or a new place; null where the device has no such.
std::shared_ptr<LateTernary> BitLinear::late_of(std::span<BitLinear* const> layers, std::span<const Tensor> masters) {
  const std::shared_ptr<LateTernary>& first = layers[0]->late_;
  bool same = first != nullptr && first->count() == layers.size();
  for (size_t i = 0; same && i < layers.size(); ++i) same = layers[i]->late_ == first && layers[i]->late_at_ == i;
  return same ? first : LateTernary::make(masters);
}

BitLinear::BitLinear(Tensor master, const WeightScheme& scheme) : scheme_(&scheme), master_(std::move(master)) {
  master_.set_requires_grad();
  requantize();
}

void BitLinear::requantize() {
  BitLinear* const one[] = {this};
  requantize(one);
}

void BitLinear::requantize(std::span<BitLinear* const> layers) {
  std::map<const WeightScheme*, std::vector<BitLinear*>> by_scheme;
  for (BitLinear* layer : layers) {
    if (layer->has_master()) by_scheme[layer->scheme_].push_back(layer);
  }
  for (const auto& [scheme, same] : by_scheme) {
    std::vector<Tensor> masters;
    for (const BitLinear* layer : same) masters.push_back(layer->master_.detach());
    if (const std::shared_ptr<LateTernary> late = late_of(same, masters)) {
      scheme->late(*late, masters);
      for (size_t i = 0; i < same.size(); ++i) {
        same[i]->codes_ = late->at(i).codes;
        same[i]->late_ = late;
        same[i]->late_at_ = i;
      }
      continue;
    }
    std::vector<QuantizedTernary> quantized = scheme->codes(masters, scheme->scales(masters));
    for (size_t i = 0; i < same.size(); ++i) {
      same[i]->codes_ = std::move(quantized[i].codes);
      same[i]->packed_ = std::move(quantized[i].packed);
    }
  }
}

Tensor BitLinear::forward(const Tensor& x, const QuantizedRows& xq, bool with_grad) const {
  if (with_grad && has_master()) return ternary_linear_ste(x, xq, master_, codes_, packed());
  return ternary_linear(xq, packed());
}

}  // namespace tern
