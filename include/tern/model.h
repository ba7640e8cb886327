// SPDX-License-Identifier: Apache-2.0
// Model: a ternary language model, loaded from and saved to a Hugging Face directory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/kv_type.h"
#include "tern/tensor.h"

namespace tern {

class Architecture;

// Hyper-parameters, named as in Hugging Face's config.json.
struct ModelConfig {
  std::string architecture = "BitNetForCausalLM";
  int64_t vocab_size = 4096;
  int64_t hidden_size = 256;
  int64_t intermediate_size = 704;
  int64_t num_hidden_layers = 4;
  int64_t num_attention_heads = 4;
  int64_t num_key_value_heads = 2;
  int64_t max_position_embeddings = 2048;
  double rope_theta = 10000.0;
  double rms_norm_eps = 1e-5;
  double initializer_range = 0.02;
  bool tie_word_embeddings = true;
  std::string hidden_act = "relu2";
  int64_t bos_token_id = 0;
  std::vector<int64_t> eos_token_ids = {1};

  int64_t head_dim() const { return hidden_size / num_attention_heads; }
  // Throws Error naming the field when the numbers do not make a model.
  void validate() const;
};

// How the linear weights are held.
enum class Weights : uint8_t {
  masters,  // f32 masters, quantized on the fly: trains and runs
  packed,   // 2-bit codes only: runs
};

// How the output head, up to half of the bytes that a token reads, computes logits.
enum class HeadType : uint8_t {
  full,      // exact, from all of the weights
  screened,  // exact: 6-bit codes with a proven bound leave few tokens, whose logits come from the weights
  int8,      // approximate, 8-bit codes: logits off by about 0.6 % of their spread
  int4,      // approximate, 4-bit codes: by about 10 %
};

// "full", "screened", "int8", "int4".
std::string_view name_of(HeadType type);
// The inverse of name_of. Throws Error for an unknown name.
HeadType head_type_from_name(std::string_view name);

struct LoadOptions {
  // Unset: screened for a packed model whose head is large (16 MiB), else full. The same tokens either way.
  std::optional<HeadType> head = {};
  // Called now and then, on the loading thread, with the share of the weights that is ready: never less than before,
  // and 1 at the end. Returning false ends loading with an Error.
  std::function<bool(double fraction)> on_progress = {};
};

// low <= logit <= high for each logit, f32 [rows, vocab]; where one of them is NaN, nothing is known. `leaders` is for
// those who look for the best: where low is greatest, in the device's own form, or undefined.
struct LogitBounds {
  Tensor low, high, leaders;
};

// One named weight, with its Hugging Face name ("model.layers.0.mlp.up_proj.weight").
struct Parameter {
  std::string name;
  Tensor value;  // shares storage with the model
};

struct KvPoolOptions {
  KvType type = KvType::f16;
  int64_t pages = 0;         // at least 1
  int64_t page_tokens = 32;  // tokens of a page
};

struct KvSequence;

// Keys and values of many sequences, in pages of page_tokens tokens; a page has the share of every layer. Pages are
// known by numbers from 0 on and have reference counts, so that sequences can share them. Made by Model::make_kv_pool.
// Moved, not copied; not thread-safe. Memory that no token was ever written to is not touched.
class KvPool {
 public:
  KvPool();
  ~KvPool();
  KvPool(KvPool&&) noexcept;
  KvPool& operator=(KvPool&&) noexcept;

  bool defined() const { return state_ != nullptr; }
  KvType type() const;
  int64_t page_tokens() const;
  int64_t pages() const;
  int64_t free_pages() const;
  int64_t bytes() const;            // of all pages
  int64_t bytes_per_token() const;  // rounded up
  int64_t pages_for(int64_t tokens) const;

  // A page with one reference; its content is undefined. Throws Error when none is free.
  int32_t acquire();
  // One reference more, or less; a page without references is free. Throws Error for a page that is free already.
  void retain(int32_t page);
  void release(int32_t page);
  // 0 for a free page.
  int64_t references(int32_t page) const;
  // The content of one page into another, for copy on write.
  void copy_page(int32_t from, int32_t to);
  // Cuts a sequence back to its first `length` tokens, if it has more, and releases the pages behind them.
  void truncate(KvSequence& sequence, int64_t length);

