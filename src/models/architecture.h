// SPDX-License-Identifier: Apache-2.0
// What a model family supplies: its weights, listed once, and its forward pass. Loading, saving, creating, counting and
// training are visitors over that list and know no family.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "nn/blocks.h"
#include "ops/paged.h"
#include "tern/model.h"

namespace tern {

// Called with every weight of a model in file order, under its Hugging Face name.
class WeightVisitor {
 public:
  virtual ~WeightVisitor() = default;
  // A norm's gain [n], an embedding or a head.
  virtual void dense(const std::string& name, DenseWeight& weight, const Shape& shape) = 0;
  // A ternary matrix [rows, cols] (out, in).
  virtual void ternary(const std::string& name, BitLinear& linear, int64_t rows, int64_t cols) = 0;
};

class Architecture {
 public:
  Architecture(ModelConfig config, Device device) : config_(std::move(config)), device_(std::move(device)) {}
  virtual ~Architecture() = default;

  // Lists every weight once, in the same order each time.
  virtual void visit(WeightVisitor& visitor) = 0;

  // Final hidden states, normalized, f32 [batch, tokens, hidden], for checked ids i64 [batch, tokens], each row a whole
  // sequence; with a graph behind them on request.
  virtual Tensor hidden(const Tensor& ids, bool with_grad) const = 0;

  // The same bits without a graph, for sequences that go on: f32 [rows, hidden] for ids i64 [rows], which are the rows
  // of these sequences in order. Their keys and values are stored in kv.
  virtual Tensor hidden(const Tensor& ids, const PagedKv& kv, std::span<const PagedRows> sequences) const = 0;

  // The head [vocab, hidden]: its own weight or the embedding.
  virtual const DenseWeight& head() const = 0;

  const ModelConfig& config() const { return config_; }
  const Device& device() const { return device_; }

  Weights weights = Weights::masters;
  // config.json as it was read, so that saving keeps the keys that Tern does not know; empty for a created model.
  std::string source_config;

 private:
  ModelConfig config_;
  Device device_;
};

// A family's entry in the explicit list (architectures.cpp).
struct ArchitectureEntry {
  const char* name;        // config.json's architectures[0]
  const char* model_type;  // config.json's model_type
  std::shared_ptr<Architecture> (*make)(const ModelConfig& config, const Device& device);  // weights not yet set
  bool (*ignores)(const ModelConfig& config,
                  std::string_view tensor);  // superfluous tensors that files are known to hold
};

std::span<const ArchitectureEntry> architectures();

// Throws Error, listing the names, when no family has it.
const ArchitectureEntry& find_architecture(std::string_view name);

}  // namespace tern
