// SPDX-License-Identifier: Apache-2.0
#include "nn/mixed_layer.h"

#include <memory>
#include <utility>
#include <vector>

#include "autograd/tape.h"
#include "ops/mixed.h"

namespace tern {
namespace {

using Linears = std::vector<const BitLinear*>;

// Matrices that share an input, and what their gradients need of the forward pass. With e = dy / q_scale, times
// factor(i), its scale over that of the first, for the results of matrix i, the results of all side by side:
class Projections {
 public:
  Projections(const Linears& linears, QuantizedRows x) : x_(std::move(x)) {
    for (const BitLinear* linear : linears) {
      matrices_.push_back(linear->late());
      trains_.push_back(linear->master().requires_grad());
    }
  }

  // [rows, Σ n] or, with several results, one for each.
  void run(std::span<const Tensor> results, const Tensor& residual = {},
           const mixed::HeadRotation& rotation = {}) const {
    mixed::ternary_linear(x_, matrices_, results, residual, rotation);
  }

  const Tensor& q_scale() const { return x_.scale; }
  const Tensor& weight_scale() const { return matrices_[0].scale; }
  mixed::Ratio factor(size_t i) const { return ratio(i, 0); }

  // e·codes: the gradient of the input is this, times weight_scale()·q_scale.
  Tensor input_gradient(const Tensor& e) const {
    const Tensor z = mixed::empty_bf16(e.size(0), cols(), e.device());
    mixed::product_into(z, e, stacked_wide(matrices_));
    return z;
  }

  // eᵀ·q / factor(i) of each matrix that trains.
  mixed::InputGradients master_gradients(const Tensor& e) const {
    mixed::InputGradients wanted = {.e = e, .x = x_, .cols = cols(), .matrices = {}};
    for (size_t i = 0; i < matrices_.size(); ++i)
      wanted.matrices.push_back({matrices_[i].codes.size(0), ratio(0, i), trains_[i]});
    return wanted;
  }

 private:
  int64_t cols() const { return matrices_[0].codes.size(1); }
  mixed::Ratio ratio(size_t over, size_t under) const { return {matrices_[over].scale, matrices_[under].scale}; }

  QuantizedRows x_;
  std::vector<LateMatrix> matrices_;
  std::vector<bool> trains_;
};

// An RMSNorm behind which rows are quantized.
struct Norm {
  Tensor x, gate;  // its input: x, or relu(gate)²·x
  Tensor weight, inv_rms;

  mixed::NormGradient gradient(const Projections& behind, const Tensor& e) const {
    return {x, gate, weight, inv_rms, behind.input_gradient(e), behind.q_scale(), behind.weight_scale()};
  }
};

// An RMSNorm and the products of what it gives.
struct NormedProjections {
  Norm norm;
  Projections projections;
};

NormedProjections quantized(const Tensor& x, const Tensor& gate, const DenseWeight& weight, float eps,
                            const Linears& linears) {
  const Tensor w = weight.get(false);
  mixed::NormalizedRows n = mixed::norm_quantize(x, gate, w, eps);
  return {{x, gate, w, n.inv_rms}, Projections(linears, std::move(n.rows))};
}

// x plus the one product of what is normalized.
Tensor added(const Tensor& x, const NormedProjections& out) {
  const Tensor y = mixed::empty_bf16(x.size(0), x.size(1), x.device());
  out.projections.run({&y, 1}, x);
  return y;
}

// What half a layer's backward pass gives: dx, the gradients of its norms, and what those of its matrices are made of.
struct PulledHalf {
  Tensor dx, d_norm, d_sub_norm;
  mixed::InputGradients in, out;
};

// y = x + Wo·norm(attention(Wqkv·norm(x))), and back.
class AttentionHalf {
 public:
  AttentionHalf(const DenseWeight& norm, const SelfAttention& a, const Tensor& x, const RopeTable& rope, int64_t batch)
      : rope_(rope),
        shape_{.batch = batch,
               .tokens = x.size(0) / batch,
               .heads = a.heads,
               .kv_heads = a.kv_heads,
               .dim = a.head_dim,
               .scale = score_scale(a.head_dim)},
        in_(quantized(x, {}, norm, a.eps, {&a.q, &a.k, &a.v})),
        qkv_(make_qkv(x.device())),
        attended_(mixed::attention(qkv_, shape_)),
        out_(quantized(attended_.out, {}, a.sub_norm, a.eps, {&a.o})) {}

  Tensor result() const { return added(in_.norm.x, out_); }

  // What the gradient of the result is divided by.
  const Tensor& q_scale() const { return out_.projections.q_scale(); }

  // dx divided by `below`, where that is defined, given e = dy / q_scale().
  PulledHalf pull_back(const Tensor& e, const Tensor& below) const {
    const mixed::PulledNorm mixed_heads = mixed::pull_back(out_.norm.gradient(out_.projections, e), {});
    const Projections& qkv = in_.projections;
    const Tensor e_qkv = mixed::attention_backward(qkv_, attended_, mixed_heads.d, rope_.cos, rope_.sin, shape_,
                                                   qkv.q_scale(), qkv.factor(1), qkv.factor(2));
    const mixed::PulledNorm in = mixed::pull_back(in_.norm.gradient(qkv, e_qkv), {e, q_scale()}, below);
    return {in.d, in.d_weight, mixed_heads.d_weight, qkv.master_gradients(e_qkv), out_.projections.master_gradients(e)};
  }

