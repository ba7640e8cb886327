// SPDX-License-Identifier: Apache-2.0
#include "models/bitnet.h"

#include <utility>
#include <vector>

#include "base/check.h"
#include "nn/mixed_layer.h"
#include "ops/checked_indices.h"
#include "ops/mixed.h"
#include "tern/autograd.h"

namespace tern {
namespace {

struct Layer {
  DenseWeight input_norm, post_norm;
  SelfAttention attention;
  FeedForward feed_forward;
};

class BitNet final : public Architecture {
 public:
  BitNet(const ModelConfig& config, const Device& device)
      : Architecture(config, device),
        layers_(static_cast<size_t>(config.num_hidden_layers)),
        rope_(make_rope_table(config.max_position_embeddings, config.head_dim(), config.rope_theta, device)) {
    for (Layer& layer : layers_) {
      layer.attention.heads = config.num_attention_heads;
      layer.attention.kv_heads = config.num_key_value_heads;
      layer.attention.head_dim = config.head_dim();
      layer.attention.eps = layer.feed_forward.eps = eps();
    }
  }

  void visit(WeightVisitor& visitor) override {
    const ModelConfig& c = config();
    if (!c.tie_word_embeddings) visitor.dense("lm_head.weight", head_, {c.vocab_size, c.hidden_size});
    visitor.dense("model.embed_tokens.weight", embedding_, {c.vocab_size, c.hidden_size});
    for (size_t i = 0; i < layers_.size(); ++i) visit(visitor, layers_[i], fmt::format("model.layers.{}.", i));
    visitor.dense("model.norm.weight", norm_, {c.hidden_size});
  }

  Tensor hidden(const Tensor& ids, Graph graph) const override {
    const bool with_grad = graph != Graph::none;
    if (with_grad && trains_in_mixed_precision()) return mixed_hidden(ids, graph);
    const TokenPositions positions{token_positions(ids), &rope_};
    Tensor x = cast(checked::embedding(embedding_.get(with_grad), ids), DType::f32);
    for (const Layer& layer : layers_) {
      if (graph == Graph::recomputed) {
        x = recomputed(x, [self = shared_from_this(), this, &layer, positions](const Tensor& in, bool again) {
          return forward(layer, in, positions, again);
        });
      } else {
        x = forward(layer, x, positions, with_grad);
      }
    }
    return normalized(x, norm_, with_grad);
  }

  // In f32 the host looks at the scales of the weights.
  bool trains_by_kernels_alone() const override { return trains_in_mixed_precision(); }

  PagedPass paged_pass(const PagedKv& kv, std::span<const PagedRows> sequences) const override {
    return make_paged_pass(kv, sequences, config().num_attention_heads, rope_.cos, rope_.sin);
  }
  PagedPass paged_pass(PagedPass tables) const override {
    tables.cos = rope_.cos;
    tables.sin = rope_.sin;
    tables.heads = config().num_attention_heads;
    return tables;
  }

  Tensor residual(const Tensor& ids, const PagedKv& kv, const PagedPass& pass) const override {
    Residual stream{embed_rows(embedding_.get(false), ids), {}};
    for (size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      const Layer* const next = i + 1 < layers_.size() ? &layers_[i + 1] : nullptr;
      const KvLayer at = {kv, static_cast<int64_t>(i), pass};
      layer.attention.run(stream, layer.input_norm, at, next ? &next->attention : nullptr);
      layer.feed_forward.run(stream, layer.post_norm, next ? &next->feed_forward : nullptr);
    }
    return stream.sum();
  }
  Tensor normalized(const Tensor& residual) const override { return normalized(residual, norm_, false); }

  const DenseWeight& head() const override { return config().tie_word_embeddings ? embedding_ : head_; }

 private:
  float eps() const { return static_cast<float>(config().rms_norm_eps); }

  Tensor normalized(const Tensor& x, const DenseWeight& norm, bool with_grad) const {
    return rms_norm(x, norm.get(with_grad), eps());
  }

  bool trains_in_mixed_precision() const {
    const ModelConfig& c = config();
    return takes_mixed_layer(device(), c.hidden_size, c.intermediate_size, c.head_dim());
  }

