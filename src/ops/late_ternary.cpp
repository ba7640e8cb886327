// SPDX-License-Identifier: Apache-2.0
#include "ops/late_ternary.h"

#include <cmath>
#include <cstddef>

#include "base/check.h"
#include "core/format_shape.h"
#include "ops/call.h"
#include "ops/copy.h"
#include "ops/mixed.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr const char* kOp = "quantize_ternary";

// Pieces of one block of memory, which costs one call of the device instead of one for each.
class Block {
 public:
  // 256-byte aligned.
  int64_t add(int64_t bytes) {
    const int64_t at = bytes_;
    bytes_ += (bytes + 255) / 256 * 256;
    return at;
  }
  int64_t bytes() const { return bytes_; }
  void allocate(const Device& device) { block_ = Tensor::empty({bytes_}, DType::u8, device); }
  Tensor piece(int64_t at, const Shape& shape, DType dtype) const {
    return Tensor::over(block_.storage(), at, shape, contiguous_strides(shape), dtype);
  }

 private:
  int64_t bytes_ = 0;
  Tensor block_;
};

}  // namespace

Tensor stacked_wide(std::span<const LateMatrix> matrices) {
  const Tensor& first = matrices[0].wide;
  int64_t rows = 0;
  bool adjoin = true;
  std::vector<Tensor> parts;
  for (const LateMatrix& matrix : matrices) {
    adjoin = adjoin && matrix.wide.storage() == first.storage() &&
             matrix.wide.data<bf16>() == first.data<bf16>() + rows * first.size(1);
    rows += matrix.wide.size(0);
    parts.push_back(matrix.wide);
  }
  return adjoin ? first.as_strided({rows, first.size(1)}, first.strides(), 0) : concat(parts, 0);
}

std::shared_ptr<LateTernary> LateTernary::make(std::span<const Tensor> matrices) {
  if (matrices.empty() || !mixed::is_available(matrices[0].device())) return nullptr;
  const Device& device = matrices[0].device();
  const Kernels& kernels = device.backend().kernels();
  const TernaryLayout layout = device.ternary_layout();
  struct Place {
    int64_t codes, packed, packed_bytes;
  };
  Block block;
  std::vector<Place> places;
  for (const Tensor& w : matrices) {
    check(w.rank() == 2, kOp, "expected a matrix, got shape {}", w.shape());
    places.push_back({.codes = block.add(w.numel()), .packed = 0, .packed_bytes = 0});
  }
  // Codes lie alike as i8 and as bf16, so that one launch widens all.
  const int64_t all_codes = block.bytes(), wide = block.add(2 * all_codes);
  for (size_t i = 0; i < matrices.size(); ++i) {
    Place& place = places[i];
    place.packed_bytes =
        static_cast<int64_t>(kernels.ternary_packed_bytes(layout, matrices[i].size(0), matrices[i].size(1)));
    place.packed = block.add(place.packed_bytes);
  }
  const int64_t scales = block.add(std::ssize(matrices) * int64_t{sizeof(float)});
  block.allocate(device);

  auto late = std::make_shared<LateTernary>();
  late->scales_ = block.piece(scales, {std::ssize(matrices)}, DType::f32);
  late->all_codes_ = block.piece(0, {1, all_codes}, DType::i8);
  late->widened_ = block.piece(wide, {1, all_codes}, DType::bf16);
  for (size_t i = 0; i < matrices.size(); ++i) {
    const Shape& shape = matrices[i].shape();
    const Place& place = places[i];
    const LateMatrix& made =
        late->matrices_.emplace_back(LateMatrix{.codes = block.piece(place.codes, shape, DType::i8),
                                                .wide = block.piece(wide + 2 * place.codes, shape, DType::bf16),
                                                .packed = block.piece(place.packed, {place.packed_bytes}, DType::u8),
                                                .scale = select(late->scales_, 0, static_cast<int64_t>(i))});
    late->packed_.push_back({made.packed, shape[0], shape[1], 0.0f, layout});
  }
  return late;
}

void LateTernary::quantize(std::span<const Tensor> matrices, float least) {
  const Tensor sums = magnitude_sums(matrices);
  std::vector<Tensor> operands;
  std::vector<TernaryQuantizeMatrix> all;
  for (size_t i = 0; i < matrices.size(); ++i) {
    const Tensor& from = operands.emplace_back(dense(matrices[i]));
    check(from.shape() == matrices_[i].codes.shape(), kOp, "expected the shapes of before, got {} in place of {}",
          from.shape(), matrices_[i].codes.shape());
    all.push_back({.rows = from.size(0),
                   .cols = from.size(1),
                   .w = from.data<float>(),
                   .inverse_scale = 0.0f,
                   .codes = matrices_[i].codes.data<int8_t>(),
                   .packed = matrices_[i].packed.data<uint8_t>()});
  }
  call(scales_.device(), &MixedKernels::quantize,
       {.to = {.layout = packed_[0].layout, .matrices = std::ssize(all), .matrix = all.data()},
        .abs_sum = static_cast<const double*>(sums.raw()),
        .least_scale = least,
        .scale = scales_.data<float>()});
  mixed::widen_codes(all_codes_, widened_);
  read_ = false;
}

const PackedTernary& LateTernary::packed(size_t i) {
  const std::lock_guard lock(mutex_);
  if (!read_) read_scales();
  return packed_[i];
}

void LateTernary::read_scales() {
  const std::vector<float> scales = scales_.to_vector<float>();
  for (const float scale : scales) check(std::isfinite(scale), kOp, "expected a finite scale, got {}", scale);
  for (size_t i = 0; i < scales.size(); ++i) packed_[i].scale = scales[i];
  read_ = true;
}

}  // namespace tern
