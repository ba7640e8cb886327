// SPDX-License-Identifier: Apache-2.0
#include "tern/model.h"

#include "base/check.h"
#include "models/architecture.h"
#include "models/head.h"
#include "tern/ops.h"

namespace tern {
namespace {

void check_ids(const Architecture& model, const Tensor& ids, const KvCache* cache) {
  check(ids.dtype() == DType::i64 && ids.rank() == 2 && ids.numel() > 0, "model",
        "expected i64 ids [batch, tokens], at least one, got {} {}", name_of(ids.dtype()), to_string(ids.shape()));
  const int64_t end = (cache ? cache->length : 0) + ids.size(1);
  const int64_t window = model.config().max_position_embeddings;
  check(end <= window, "model", "expected at most max_position_embeddings = {} tokens, got {}", window, end);
  if (!cache) return;
  check(cache->batch == ids.size(0) && cache->layers.size() == static_cast<size_t>(model.config().num_hidden_layers),
        "model", "expected a cache of {} layers for batch {}, got {} layers and batch {}",
        model.config().num_hidden_layers, ids.size(0), cache->layers.size(), cache->batch);
  check(end <= cache->capacity, "model", "expected a cache for {} tokens, got one for {}", end, cache->capacity);
}

// Hidden states without a graph, the cache moved on.
Tensor run(const Architecture& model, const Tensor& ids, KvCache* cache) {
  check_ids(model, ids, cache);
  const Tensor hidden = model.hidden(ids, cache, false);
  if (cache) cache->length += ids.size(1);
  return hidden;
}

class Collector final : public WeightVisitor {
 public:
  void dense(const std::string& name, DenseWeight& weight, const Shape&) override {
    list.push_back({name, weight.leaf()});
  }
  void ternary(const std::string& name, BitLinear& linear, int64_t, int64_t) override {
    if (linear.has_master()) list.push_back({name, linear.master()});
  }
  std::vector<Parameter> list;
};

class Requantizer final : public WeightVisitor {
 public:
  void dense(const std::string&, DenseWeight&, const Shape&) override {}
  void ternary(const std::string&, BitLinear& linear, int64_t, int64_t) override { linear.requantize(); }
};

}  // namespace

const ModelConfig& Model::config() const { return architecture_->config(); }
const Device& Model::device() const { return architecture_->device(); }
Weights Model::weights() const { return architecture_->weights; }

Tensor Model::logits(const Tensor& ids, KvCache* cache) const {
  return tern::head_logits(*architecture_, run(*architecture_, ids, cache));
}

Tensor Model::next_logits(const Tensor& ids, KvCache* cache) const {
  const Tensor last = select(run(*architecture_, ids, cache), 1, ids.size(1) - 1);
  return tern::head_logits(*architecture_, last);
}

KvCache Model::make_cache(int64_t batch, int64_t capacity) const {
  check(batch >= 1 && capacity >= 1, "cache", "expected batch and capacity of at least 1, got {} and {}", batch,
        capacity);
  const ModelConfig& c = config();
  KvCache cache;
  cache.batch = batch;
  cache.capacity = capacity;
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const Shape shape{batch, capacity, c.num_key_value_heads, c.head_dim()};
    cache.layers.push_back({Tensor::zeros(shape, DType::f32, device()), Tensor::zeros(shape, DType::f32, device())});
  }
  return cache;
}

Tensor Model::training_logits(const Tensor& ids) const {
  check_ids(*architecture_, ids, nullptr);
  const bool with_grad = weights() == Weights::masters;
  const Tensor hidden = architecture_->hidden(ids, nullptr, with_grad);
  return with_grad ? linear(hidden, architecture_->head().get(true)) : tern::head_logits(*architecture_, hidden);
}

Tensor Model::loss(const Tensor& ids) const {
  check(ids.rank() == 2 && ids.size(1) >= 2, "loss", "expected ids [batch, tokens] with at least 2 tokens, got {}",
        to_string(ids.shape()));
  const Tensor next = slice(ids, 1, 1, ids.size(1));
  const Tensor none = Tensor::full({ids.size(0), 1}, -100, DType::i64, device());
  const Tensor parts[] = {next, none};
  return loss(ids, concat(parts, 1));
}

Tensor Model::loss(const Tensor& ids, const Tensor& targets) const {
  check(targets.dtype() == DType::i64 && targets.shape() == ids.shape(), "loss", "expected i64 targets {}, got {} {}",
        to_string(ids.shape()), name_of(targets.dtype()), to_string(targets.shape()));
  return cross_entropy(training_logits(ids), targets);
}

std::vector<Parameter> Model::parameters() const {
  Collector collector;
  architecture_->visit(collector);
  return std::move(collector.list);
}

void Model::requantize() {
  Requantizer requantizer;
  architecture_->visit(requantizer);
  tern::set_head(*architecture_, architecture_->head_type);
}

}  // namespace tern
