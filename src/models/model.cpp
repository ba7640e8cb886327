// SPDX-License-Identifier: Apache-2.0
#include "tern/model.h"

#include <algorithm>

#include "base/check.h"
#include "models/architecture.h"
#include "models/head.h"
#include "models/kv_pool.h"
#include "ops/checked_indices.h"
#include "ops/checks.h"
#include "ops/mixed.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr int64_t kIgnored = -100;  // among targets

void check_ids(const Architecture& model, DType dtype, const Shape& shape) {
  check(dtype == DType::i64 && shape.rank() == 2 && shape.numel() > 0, "model",
        "expected i64 ids [batch, tokens], at least one, got {} {}", name_of(dtype), to_string(shape));
  const int64_t window = model.config().max_position_embeddings;
  check(shape[1] <= window, "model", "expected at most max_position_embeddings = {} tokens, got {}", window, shape[1]);
}

void check_ids(const Architecture& model, const Tensor& ids) { check_ids(model, ids.dtype(), ids.shape()); }

void check_in_vocabulary(const Architecture& model, std::span<const int64_t> ids, const Shape& shape) {
  check_index_values("model", "ids", ids, shape, model.config().vocab_size);
}

// The same for ids that are read on the host for it.
void check_in_vocabulary(const Architecture& model, const Tensor& ids) {
  check_in_vocabulary(model, ids.to_vector<int64_t>(), ids.shape());
}

void check_cache(const Tensor& ids, const KvCache& cache) {
  check(cache.batch == ids.size(0) && std::ssize(cache.sequences) == cache.batch, "model",
        "expected a cache for batch {}, got one for {}", ids.size(0), cache.batch);
  const int64_t end = cache.length + ids.size(1);
  check(cache.length >= 0 && end <= cache.capacity, "model", "expected a cache for {} tokens, got one for {}", end,
        cache.capacity);
}

// Hidden states without a graph, [batch, tokens, hidden], the cache moved on.
Tensor run(const Model& model, const Architecture& architecture, const Tensor& ids, KvCache* cache) {
  check_ids(architecture, ids);
  if (!cache) {
    check_in_vocabulary(architecture, ids);
    return architecture.hidden(ids, Graph::none);
  }
  check_cache(ids, *cache);
  std::vector<int32_t> narrow;
  for (const int64_t id : ids.to_vector<int64_t>()) {
    // What does not fit becomes an id that no vocabulary has.
    narrow.push_back(id >= 0 && id <= INT32_MAX ? static_cast<int32_t>(id) : -1);
  }
  const auto tokens = static_cast<size_t>(ids.size(1));
  std::vector<SequenceStep> steps;
  for (size_t i = 0; i < cache->sequences.size(); ++i) {
    cache->sequences[i].length = cache->length;
    steps.push_back({std::span(narrow).subspan(i * tokens, tokens), &cache->sequences[i]});
  }
  const Tensor hidden = model.hidden_states(steps, cache->pool);
  cache->length += ids.size(1);
  return reshape(hidden, {ids.size(0), ids.size(1), hidden.size(1)});
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

class TernaryCollector final : public WeightVisitor {
 public:
  void dense(const std::string&, DenseWeight&, const Shape&) override {}
  void ternary(const std::string&, BitLinear& linear, int64_t, int64_t) override { list.push_back(&linear); }
  std::vector<BitLinear*> list;
};

Tensor in_f32(const Tensor& hidden) { return hidden.dtype() == DType::f32 ? hidden : mixed::to_f32(hidden); }

// The mean loss of `counted` targets, none of which needs a check, nor do the ids.
Tensor checked_loss(const Architecture& model, const Tensor& ids, const Tensor& targets, int64_t counted,
                    const LossOptions& options) {
  const bool with_grad = model.weights == Weights::masters;
  const Graph graph = !with_grad ? Graph::none : options.recompute ? Graph::recomputed : Graph::whole;
  const Tensor hidden = model.hidden(ids, graph);
  if (!with_grad && !is_exact(model.head_type)) return cross_entropy(tern::head_logits(model, hidden), targets);
  const Tensor& head = model.head().get(with_grad);
  if (with_grad && mixed::takes_head_loss(hidden, head)) {
    return mixed::linear_cross_entropy(hidden, head, targets, counted);
  }
  return checked::linear_cross_entropy(in_f32(hidden), head, targets, counted);
}

}  // namespace

