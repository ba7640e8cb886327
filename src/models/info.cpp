// SPDX-License-Identifier: Apache-2.0
// Counting a model's weights.
#include <algorithm>

#include "models/architecture.h"

namespace tern {
namespace {

int64_t bytes_of(const Tensor& x) { return x.numel() * static_cast<int64_t>(size_of(x.dtype())); }

class Counter final : public WeightVisitor {
 public:
  void dense(const std::string&, DenseWeight& weight, const Shape& shape) override {
    info.parameters += shape.numel();
    info.resident_bytes += bytes_of(weight.leaf());
    dense_bytes_ += bytes_of(weight.leaf());
  }
  void ternary(const std::string&, BitLinear& linear, int64_t rows, int64_t cols) override {
    info.parameters += rows * cols;
    info.ternary_parameters += rows * cols;
    const std::vector<int8_t> codes = linear.codes().codes.to_vector<int8_t>();
    zeros_ += std::count(codes.begin(), codes.end(), int8_t{0});
    const int64_t packed = bytes_of(linear.packed().bytes);
    info.ternary_bytes += packed;
    info.resident_bytes += packed + (linear.has_master() ? rows * cols * 5 : 0);  // the f32 master and its i8 codes
    file_codes_ += (rows + 3) / 4 * cols + 4;
  }
  void finish() {
    info.zero_share =
        info.ternary_parameters > 0 ? static_cast<double>(zeros_) / static_cast<double>(info.ternary_parameters) : 0.0;
    info.f32_bytes = info.parameters * 4;
    info.f16_bytes = info.parameters * 2;
    info.packed_bytes = file_codes_ + dense_bytes_;
    info.bits_per_weight =
        8.0 * static_cast<double>(info.ternary_bytes + dense_bytes_) / static_cast<double>(info.parameters);
  }

  ModelInfo info;

 private:
  int64_t zeros_ = 0, dense_bytes_ = 0, file_codes_ = 0;
};

}  // namespace

ModelInfo Model::info() const {
  Counter counter;
  architecture_->visit(counter);
  counter.finish();
  if (const CodedWeight& head = architecture_->coded_head; head.defined()) {
    for (const Tensor* part : {&head.bytes, &head.error, &head.norm}) counter.info.resident_bytes += bytes_of(*part);
  }
  return counter.info;
}

}  // namespace tern
