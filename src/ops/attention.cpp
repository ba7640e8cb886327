// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention.
#include "ops/call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/gradients.h"
#include "tern/ops.h"

namespace tern {
namespace {

void check_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  check_floats("attention", {{"q", q}, {"k", k}, {"v", v}});
  check_rank("attention", {"q", q}, 4);
  check_rank("attention", {"k", k}, 4);
  check_shape("attention", {"v", v}, k.shape());
  const Shape &queries = q.shape(), &keys = k.shape();
  check(queries[0] == keys[0] && queries[3] == keys[3], "attention",
        "expected q and k of one batch and head extent, got {} and {}", queries, keys);
  check(keys[2] > 0 && queries[2] % keys[2] == 0, "attention",
        "expected the heads of q to be a multiple of those of k, got {} and {}", queries[2], keys[2]);
  check(keys[3] <= kLargestHead && keys[1] <= kMostKeys, "attention",
        "expected heads of at most {} and at most {} keys, got heads of {} and {} keys", kLargestHead, kMostKeys,
        keys[3], keys[1]);
  check(queries[1] <= keys[1], "attention", "expected at most as many queries as keys, got {} and {}", queries[1],
        keys[1]);
  check(queries[1] == keys[1] || !needs_grad(q, k, v), "attention",
        "expected as many queries as keys for a gradient, got {} and {}", queries[1], keys[1]);
}

// Whether each batch entry of x [batch, tokens, heads, dim] is contiguous, as a slice of a cache is.
bool has_dense_entries(const Tensor& x) {
  return x.shape()[0] > 0 &&
         x.as_strided({x.shape()[1], x.shape()[2], x.shape()[3]}, {x.strides()[1], x.strides()[2], x.strides()[3]}, 0)
             .is_contiguous();
}

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, float scale) {
  check_attention(q, k, v);
  if (is_half(q.dtype())) {
    const auto wide = [scale](const Tensor& a, const Tensor& b, const Tensor& c) { return attention(a, b, c, scale); };
    return through_f32(wide, q, k, v);
  }
  const bool in_cache =
      !needs_grad(q, k, v) && has_dense_entries(k) && has_dense_entries(v) && k.strides()[0] == v.strides()[0];
  const Tensor queries = dense(q), keys = in_cache ? k : dense(k), values = in_cache ? v : dense(v);
  const int64_t batch = q.shape()[0], tokens = q.shape()[1], heads = q.shape()[2], dim = q.shape()[3];
  const int64_t kv_heads = k.shape()[2];
  const Tensor out = Tensor::empty(q.shape(), DType::f32, q.device());
  const Tensor lse = needs_grad(q, k, v) ? Tensor::empty({batch, heads, tokens}, DType::f32, q.device()) : Tensor();
  call(q.device(), &Kernels::attention,
       {.batch = batch,
        .heads = heads,
        .kv_heads = kv_heads,
        .q_tokens = tokens,
        .kv_tokens = k.shape()[1],
        .dim = dim,
        .kv_batch_stride = keys.strides()[0],
        .q = queries.data<float>(),
        .k = keys.data<float>(),
        .v = values.data<float>(),
        .scale = scale,
        .out = out.data<float>(),
        .lse = lse.defined() ? lse.data<float>() : nullptr});
  if (needs_grad(q, k, v)) {
    record(out, "attention", {q, k, v},
           [q = saved(queries), k = saved(keys), v = saved(values), out = saved(out), lse, scale](const Tensor& grad) {
             const Tensor d_out = dense(grad);
             const Tensor dq = Tensor::empty(q.shape(), DType::f32, q.device());
             const Tensor dk = Tensor::empty(k.shape(), DType::f32, q.device());
             const Tensor dv = Tensor::empty(k.shape(), DType::f32, q.device());
             call(q.device(), &Kernels::attention_backward,
                  {.batch = q.shape()[0],
                   .heads = q.shape()[2],
                   .kv_heads = k.shape()[2],
                   .tokens = q.shape()[1],
                   .dim = q.shape()[3],
                   .q = q.data<float>(),
                   .k = k.data<float>(),
                   .v = v.data<float>(),
                   .out = out.data<float>(),
                   .lse = lse.data<float>(),
                   .d_out = d_out.data<float>(),
                   .scale = scale,
                   .dq = dq.data<float>(),
                   .dk = dk.data<float>(),
                   .dv = dv.data<float>()});
             return Gradients{dq, dk, dv};
           });
  }
  return out;
}

}  // namespace tern