 private:
  Tensor make_qkv(const Device& device) const {
    const int64_t width = shape_.heads * shape_.dim, kv_width = shape_.kv_heads * shape_.dim;
    const Tensor all = mixed::empty_bf16(shape_.batch * shape_.tokens, width + 2 * kv_width, device);
    const Tensor parts[] = {slice(all, 1, 0, width), slice(all, 1, width, width + kv_width),
                            slice(all, 1, width + kv_width, width + 2 * kv_width)};
    in_.projections.run(parts, {}, {2, rope_.cos, rope_.sin, shape_.tokens});
    return all;
  }

  RopeTable rope_;
  mixed::AttentionShape shape_;
  NormedProjections in_;
  Tensor qkv_;
  mixed::Attended attended_;
  NormedProjections out_;
};

// y = x + Wdown·norm(relu(Wgate·n)² ⊙ Wup·n), n = norm(x), and back.
class FeedForwardHalf {
 public:
  FeedForwardHalf(const DenseWeight& norm, const FeedForward& f, const Tensor& x)
      : in_(quantized(x, {}, norm, f.eps, {&f.gate, &f.up})), out_(make_out(f, x)) {}

  Tensor result() const { return added(in_.norm.x, out_); }

  // What the gradient of the result is divided by.
  const Tensor& q_scale() const { return out_.projections.q_scale(); }

  // dx divided by `below`, given e = dy / q_scale().
  PulledHalf pull_back(const Tensor& e, const Tensor& below) const {
    const Projections& both = in_.projections;
    const mixed::PulledGate gated =
        mixed::pull_back_gate(out_.norm.gradient(out_.projections, e), both.q_scale(), both.factor(1));
    const mixed::PulledNorm in = mixed::pull_back(in_.norm.gradient(both, gated.e), {e, q_scale()}, below);
    return {in.d, in.d_weight, gated.d_weight, both.master_gradients(gated.e), out_.projections.master_gradients(e)};
  }

 private:
  NormedProjections make_out(const FeedForward& f, const Tensor& x) const {
    const int64_t width = f.gate.late().codes.size(0);
    const Tensor both[] = {mixed::empty_bf16(x.size(0), width, x.device()),
                           mixed::empty_bf16(x.size(0), width, x.device())};
    in_.projections.run(both);
    return quantized(both[1], both[0], f.sub_norm, f.eps, {&f.down});
  }

  NormedProjections in_, out_;
};

// In the order in which mixed_layer records them; those of all matrices share a launch.
std::vector<Tensor> gradients_of(const PulledHalf& first, const PulledHalf& second) {
  const mixed::InputGradients inputs[] = {second.in, second.out, first.in, first.out};
  const std::vector<std::vector<Tensor>> made = mixed::master_gradients(inputs);
  std::vector<Tensor> gradients = {first.dx};
  const auto append = [&](const PulledHalf& half, size_t in) {
    gradients.push_back(half.d_norm);
    gradients.insert(gradients.end(), made[in].begin(), made[in].end());
    gradients.push_back(half.d_sub_norm);
    gradients.insert(gradients.end(), made[in + 1].begin(), made[in + 1].end());
  };
  append(second, 0);
  append(first, 2);
  return gradients;
}

}  // namespace

bool takes_mixed_layer(const Device& device, int64_t hidden, int64_t intermediate, int64_t head_dim) {
  return mixed::is_available(device) && mixed::takes_columns(hidden) && mixed::takes_columns(intermediate) &&
         mixed::takes_head(head_dim);
}

MixedStream mixed_layer(const LayerWeights& layer, const MixedStream& in, const RopeTable& rope, int64_t batch) {
  const SelfAttention& a = layer.attention;
  const FeedForward& f = layer.feed_forward;
  auto attention = std::make_shared<AttentionHalf>(layer.input_norm, a, in.x.detach(), rope, batch);
  auto feed_forward = std::make_shared<FeedForwardHalf>(layer.post_norm, f, attention->result());
  const MixedStream out = {feed_forward->result(), feed_forward->q_scale()};
  record(out.x, "mixed_layer",
         {in.x, layer.post_norm.leaf(), f.gate.master(), f.up.master(), f.sub_norm.leaf(), f.down.master(),
          layer.input_norm.leaf(), a.q.master(), a.k.master(), a.v.master(), a.sub_norm.leaf(), a.o.master()},
         [attention, feed_forward, below = in.q_scale](const Tensor& e) mutable {
           const PulledHalf second = feed_forward->pull_back(e, attention->q_scale());
           feed_forward.reset();
           const PulledHalf first = attention->pull_back(second.dx, below);
           attention.reset();
           return gradients_of(first, second);
         });
  return out;
}

}  // namespace tern