 private:
  friend class Model;
  struct State;
  std::unique_ptr<State> state_;
};

// One sequence's tokens [0, length), in pages that somebody (the engine, a KvCache) owns references to.
struct KvSequence {
  std::vector<int32_t> pages;
  int64_t length = 0;
};

// One sequence's share of a pass.
struct SequenceStep {
  std::span<const int32_t> ids;  // at least one
  KvSequence* kv;
};

// Keys and values of the tokens seen so far of `batch` sequences of one length. Made by Model::make_cache.
struct KvCache {
  KvPool pool;
  std::vector<KvSequence> sequences;
  int64_t batch = 0, capacity = 0;
  int64_t length = 0;  // tokens seen; a smaller one takes tokens back
};

// A shape [rows, cols] (out, in) that `count` of a model's ternary matrices have.
struct TernaryShape {
  int64_t rows = 0, cols = 0, count = 0;
};

// Sequences of one length to learn from, on the host: ids and targets [sequences, tokens], row after row. A target is
// what should follow its id and those before it in the row; -100 asks for nothing.
struct TokenBatch {
  int64_t sequences = 0;
  std::vector<int64_t> ids, targets;
};

struct LossOptions {
  // Keeps the input of each layer instead of all that its gradient reads, and runs the layer again in backward():
  // memory for about a third more arithmetic. The same bits.
  bool recompute = false;
};

// What a model is made of, for people and for `tern info`.
struct ModelInfo {
  int64_t parameters = 0;          // all weights, the tied head counted once
  int64_t ternary_parameters = 0;  // those in ternary matrices
  int64_t ternary_bytes = 0;       // the ternary matrices, packed on the device
  int64_t resident_bytes = 0;      // all weights as they are held now, masters and the head's codes included
  int64_t head_bytes = 0;          // what the output head reads for a token; a screened one reads some rows more
  int64_t norm_bytes = 0;          // the norms' gains, which every token reads
  std::vector<TernaryShape> ternary_shapes;  // in the order of the file, each once
  double bits_per_weight = 0;      // 8 · (packed ternary bytes + other weights' bytes) / parameters
  int64_t f32_bytes = 0, f16_bytes = 0, packed_bytes = 0;  // file sizes of the three ways to save, headers left out
};

// A cheap value: copies are the same model. Running is safe from several threads; training and loading are not.
class Model {
 public:
  Model() = default;

  // Reads config.json and the safetensors of a Hugging Face directory: f32/bf16/f16 masters, or packed uint8 with
  // either meaning of weight_scale (quantization_config.linear_class: autobitlinear multiplies, bitlinear divides).
  // Throws Error naming the file and field for anything missing, superfluous or of the wrong shape or dtype.
  static Model load(const std::string& directory, const Device& device, const LoadOptions& options = {});
  // Fresh masters: normal(0, initializer_range) from `seed`, norms 1.
  static Model create(const ModelConfig& config, const Device& device, uint64_t seed);
  // Random ternary codes and no masters: a model of any size to measure speed with. Of the options only `head` counts.
  static Model create_random_packed(const ModelConfig& config, const Device& device, uint64_t seed,
                                    const LoadOptions& options = {});

  // Writes config.json and model.safetensors, each atomically; creates the directory. Packed files hold uint8 codes and
  // an f32 weight_scale that multiplies (autobitlinear, offline); masters f32 (autobitlinear, online). A packed model
  // cannot be saved as masters (Error).
  void save(const std::string& directory, Weights weights) const;

  const ModelConfig& config() const;
  const Device& device() const;
  Weights weights() const;
  ModelInfo info() const;
  // Share of the codes 0 among the ternary ones, all of which are read for it; 0 without any.
  double zero_share() const;
  bool defined() const { return architecture_ != nullptr; }

  // Logits f32 [batch, tokens, vocab] for ids i64 [batch, tokens]. With a cache, the ids follow the tokens it has seen,
  // and it takes them in; with a cache in f32, logits equal those of one pass over the whole sequence, bit for bit.
  // Throws Error when an id is out of range, or a sequence longer than max_position_embeddings or the cache.
  Tensor logits(const Tensor& ids, KvCache* cache = nullptr) const;
  // The same for the last token only: [batch, vocab].
  Tensor next_logits(const Tensor& ids, KvCache* cache) const;
  KvCache make_cache(int64_t batch, int64_t capacity, KvType kv = KvType::f32) const;

