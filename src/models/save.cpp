// SPDX-License-Identifier: Apache-2.0
// Writing a model as a Hugging Face directory.
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "formats/format.h"
#include "io/safetensors.h"
#include "models/architecture.h"
#include "models/config.h"

namespace tern {
namespace {

class Saver final : public WeightVisitor {
 public:
  Saver(Weights weights, const Device& device) : weights_(weights), device_(device) {}

  void dense(const std::string& name, DenseWeight& weight, const Shape&) override {
    tensors.emplace_back(name, weight.leaf().detach());
  }
  void ternary(const std::string& name, BitLinear& linear, int64_t, int64_t) override {
    if (weights_ == Weights::masters) {
      tensors.emplace_back(name, linear.master().detach());
      return;
    }
    const TernaryCodes codes = linear.codes();
    tensors.emplace_back(name, encode(format_from_name("hf_packed"), codes));
    tensors.emplace_back(name + "_scale", Tensor::full({1}, codes.scale, DType::f32, device_));
  }

  std::vector<NamedTensor> tensors;

 private:
  Weights weights_;
  const Device& device_;
};

}  // namespace

void Model::save(const std::string& directory, Weights weights) const {
  check(weights == Weights::packed || this->weights() == Weights::masters, "save",
        "{}: expected a model with masters to save masters, got a packed one", directory);
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  check(!error, "save", "{}: {}", directory, error.message());
  Saver saver(weights, device());
  architecture_->visit(saver);
  // The weights first: a directory with a config.json has whole weights.
  write_safetensors(directory + "/model.safetensors", saver.tensors, {{"format", "pt"}});
  write_file_atomically(directory + "/config.json", write_config(config(), weights, architecture_->source_config));
}

}  // namespace tern