const ModelConfig& Model::config() const { return architecture_->config(); }
const Device& Model::device() const { return architecture_->device(); }
Weights Model::weights() const { return architecture_->weights; }

Tensor Model::logits(const Tensor& ids, KvCache* cache) const {
  return tern::head_logits(*architecture_, run(*this, *architecture_, ids, cache));
}

Tensor Model::next_logits(const Tensor& ids, KvCache* cache) const {
  const Tensor last = select(run(*this, *architecture_, ids, cache), 1, ids.size(1) - 1);
  return tern::head_logits(*architecture_, last);
}

KvCache Model::make_cache(int64_t batch, int64_t capacity, KvType kv) const {
  check(batch >= 1 && capacity >= 1, "cache", "expected batch and capacity of at least 1, got {} and {}", batch,
        capacity);
  KvPoolOptions options{.type = kv};
  const int64_t each = pages_for(capacity, options.page_tokens);
  options.pages = batch * each;
  KvCache cache;
  cache.pool = make_kv_pool(options);
  cache.batch = batch;
  cache.capacity = capacity;
  cache.sequences.resize(static_cast<size_t>(batch));
  for (KvSequence& sequence : cache.sequences) {
    for (int64_t i = 0; i < each; ++i) sequence.pages.push_back(cache.pool.acquire());
  }
  return cache;
}

Tensor Model::hidden_states(std::span<const SequenceStep> steps, KvPool& pool) const {
  check(pool.defined(), "hidden_states", "expected a pool of this model, got none");
  check_steps(config(), device(), steps, pool.state_->kv, pool.state_->references);
  std::vector<int64_t> ids;
  std::vector<PagedRows> rows;
  for (const SequenceStep& step : steps) {
    ids.insert(ids.end(), step.ids.begin(), step.ids.end());
    rows.push_back({std::ssize(step.ids), step.kv->length, step.kv->pages});
  }
  const PagedKv& kv = pool.state_->kv;
  Tensor hidden = pool.state_->recorded.run(*architecture_, kv, ids, rows);
  if (!hidden.defined()) {
    const Tensor rows_of_ids = Tensor::from(ids, {std::ssize(ids)}, device());
    hidden = architecture_->hidden(rows_of_ids, kv, architecture_->paged_pass(kv, rows));
  }
  for (const SequenceStep& step : steps) step.kv->length += std::ssize(step.ids);
  return hidden;
}

Tensor Model::hidden_states(const Tensor& ids, std::span<KvSequence* const> sequences, KvPool& pool) const {
  constexpr const char* kOp = "hidden_states";
  check(pool.defined(), kOp, "expected a pool of this model, got none");
  check(ids.dtype() == DType::i64 && ids.shape() == Shape{std::ssize(sequences)} && ids.device() == device(), kOp,
        "expected i64 ids [{}] on the model's device, got {} {}", sequences.size(), name_of(ids.dtype()),
        to_string(ids.shape()));
  constexpr int32_t kAnyId[] = {0};
  std::vector<SequenceStep> steps;
  for (KvSequence* sequence : sequences) steps.push_back({kAnyId, sequence});
  check_steps(config(), device(), steps, pool.state_->kv, pool.state_->references);
  std::vector<PagedRows> rows;
  for (const KvSequence* sequence : sequences) rows.push_back({1, sequence->length, sequence->pages});
  const PagedKv& kv = pool.state_->kv;
  Tensor hidden = pool.state_->recorded.run(*architecture_, kv, ids, rows);
  if (!hidden.defined()) hidden = architecture_->hidden(ids, kv, architecture_->paged_pass(kv, rows));
  for (KvSequence* sequence : sequences) ++sequence->length;
  return hidden;
}

