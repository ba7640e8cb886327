// SPDX-License-Identifier: Apache-2.0
// Ternary matrices whose scales are still being computed: for training, which goes on while a GPU measures its masters.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "ops/pack_rows.h"

namespace tern {

// A matrix as kernels of mixed-precision training take it, which need no number of it on the host.
struct LateMatrix {
  Tensor codes;   // i8 [rows, cols]
  Tensor wide;    // the codes as bf16 [rows, cols]
  Tensor packed;  // u8, in the layout of the device
  Tensor scale;   // f32 []
};

// wide of matrices with the same columns, one below the other: a view where they lie so.
Tensor stacked_wide(std::span<const LateMatrix> matrices);

class LateTernary {
 public:
  // Room for matrices of these shapes, [rows, cols] of f32 on one device. Null where the device gains nothing by that.
  static std::shared_ptr<LateTernary> make(std::span<const Tensor> matrices);

  // quantize_ternary of matrices of those shapes by the means of their magnitudes, but at least `least`: launched, not
  // waited for. Takes the place of what was quantized before.
  void quantize(std::span<const Tensor> matrices, float least);

  size_t count() const { return matrices_.size(); }
  const LateMatrix& at(size_t i) const { return matrices_[i]; }
  // With its scale: the first of these calls after quantize() waits until the scales of all are there. Safe from
  // several threads.
  const PackedTernary& packed(size_t i);

 private:
  void read_scales();

  std::vector<LateMatrix> matrices_;
  Tensor scales_;               // f32 [matrices]
  Tensor all_codes_, widened_;  // of all matrices, [1, elements with what lies between them]: i8, and bf16
  std::mutex mutex_;
  bool read_ = false;
  std::vector<PackedTernary> packed_;  // their scales as far as they were read
};

}  // namespace tern