  // hidden(ids, graph) with activations in bf16, as is the result.
  Tensor mixed_hidden(const Tensor& ids, Graph graph) const {
    const int64_t batch = ids.size(0), tokens = ids.size(1), width = config().hidden_size;
    MixedStream stream = {mixed::embedding(embedding_.get(true), ids), {}};
    for (const Layer& layer : layers_) {
      const auto run = [self = shared_from_this(), this, &layer, batch](const MixedStream& in) {
        return mixed_layer({layer.input_norm, layer.attention, layer.post_norm, layer.feed_forward}, in, rope_, batch);
      };
      stream = graph == Graph::recomputed ? recomputed_stream(stream, run) : run(stream);
    }
    return reshape(mixed::rms_norm(stream.x, norm_.get(true), eps(), stream.q_scale), {batch, tokens, width});
  }

  // recomputed() of what runs a layer: its scales are the same both times.
  template <class Run>
  static MixedStream recomputed_stream(const MixedStream& in, const Run& run) {
    const auto q_scale = std::make_shared<Tensor>();
    const Tensor x = recomputed(in.x, [run, below = in.q_scale, q_scale](const Tensor& again, bool) {
      MixedStream out = run({again, below});
      *q_scale = std::move(out.q_scale);
      return std::move(out.x);
    });
    return {x, *q_scale};
  }

  // [0, tokens) in every row.
  Tensor token_positions(const Tensor& ids) const {
    return contiguous(expand(Tensor::arange(ids.size(1), DType::i32, device()), ids.shape()));
  }

  Tensor forward(const Layer& layer, const Tensor& in, const TokenPositions& positions, bool with_grad) const {
    const Tensor n = normalized(in, layer.input_norm, with_grad);
    const Tensor x = in + layer.attention.forward(n, positions, with_grad);
    return x + layer.feed_forward.forward(normalized(x, layer.post_norm, with_grad), with_grad);
  }

  // In the order of Hugging Face's files: names sorted within a layer.
  void visit(WeightVisitor& visitor, Layer& layer, const std::string& prefix) {
    const ModelConfig& c = config();
    const int64_t hidden = c.hidden_size, ffn = c.intermediate_size;
    const int64_t kv = c.num_key_value_heads * c.head_dim();
    SelfAttention& a = layer.attention;
    FeedForward& f = layer.feed_forward;
    visitor.dense(prefix + "input_layernorm.weight", layer.input_norm, {hidden});
    visitor.ternary(prefix + "mlp.down_proj.weight", f.down, hidden, ffn);
    visitor.dense(prefix + "mlp.ffn_sub_norm.weight", f.sub_norm, {ffn});
    visitor.ternary(prefix + "mlp.gate_proj.weight", f.gate, ffn, hidden);
    visitor.ternary(prefix + "mlp.up_proj.weight", f.up, ffn, hidden);
    visitor.dense(prefix + "post_attention_layernorm.weight", layer.post_norm, {hidden});
    visitor.dense(prefix + "self_attn.attn_sub_norm.weight", a.sub_norm, {hidden});
    visitor.ternary(prefix + "self_attn.k_proj.weight", a.k, kv, hidden);
    visitor.ternary(prefix + "self_attn.o_proj.weight", a.o, hidden, hidden);
    visitor.ternary(prefix + "self_attn.q_proj.weight", a.q, hidden, hidden);
    visitor.ternary(prefix + "self_attn.v_proj.weight", a.v, kv, hidden);
  }

  DenseWeight head_, embedding_, norm_;
  std::vector<Layer> layers_;
  RopeTable rope_;
};

}  // namespace

std::shared_ptr<Architecture> make_bitnet(const ModelConfig& config, const Device& device) {
  check(config.hidden_act == "relu2", "model", "expected hidden_act relu2 for {}, got '{}'", config.architecture,
        config.hidden_act);
  return std::make_shared<BitNet>(config, device);
}

bool bitnet_ignores(const ModelConfig& config, std::string_view tensor) {
  return tensor.ends_with("rotary_emb.inv_freq") || (config.tie_word_embeddings && tensor == "lm_head.weight");
}

}  // namespace tern
