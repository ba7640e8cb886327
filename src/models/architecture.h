// SPDX-License-Identifier: Apache-2.0
// What a model family supplies: its weights, listed once, and its forward pass. Loading, saving, creating, counting and
// training are visitors over that list and know no family.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "nn/blocks.h"
#include "ops/coded.h"
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

// What stands behind the hidden states of a forward pass.
enum class Graph : uint8_t {
  none,
  whole,
  recomputed,  // each layer's input, from which the layer runs again when its gradient is wanted
};

// Held by shared pointers only.
class Architecture : public std::enable_shared_from_this<Architecture> {
 public:
  Architecture(ModelConfig config, Device device) : config_(std::move(config)), device_(std::move(device)) {}
  virtual ~Architecture() = default;

  // Lists every weight once, in the same order each time.
  virtual void visit(WeightVisitor& visitor) = 0;

  // Final hidden states, normalized, [batch, tokens, hidden], for ids i64 [batch, tokens] that are known to be in the
  // vocabulary, each row a whole sequence: f32, or with a graph perhaps bf16, where that is trained in mixed precision.
  // Waits for nothing.
  virtual Tensor hidden(const Tensor& ids, Graph graph) const = 0;

  // The same bits without a graph, for sequences that go on: f32 [rows, hidden] for ids i64 [rows], which are the rows
  // of the pass in order. Their keys and values are stored in kv. Launches kernels and nothing else.
  Tensor hidden(const Tensor& ids, const PagedKv& kv, const PagedPass& pass) const {
    return normalized(residual(ids, kv, pass));
  }
  // What that normalizes at last, and how: f32 [rows, hidden] both.
  virtual Tensor residual(const Tensor& ids, const PagedKv& kv, const PagedPass& pass) const = 0;
  virtual Tensor normalized(const Tensor& residual) const = 0;

  // Whether hidden(ids, graph) and the walk back through its graph launch kernels and nothing else.
  virtual bool trains_by_kernels_alone() const = 0;

  // A pass over these sequences, for checked ones.
  virtual PagedPass paged_pass(const PagedKv& kv, std::span<const PagedRows> sequences) const = 0;
  // One over tables that are on the device, with the rest of it filled in.
  virtual PagedPass paged_pass(PagedPass tables) const = 0;

  // The head [vocab, hidden]: its own weight or the embedding.
  virtual const DenseWeight& head() const = 0;

  const ModelConfig& config() const { return config_; }
  const Device& device() const { return device_; }

  // Another one for each set of weights: after weights_changed() nothing that was made of the old ones holds.
  const std::shared_ptr<const void>& weights_identity() const { return identity_; }
  void weights_changed() { identity_ = std::make_shared<char>(); }

  Weights weights = Weights::masters;
  // The head's codes, unless it is full (models/head.h).
  HeadType head_type = HeadType::full;
  CodedWeight coded_head;
  // config.json as it was read, so that saving keeps the keys that Tern does not know; empty for a created model.
  std::string source_config;

 private:
  ModelConfig config_;
  Device device_;
  std::shared_ptr<const void> identity_ = std::make_shared<char>();
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
