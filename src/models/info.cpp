// SPDX-License-Identifier: Apache-2.0
// Counting a model's weights.
#include "models/architecture.h"
#include "ops/pack_rows.h"

namespace tern {
namespace {

int64_t bytes_of(const Tensor& x) { return x.numel() * static_cast<int64_t>(size_of(x.dtype())); }

class Counter final : public WeightVisitor {
 public:
  void dense(const std::string&, DenseWeight& weight, const Shape& shape) override {
    info.parameters += shape.numel();
    info.resident_bytes += bytes_of(weight.leaf());
    dense_bytes_ += bytes_of(weight.leaf());
    if (shape.rank() == 1) info.norm_bytes += bytes_of(weight.leaf());
  }
  void ternary(const std::string&, BitLinear& linear, int64_t rows, int64_t cols) override {
    info.parameters += rows * cols;
    info.ternary_parameters += rows * cols;
    count_shape(rows, cols);
    const int64_t packed = bytes_of(linear.packed().bytes);
    info.ternary_bytes += packed;
    info.resident_bytes += packed + (linear.has_master() ? rows * cols * 5 : 0);  // the f32 master and its i8 codes
    file_codes_ += (rows + 3) / 4 * cols + 4;
  }
  void finish() {
    info.f32_bytes = info.parameters * 4;
    info.f16_bytes = info.parameters * 2;
    info.packed_bytes = file_codes_ + dense_bytes_;
    info.bits_per_weight =
        8.0 * static_cast<double>(info.ternary_bytes + dense_bytes_) / static_cast<double>(info.parameters);
  }

  ModelInfo info;

 private:
  void count_shape(int64_t rows, int64_t cols) {
    for (TernaryShape& shape : info.ternary_shapes) {
      if (shape.rows == rows && shape.cols == cols) {
        ++shape.count;
        return;
      }
    }
    info.ternary_shapes.push_back({rows, cols, 1});
  }

  int64_t dense_bytes_ = 0, file_codes_ = 0;
};

class ZeroCounter final : public WeightVisitor {
 public:
  void dense(const std::string&, DenseWeight&, const Shape&) override {}
  void ternary(const std::string&, BitLinear& linear, int64_t rows, int64_t cols) override {
    zeros += count_zeros(linear.packed());
    all += rows * cols;
  }

  int64_t zeros = 0, all = 0;
};

}  // namespace

ModelInfo Model::info() const {
  Counter counter;
  architecture_->visit(counter);
  counter.finish();
  const CodedWeight& coded = architecture_->coded_head;
  int64_t codes = 0;
  if (coded.defined()) codes = bytes_of(coded.bytes) + bytes_of(coded.error) + bytes_of(coded.norm);
  counter.info.resident_bytes += codes;
  counter.info.head_bytes = coded.defined() ? codes : bytes_of(architecture_->head().leaf());
  return counter.info;
}

double Model::zero_share() const {
  ZeroCounter counter;
  architecture_->visit(counter);
  return counter.all > 0 ? static_cast<double>(counter.zeros) / static_cast<double>(counter.all) : 0.0;
}

}  // namespace tern
