// SPDX-License-Identifier: Apache-2.0
// BitLinear: y = x̂·ŵᵀ with ternary weights and int8 activations. The one class that knows both a scheme and a packed
// weight.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/codes.h"
#include "ops/late_ternary.h"
#include "quant/scheme.h"
#include "tern/ops.h"

namespace tern {

// Holds the packed matrix and, if it can train, the master and its codes. The forward pass is the packed integer kernel
// in training and in inference (b1.58, arXiv 2402.17764), so both give the same bits.
class BitLinear {
 public:
  BitLinear() = default;
  // Trains: quantizes `master` f32 [out, in] by `scheme`, here and at each requantize().
  BitLinear(Tensor master, const WeightScheme& scheme);
  // Runs only.
  explicit BitLinear(PackedTernary packed) : packed_(std::move(packed)) {}

  // [..., in] → [..., out]. xq = quantize_rows(x), made once for all layers that share x. With a master and an x or
  // master that requires a gradient, differentiable by the straight-through estimator when with_grad is set.
  Tensor forward(const Tensor& x, const QuantizedRows& xq, bool with_grad) const;

  // Brings codes and packed bytes in line with the master, without waiting for a GPU that can do that, where they stay
  // in their place: graphs of before are not to be walked any more. Nothing without a master.
  void requantize();
  // The same for many layers on one device, whose scales are measured together.
  static void requantize(std::span<BitLinear* const> layers);

  bool has_master() const { return master_.defined(); }
  const Tensor& master() const { return master_; }
  // Waits for the scales behind requantize(), the first time.
  const PackedTernary& packed() const { return late_ ? late_->packed(late_at_) : packed_; }
  // Codes, packed bytes and scale of one with a master, on a device that has kernels of mixed precision.
  const LateMatrix& late() const { return late_->at(late_at_); }
  // The master's codes i8 [out, in]; undefined without one.
  const Tensor& code_matrix() const { return codes_; }
  // Codes i8 [out, in], read back from the packed bytes, and the scale.
  TernaryCodes codes() const { return {unpack_ternary(packed()), packed().scale}; }

 private:
  static std::shared_ptr<LateTernary> late_of(std::span<BitLinear* const> layers, std::span<const Tensor> masters);

  const WeightScheme* scheme_ = nullptr;
  Tensor master_, codes_;
  PackedTernary packed_;
  std::shared_ptr<LateTernary> late_;  // has packed_ in its place where there is one
  size_t late_at_ = 0;
};

}  // namespace tern
