// SPDX-License-Identifier: Apache-2.0
// Ternary matrices whose scales are still being computed: for training, which goes on while a GPU measures its masters.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "ops/pack_rows.h"

namespace tern {

class LateTernary {
 public:
  // quantize_ternary of matrices by the means of their magnitudes, but at least `least`: launched, not waited for. Null
  // where the device gains nothing by that.
  static std::shared_ptr<LateTernary> quantize(std::span<const Tensor> matrices, float least);

  const Tensor& codes(size_t i) const { return matrices_[i].codes; }
  // With its scale: the first of these calls waits until the scales of all are there. Safe from several threads.
  const PackedTernary& packed(size_t i);

 private:
  void read_scales();

  std::vector<QuantizedTernary> matrices_;
  Tensor sums_;  // of magnitudes
  float least_ = 0;
  std::once_flag read_;
};

}  // namespace tern
