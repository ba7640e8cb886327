// SPDX-License-Identifier: Apache-2.0
#include "ops/late_ternary.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "base/check.h"
#include "core/format_shape.h"
#include "ops/call.h"
#include "ops/copy.h"
#include "ops/mixed.h"

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
  void allocate(const Device& device) { block_ = Tensor::empty({bytes_}, DType::u8, device); }
  Tensor piece(int64_t at, const Shape& shape, DType dtype) const {
    return Tensor::over(block_.storage(), at, shape, contiguous_strides(shape), dtype);
  }

 private:
  int64_t bytes_ = 0;
  Tensor block_;
};

}  // namespace

std::shared_ptr<LateTernary> LateTernary::quantize(std::span<const Tensor> matrices, float least) {
  if (matrices.empty() || !mixed::is_available(matrices[0].device())) return nullptr;
  const Device& device = matrices[0].device();
  const Kernels& kernels = device.backend().kernels();
  auto late = std::make_shared<LateTernary>();
  late->least_ = least;
  late->sums_ = magnitude_sums(matrices);

  struct Place {
    int64_t codes, packed, packed_bytes;
  };
  Block block;
  std::vector<Place> places;
  const TernaryLayout layout = device.ternary_layout();
  for (const Tensor& w : matrices) {
    check(w.rank() == 2, kOp, "expected a matrix, got shape {}", w.shape());
    const auto packed_bytes = static_cast<int64_t>(kernels.ternary_packed_bytes(layout, w.size(0), w.size(1)));
    const int64_t codes = block.add(w.numel());
    places.push_back({codes, block.add(packed_bytes), packed_bytes});
  }
  block.allocate(device);

  std::vector<Tensor> operands;
  std::vector<TernaryQuantizeMatrix> all;
  for (size_t i = 0; i < matrices.size(); ++i) {
    const Tensor& from = operands.emplace_back(dense(matrices[i]));
    const Place& place = places[i];
    const QuantizedTernary& made = late->matrices_.emplace_back(QuantizedTernary{
        block.piece(place.codes, from.shape(), DType::i8),
        {block.piece(place.packed, {place.packed_bytes}, DType::u8), from.size(0), from.size(1), 0.0f, layout}});
    all.push_back({.rows = from.size(0),
                   .cols = from.size(1),
                   .w = from.data<float>(),
                   .inverse_scale = 0.0f,
                   .codes = made.codes.data<int8_t>(),
                   .packed = made.packed.bytes.data<uint8_t>()});
  }
  call(device, &MixedKernels::quantize,
       {.to = {.layout = layout, .matrices = std::ssize(all), .matrix = all.data()},
        .abs_sum = static_cast<const double*>(late->sums_.raw()),
        .least_scale = least});
  return late;
}

const PackedTernary& LateTernary::packed(size_t i) {
  std::call_once(read_, [this] { read_scales(); });
  return matrices_[i].packed;
}

void LateTernary::read_scales() {
  std::vector<double> sums(matrices_.size());
  sums_.copy_to_host(std::as_writable_bytes(std::span(sums)));
  for (size_t i = 0; i < sums.size(); ++i) {
    PackedTernary& packed = matrices_[i].packed;
    const float scale = std::max(mean_magnitude(sums[i], packed.rows * packed.cols), least_);
    check(std::isfinite(scale), kOp, "expected a finite scale, got {}", scale);
    packed.scale = scale;
  }
  sums_ = {};
}

}  // namespace tern
