// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention and its gradients in double, by definition, with bounds on what f32 may lose.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace reference {

// q, out [batch, q_tokens, heads, dim]; k, v [batch, kv_tokens, kv_heads, dim]; all contiguous.
struct AttentionShape {
  int64_t batch, heads, kv_heads, q_tokens, kv_tokens, dim;

  int64_t q_size() const { return batch * q_tokens * heads * dim; }
  int64_t kv_size() const { return batch * kv_tokens * kv_heads * dim; }
  size_t q_at(int64_t b, int64_t i, int64_t h) const {
    return static_cast<size_t>(((b * q_tokens + i) * heads + h) * dim);
  }
  size_t kv_at(int64_t b, int64_t j, int64_t h) const {
    return static_cast<size_t>(((b * kv_tokens + j) * kv_heads + h / (heads / kv_heads)) * dim);
  }
  size_t row(int64_t b, int64_t h, int64_t i) const { return static_cast<size_t>((b * heads + h) * q_tokens + i); }
  int64_t keys(int64_t i) const { return kv_tokens - q_tokens + i + 1; }
};

using Doubles = std::vector<double>;

// Σ a·b and Σ |a||b| over dim elements.
inline double dot(const double* a, const double* b, int64_t dim, double* magnitude = nullptr) {
  double sum = 0, size = 0;
  for (int64_t d = 0; d < dim; ++d) {
    sum += a[d] * b[d];
    size += std::fabs(a[d] * b[d]);
  }
  if (magnitude) *magnitude = size;
  return sum;
}

struct AttentionResult {
  Doubles out, lse;
  double largest_score = 0;  // the greatest scale·Σ|q||k|
};

// Probabilities of one query, over the keys it sees.
inline Doubles probabilities(const AttentionShape& s, const Doubles& q, const Doubles& k, double scale, int64_t b,
                             int64_t h, int64_t i, double* lse, double* largest) {
  Doubles p(static_cast<size_t>(s.keys(i)));
  double greatest = -HUGE_VAL;
  for (size_t j = 0; j < p.size(); ++j) {
    double magnitude;
    p[j] = dot(&q[s.q_at(b, i, h)], &k[s.kv_at(b, static_cast<int64_t>(j), h)], s.dim, &magnitude) * scale;
    greatest = std::max(greatest, p[j]);
    *largest = std::max(*largest, magnitude * std::fabs(scale));
  }
  double sum = 0;
  for (double x : p) sum += std::exp(x - greatest);
  *lse = greatest + std::log(sum);
  for (double& x : p) x = std::exp(x - *lse);
  return p;
}

inline AttentionResult attention(const AttentionShape& s, const Doubles& q, const Doubles& k, const Doubles& v,
                                 double scale) {
  AttentionResult r;
  r.out.resize(static_cast<size_t>(s.q_size()));
  r.lse.resize(static_cast<size_t>(s.batch * s.heads * s.q_tokens));
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t h = 0; h < s.heads; ++h) {
      for (int64_t i = 0; i < s.q_tokens; ++i) {
        const Doubles p = probabilities(s, q, k, scale, b, h, i, &r.lse[s.row(b, h, i)], &r.largest_score);
        for (size_t j = 0; j < p.size(); ++j) {
          for (size_t d = 0; d < static_cast<size_t>(s.dim); ++d) {
            r.out[s.q_at(b, i, h) + d] += p[j] * v[s.kv_at(b, static_cast<int64_t>(j), h) + d];
          }
        }
      }
    }
  }
  return r;
}

// Gradients, and for each element the same sum over magnitudes: what relative errors of the terms multiply.
struct AttentionGradients {
  Doubles dq, dk, dv, dq_size, dk_size, dv_size;
};

inline AttentionGradients attention_backward(const AttentionShape& s, const Doubles& q, const Doubles& k,
                                             const Doubles& v, const Doubles& d_out, double scale) {
  AttentionGradients g;
  const size_t q_size = static_cast<size_t>(s.q_size()), kv_size = static_cast<size_t>(s.kv_size());
  for (Doubles* x : {&g.dq, &g.dq_size}) x->resize(q_size);
  for (Doubles* x : {&g.dk, &g.dk_size, &g.dv, &g.dv_size}) x->resize(kv_size);
  const AttentionResult forward = attention(s, q, k, v, scale);
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t h = 0; h < s.heads; ++h) {
      for (int64_t i = 0; i < s.q_tokens; ++i) {
        double lse, largest = 0, delta_size;
        const Doubles p = probabilities(s, q, k, scale, b, h, i, &lse, &largest);
        const size_t q_at = s.q_at(b, i, h);
        const double delta = dot(&d_out[q_at], &forward.out[q_at], s.dim, &delta_size);
        for (size_t j = 0; j < p.size(); ++j) {
          const size_t kv_at = s.kv_at(b, static_cast<int64_t>(j), h);
          double dp_size;
          const double dp = dot(&d_out[q_at], &v[kv_at], s.dim, &dp_size);
          const double ds = p[j] * (dp - delta) * scale, ds_size = p[j] * (dp_size + delta_size) * std::fabs(scale);
          for (size_t d = 0; d < static_cast<size_t>(s.dim); ++d) {
            g.dq[q_at + d] += ds * k[kv_at + d];
            g.dq_size[q_at + d] += ds_size * std::fabs(k[kv_at + d]);
            g.dk[kv_at + d] += ds * q[q_at + d];
            g.dk_size[kv_at + d] += ds_size * std::fabs(q[q_at + d]);
            g.dv[kv_at + d] += p[j] * d_out[q_at + d];
            g.dv_size[kv_at + d] += p[j] * std::fabs(d_out[q_at + d]);
          }
        }
      }
    }
  }
  return g;
}

}  // namespace reference