Tensor Model::training_logits(const Tensor& ids) const {
  check_ids(*architecture_, ids);
  check_in_vocabulary(*architecture_, ids);
  const bool with_grad = weights() == Weights::masters;
  const Tensor hidden = in_f32(architecture_->hidden(ids, with_grad ? Graph::whole : Graph::none));
  return with_grad ? linear(hidden, architecture_->head().get(true)) : tern::head_logits(*architecture_, hidden);
}

Tensor Model::loss(const Tensor& ids, const LossOptions& options) const {
  check(ids.rank() == 2 && ids.size(1) >= 2, "loss", "expected ids [batch, tokens] with at least 2 tokens, got {}",
        to_string(ids.shape()));
  TokenBatch batch{ids.size(0), ids.to_vector<int64_t>(), {}};
  batch.targets.assign(batch.ids.begin() + 1, batch.ids.end());
  batch.targets.push_back(kIgnored);
  const auto tokens = static_cast<size_t>(ids.size(1));
  for (size_t last = tokens - 1; last < batch.targets.size(); last += tokens) batch.targets[last] = kIgnored;
  return loss(batch, options);
}

Tensor Model::loss(const Tensor& ids, const Tensor& targets, const LossOptions& options) const {
  check(targets.dtype() == DType::i64 && targets.shape() == ids.shape(), "loss", "expected i64 targets {}, got {} {}",
        to_string(ids.shape()), name_of(targets.dtype()), to_string(targets.shape()));
  check_ids(*architecture_, ids);
  return loss(TokenBatch{ids.size(0), ids.to_vector<int64_t>(), targets.to_vector<int64_t>()}, options);
}

int64_t Model::counted_targets(const TokenBatch& batch) const {
  const int64_t count = std::ssize(batch.ids), rows = batch.sequences;
  check(rows >= 1 && count % rows == 0 && batch.targets.size() == batch.ids.size(), "loss",
        "expected as many targets as ids, in sequences of one length, got {} ids and {} targets in {}", count,
        batch.targets.size(), rows);
  const Shape shape{rows, count / rows};
  check_ids(*architecture_, DType::i64, shape);
  check_in_vocabulary(*architecture_, batch.ids, shape);
  check_index_values("loss", "targets", batch.targets, shape, config().vocab_size, kIgnored);
  return count - std::count(batch.targets.begin(), batch.targets.end(), kIgnored);
}

Tensor Model::loss(const TokenBatch& batch, const LossOptions& options) const {
  const int64_t counted = counted_targets(batch);
  const Shape shape{batch.sequences, std::ssize(batch.ids) / batch.sequences};
  return loss(Tensor::from(batch.ids, shape, device()), Tensor::from(batch.targets, shape, device()), counted, options);
}

Tensor Model::loss(const Tensor& ids, const Tensor& targets, int64_t counted, const LossOptions& options) const {
  check_ids(*architecture_, ids);
  check(targets.dtype() == DType::i64 && targets.shape() == ids.shape(), "loss", "expected i64 targets {}, got {} {}",
        to_string(ids.shape()), name_of(targets.dtype()), to_string(targets.shape()));
  return checked_loss(*architecture_, ids, targets, counted, options);
}

bool Model::trains_by_kernels_alone() const {
  return weights() == Weights::masters && architecture_->trains_by_kernels_alone();
}

std::vector<Parameter> Model::parameters() const {
  Collector collector;
  architecture_->visit(collector);
  return std::move(collector.list);
}

void Model::requantize() {
  const MemoryLabel label("weights");
  TernaryCollector collector;
  architecture_->visit(collector);
  BitLinear::requantize(collector.list);
  architecture_->weights_changed();
  tern::set_head(*architecture_, architecture_->head_type);
}

}  // namespace tern
