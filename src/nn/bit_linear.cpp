// SPDX-License-Identifier: Apache-2.0
#include "nn/bit_linear.h"

#include <utility>

namespace tern {

BitLinear::BitLinear(Tensor master, const WeightScheme& scheme) : scheme_(&scheme), master_(std::move(master)) {
  master_.set_requires_grad();
  requantize();
}

void BitLinear::requantize() {
  if (!has_master()) return;
  TernaryCodes quantized = scheme_->quantize(master_.detach());
  codes_ = std::move(quantized.codes);
  packed_ = pack_ternary(codes_, quantized.scale);
}

Tensor BitLinear::forward(const Tensor& x, const QuantizedRows& xq, bool with_grad) const {
  if (with_grad && has_master()) return ternary_linear_ste(x, xq, master_, codes_, packed_);
  return ternary_linear(xq, packed_);
}

}  // namespace tern