  // ---- many sequences at once
  KvPool make_kv_pool(const KvPoolOptions& options) const;
  // KvPool::bytes_per_token of such a pool, however many pages it has.
  int64_t kv_bytes_per_token(const KvPoolOptions& options) const;
  // One pass over all sequences: final normalized hidden states f32 [Σ ids, hidden_size], rows in the order of the
  // steps. The tokens follow the kv->length that each sequence has, which moves on. kv->pages must hold the pages for
  // length + ids tokens, and those that are written be owned alone (one reference). A row's bits depend neither on the
  // other sequences nor on how a prompt is cut into passes; with KvType::f32 they are those of one pass. Rolling back
  // is making kv->length smaller. Throws Error, and changes no sequence, for an id out of range, a sequence longer than
  // max_position_embeddings or its pages, a sequence or a written page that is there twice, and a pool of another
  // model.
  Tensor hidden_states(std::span<const SequenceStep> steps, KvPool& pool) const;
  // The same for one token each, whose ids i64 [sequences] are on the device and not looked at by the host: they must
  // be in the vocabulary.
  Tensor hidden_states(const Tensor& ids, std::span<KvSequence* const> sequences, KvPool& pool) const;

  // The head, which logits() and its kin use; training (training_logits, and loss of a model with masters) is always
  // exact. set_head makes the codes, 0.25 to 1 byte a weight; not while the model runs.
  HeadType head() const;
  void set_head(HeadType type);
  // Logits f32 [rows, vocab] of hidden rows f32 [rows, hidden_size], the whole head read. A row's bits do not depend on
  // the others.
  Tensor head_logits(const Tensor& hidden) const;
  // The same bits for these tokens only: f32 [ids] of one hidden row [hidden_size]. Error for an approximate head.
  Tensor head_logits(const Tensor& hidden, std::span<const int64_t> ids) const;
  // The exact head [vocab, hidden_size] that these are products with, as it is held: f32, bf16 or f16.
  Tensor head_weight() const;
  // Bounds of head_logits, from the codes alone. Error unless the head is screened.
  LogitBounds head_bounds(const Tensor& hidden) const;

  // The same logits, bit for bit, with the graph behind them when the model has masters: for losses of one's own.
  Tensor training_logits(const Tensor& ids) const;
  // Mean cross-entropy in nats of the targets, as linear_cross_entropy (ops.h) gives it. Differentiable when the model
  // has masters: the head's share of the gradient is then made along with the loss. The batch is checked on the host,
  // so that no device is waited for.
  Tensor loss(const TokenBatch& batch, const LossOptions& options = {}) const;
  // How many targets of a batch count. Throws Error for a batch that loss() refuses.
  int64_t counted_targets(const TokenBatch& batch) const;
  // The loss of ids and targets i64 [batch, tokens] on the model's device that the host does not look at: they are as
  // counted_targets() wants them, and `counted` is what it gives.
  Tensor loss(const Tensor& ids, const Tensor& targets, int64_t counted, const LossOptions& options = {}) const;
  // Whether that loss and backward() launch kernels and nothing else, so that a device can record them.
  bool trains_by_kernels_alone() const;
  // loss() of i64 tensors [batch, tokens], which are read on the host.
  Tensor loss(const Tensor& ids, const Tensor& targets, const LossOptions& options = {}) const;
  // Of ids[:, 1:] given what precedes (Hugging Face's causal loss with labels = input_ids).
  Tensor loss(const Tensor& ids, const LossOptions& options = {}) const;

  // Masters in file order; a packed model lists its unquantized weights only. A tied head is not listed.
  std::vector<Parameter> parameters() const;
  // Quantizes the masters anew, and codes the head. To be called after they change (an optimizer step) and before the
  // model runs again. Graphs of losses before are not to be walked any more: on a GPU codes stay in their place.
  void requantize();

 private:
  explicit Model(std::shared_ptr<Architecture> architecture) : architecture_(std::move(architecture)) {}
  std::shared_ptr<Architecture> architecture_;
};

}  // namespace tern
