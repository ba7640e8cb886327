// SPDX-License-Identifier: Apache-2.0
// A naive BitNet in double precision, straight from the formulas (arXiv 2402.17764, 2504.12285): the oracle for whole
// models. It also tells which activations lie next to a rounding edge, and can round chosen ones the other way.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace reference {

using Vector = std::vector<double>;
using Rows = std::vector<Vector>;  // one vector per token

struct BitNetShape {
  int64_t hidden, ffn, layers, heads, kv_heads, vocab;
  double theta, eps;
};

// One activation: the input of layer `layer`'s projections `input` (0 q/k/v, 1 o, 2 gate/up, 3 down), element `index`
// of `token`.
struct Site {
  int64_t layer, input, token, index;
  friend bool operator<(const Site& a, const Site& b) {
    return std::tie(a.layer, a.input, a.token, a.index) < std::tie(b.layer, b.input, b.token, b.index);
  }
};

struct Edge {
  Site site;
  double distance;  // of x·scale to the nearest half-integer
};

class BitNet {
 public:
  BitNet(BitNetShape shape, std::map<std::string, Vector> dense, std::map<std::string, std::vector<int>> codes,
         std::map<std::string, double> scales)
      : shape_(shape), dense_(std::move(dense)), codes_(std::move(codes)), scales_(std::move(scales)) {}

  double edge_distance = 0;                // activations nearer than this are reported
  std::vector<Edge> edges;                 // of the last forward()
  std::map<Site, bool> rounded_other_way;  // sites to round to the other neighbour

  // Logits of every token of one sequence.
  Rows forward(const std::vector<int64_t>& ids) {
    edges.clear();
    Rows x;
    const Vector& table = dense_.at("model.embed_tokens.weight");
    for (const int64_t id : ids)
      x.emplace_back(table.begin() + id * shape_.hidden, table.begin() + (id + 1) * shape_.hidden);
    for (int64_t layer = 0; layer < shape_.layers; ++layer) run_layer(x, layer);
    const std::string head = dense_.count("lm_head.weight") ? "lm_head.weight" : "model.embed_tokens.weight";
    Rows logits;
    for (const Vector& n : norm(x, "model.norm.weight")) logits.push_back(times(dense_.at(head), n, shape_.vocab));
    return logits;
  }

 private:
  void run_layer(Rows& x, int64_t layer) {
    const std::string p = "model.layers." + std::to_string(layer) + ".";
    const Rows n = quantized(norm(x, p + "input_layernorm.weight"), layer, 0);
    const Rows mixed = attention(rotated(project(n, p + "self_attn.q_proj.weight"), shape_.heads),
                                 rotated(project(n, p + "self_attn.k_proj.weight"), shape_.kv_heads),
                                 project(n, p + "self_attn.v_proj.weight"));
    add(x,
        project(quantized(norm(mixed, p + "self_attn.attn_sub_norm.weight"), layer, 1), p + "self_attn.o_proj.weight"));
    const Rows m = quantized(norm(x, p + "post_attention_layernorm.weight"), layer, 2);
    Rows gated = project(m, p + "mlp.gate_proj.weight");
    const Rows up = project(m, p + "mlp.up_proj.weight");
    for (size_t t = 0; t < gated.size(); ++t) {
      for (size_t i = 0; i < gated[t].size(); ++i) {
        const double r = std::max(gated[t][i], 0.0);
        gated[t][i] = r * r * up[t][i];
      }
    }
    add(x, project(quantized(norm(gated, p + "mlp.ffn_sub_norm.weight"), layer, 3), p + "mlp.down_proj.weight"));
  }

  static void add(Rows& x, const Rows& y) {
    for (size_t t = 0; t < x.size(); ++t) {
      for (size_t i = 0; i < x[t].size(); ++i) x[t][i] += y[t][i];
    }
  }

  Rows norm(const Rows& x, const std::string& name) const {
    const Vector& weight = dense_.at(name);
    Rows out = x;
    for (Vector& row : out) {
      double squares = 0;
      for (const double v : row) squares += v * v;
      const double inverse = 1.0 / std::sqrt(squares / static_cast<double>(row.size()) + shape_.eps);
      for (size_t i = 0; i < row.size(); ++i) row[i] *= inverse * weight[i];
    }
    return out;
  }

