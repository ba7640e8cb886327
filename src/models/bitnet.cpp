// SPDX-License-Identifier: Apache-2.0
#include "models/bitnet.h"

#include <numeric>
#include <utility>
#include <vector>

#include "base/check.h"

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

  Tensor hidden(const Tensor& ids, bool with_grad) const override {
    const TokenPositions positions{token_positions(ids), &rope_};
    Tensor x = cast(embedding(embedding_.get(with_grad), ids), DType::f32);
    for (const Layer& layer : layers_) {
      x = x + layer.attention.forward(normalized(x, layer.input_norm, with_grad), positions, with_grad);
      x = x + layer.feed_forward.forward(normalized(x, layer.post_norm, with_grad), with_grad);
    }
    return normalized(x, norm_, with_grad);
  }

  Tensor hidden(const Tensor& ids, const PagedKv& kv, std::span<const PagedRows> sequences) const override {
    const PagedPass pass = make_paged_pass(kv, sequences, config().num_attention_heads, rope_.cos, rope_.sin);
    const Tensor x = cast(embedding(embedding_.get(false), ids), DType::f32);
    Tensor change;  // what the last block adds to x
    const auto next = [&](const DenseWeight& norm) {
      return change.defined() ? add_norm_quantize(x, change, norm.get(false), eps())
                              : norm_quantize(x, norm.get(false), eps());
    };
    for (size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      change = layer.attention.run(next(layer.input_norm), {kv, static_cast<int64_t>(i), pass});
      change = layer.feed_forward.run(next(layer.post_norm));
    }
    return normalized(x + change, norm_, false);
  }

  const DenseWeight& head() const override { return config().tie_word_embeddings ? embedding_ : head_; }

 private:
  float eps() const { return static_cast<float>(config().rms_norm_eps); }

  Tensor normalized(const Tensor& x, const DenseWeight& norm, bool with_grad) const {
    return rms_norm(x, norm.get(with_grad), eps());
  }

  // [0, tokens) in every row.
  Tensor token_positions(const Tensor& ids) const {
    std::vector<int32_t> row(static_cast<size_t>(ids.size(1)));
    std::iota(row.begin(), row.end(), 0);
    std::vector<int32_t> all;
    for (int64_t b = 0; b < ids.size(0); ++b) all.insert(all.end(), row.begin(), row.end());
    return Tensor::from(all, ids.shape(), device());
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