  // int8 absmax per token, and back.
  Rows quantized(Rows x, int64_t layer, int64_t input) {
    for (size_t t = 0; t < x.size(); ++t) {
      double largest = 0;
      for (const double v : x[t]) largest = std::max(largest, std::fabs(v));
      const double scale = 127.0 / std::max(largest, 1e-5);
      for (size_t i = 0; i < x[t].size(); ++i) {
        const Site site{layer, input, static_cast<int64_t>(t), static_cast<int64_t>(i)};
        const double scaled = x[t][i] * scale;
        double rounded = std::nearbyint(scaled);
        const double distance = 0.5 - std::fabs(scaled - rounded);
        if (distance < edge_distance) edges.push_back({site, distance});
        if (rounded_other_way.count(site)) rounded += scaled > rounded ? 1 : -1;
        x[t][i] = std::clamp(rounded, -128.0, 127.0) / scale;
      }
    }
    return x;
  }

  static Vector times(const Vector& w, const Vector& x, int64_t rows) {
    Vector y(static_cast<size_t>(rows));
    for (size_t r = 0; r < y.size(); ++r) {
      for (size_t k = 0; k < x.size(); ++k) y[r] += w[r * x.size() + k] * x[k];
    }
    return y;
  }

  Rows project(const Rows& x, const std::string& name) const {
    const std::vector<int>& codes = codes_.at(name);
    const double scale = scales_.at(name);
    Rows out;
    for (const Vector& row : x) {
      Vector y(codes.size() / row.size());
      for (size_t r = 0; r < y.size(); ++r) {
        for (size_t k = 0; k < row.size(); ++k) y[r] += codes[r * row.size() + k] * row[k];
        y[r] *= scale;
      }
      out.push_back(std::move(y));
    }
    return out;
  }

  Rows rotated(Rows x, int64_t heads) const {
    const int64_t dim = shape_.hidden / shape_.heads, half = dim / 2;
    for (size_t t = 0; t < x.size(); ++t) {
      for (int64_t h = 0; h < heads; ++h) {
        double* v = x[t].data() + h * dim;
        for (int64_t i = 0; i < half; ++i) {
          const double angle =
              static_cast<double>(t) * std::pow(shape_.theta, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
          const double a = v[i], b = v[i + half];
          v[i] = a * std::cos(angle) - b * std::sin(angle);
          v[i + half] = b * std::cos(angle) + a * std::sin(angle);
        }
      }
    }
    return x;
  }

  Rows attention(const Rows& q, const Rows& k, const Rows& v) const {
    const int64_t dim = shape_.hidden / shape_.heads, group = shape_.heads / shape_.kv_heads;
    Rows out(q.size(), Vector(static_cast<size_t>(shape_.hidden)));
    for (size_t t = 0; t < q.size(); ++t) {
      for (int64_t h = 0; h < shape_.heads; ++h) {
        const int64_t at = h * dim, kv_at = h / group * dim;
        Vector p;
        for (size_t j = 0; j <= t; ++j) {
          double s = 0;
          for (int64_t d = 0; d < dim; ++d) s += q[t][size_t(at + d)] * k[j][size_t(kv_at + d)];
          p.push_back(s / std::sqrt(static_cast<double>(dim)));
        }
        const double top = *std::max_element(p.begin(), p.end());
        double total = 0;
        for (double& s : p) total += s = std::exp(s - top);
        for (size_t j = 0; j <= t; ++j) {
          for (int64_t d = 0; d < dim; ++d) out[t][size_t(at + d)] += p[j] / total * v[j][size_t(kv_at + d)];
        }
      }
    }
    return out;
  }

  BitNetShape shape_;
  std::map<std::string, Vector> dense_;
  std::map<std::string, std::vector<int>> codes_;
  std::map<std::string, double> scales_;
};

// ‖a - b‖ / ‖b‖.
inline double relative_error(const Vector& a, const Vector& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

}  // namespace reference
