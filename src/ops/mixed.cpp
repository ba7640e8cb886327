// SPDX-License-Identifier: Apache-2.0
#include "ops/mixed.h"

#include <utility>

#include "ops/call.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gradients.h"
#include "ops/quantized_rows.h"

namespace tern::mixed {
namespace {

template <class T>
T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

// x of another dtype; its gradient comes back in x's.
Tensor recast(const Tensor& x, DType dtype, const char* op) {
  const Tensor y = converted(x, dtype);
  if (needs_grad(x)) {
    record(y, op, {x}, [dtype = x.dtype()](const Tensor& dy) { return Gradients{converted(dy, dtype)}; });
  }
  return y;
}

MixedMatrix matrix(const Tensor& x) { return {x.data<bf16>(), x.strides()[0], x.strides()[1]}; }

// q, k and v, or their gradients, side by side in a matrix.
struct Heads {
  bf16 *q, *k, *v;
  int64_t stride;

  Heads(const Tensor& qkv, const AttentionShape& shape)
      : q(qkv.data<bf16>()), k(q + shape.heads * shape.dim), v(k + shape.kv_heads * shape.dim), stride(qkv.size(1)) {}
};

MixedNormBackwardArgs norm_args(const NormGradient& norm, const Tensor& d_weight) {
  return {.rows = norm.x.size(0),
          .cols = norm.x.size(1),
          .x = norm.x.data<bf16>(),
          .gate = data_or_null<bf16>(norm.gate),
          .weight = norm.weight.data<float>(),
          .inv_rms = norm.inv_rms.data<float>(),
          .z = norm.z.data<bf16>(),
          .z_stride = norm.z.strides()[0],
          .q_scale = data_or_null<float>(norm.q_scale),
          .weight_scale = data_or_null<float>(norm.weight_scale),
          .add = nullptr,
          .add_q_scale = nullptr,
          .d = nullptr,
          .e_gate = nullptr,
          .e_x = nullptr,
          .e_stride = 0,
          .x_factor = {},
          .e_q_scale = nullptr,
          .d_weight = d_weight.data<float>()};
}

MixedRatio ratio(const Ratio& of) { return {data_or_null<float>(of.over), data_or_null<float>(of.under)}; }

}  // namespace

Tensor empty_bf16(int64_t rows, int64_t cols, const Device& device) {
  return Tensor::empty({rows, cols}, DType::bf16, device);
}

bool is_available(const Device& device) { return device.backend().kernels().mixed != nullptr; }

Tensor to_bf16(const Tensor& x) { return recast(x, DType::bf16, "to_bf16"); }
Tensor to_f32(const Tensor& x) { return recast(x, DType::f32, "to_f32"); }

NormalizedRows norm_quantize(const Tensor& x, const Tensor& gate, const Tensor& weight, float eps) {
  const NormalizedRows out = {empty_quantized("norm_quantize", x), Tensor::empty({x.size(0)}, DType::f32, x.device())};
  call(x.device(), &MixedKernels::norm_quantize,
       {.rows = x.size(0),
        .cols = x.size(1),
        .q_stride = out.rows.q.size(1),
        .x = x.data<bf16>(),
        .gate = data_or_null<bf16>(gate),
        .weight = weight.data<float>(),
        .eps = eps,
        .q = out.rows.q.data<int8_t>(),
        .scale = out.rows.scale.data<float>(),
        .sums = out.rows.sums.data<int32_t>(),
        .inv_rms = out.inv_rms.data<float>()});
  return out;
}

void ternary_linear(const QuantizedRows& x, std::span<const LateMatrix> weights, std::span<const Tensor> y,
                    const Tensor& residual, const HeadRotation& rotation) {
  MixedTernaryArgs args = {.rows = x.q.size(0),
                           .k = weights[0].codes.size(1),
                           .q_stride = x.q.size(1),
                           .q = x.q.data<int8_t>(),
                           .q_scale = x.scale.data<float>(),
                           .sums = x.sums.data<int32_t>(),
                           .parts = static_cast<int>(weights.size()),
                           .part = {},
                           .rotation = {}};
  if (rotation.parts > 0) {
    args.rotation = {.tokens = rotation.tokens,
                     .dim = 2 * rotation.cos.size(1),
                     .cos = rotation.cos.data<float>(),
                     .sin = rotation.sin.data<float>()};
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    args.part[i] = {.packed = weights[i].packed.data<uint8_t>(),
                    .n = weights[i].codes.size(0),
                    .weight_scale = weights[i].scale.data<float>(),
                    .y = y[i].data<bf16>(),
                    .y_stride = y[i].strides()[0],
                    .residual = data_or_null<bf16>(residual),
                    .rotated = i < rotation.parts};
  }
  call(x.q.device(), &MixedKernels::ternary_matmul, args);
}

Tensor embedding(const Tensor& table, const Tensor& ids) {
  const Tensor rows = dense(table), at = dense(ids), y = empty_bf16(at.numel(), table.size(1), table.device());
  call(y.device(), &MixedKernels::gather_rows,
       {.count = at.numel(),
        .cols = y.size(1),
        .table = rows.data<float>(),
        .ids = at.data<int64_t>(),
        .y = y.data<bf16>()});
  record_adding(y, "mixed_embedding", table, [at = at.detach()](const Tensor& grad, const Tensor& to) {
    const Tensor dy = dense(grad);
    call(to.device(), &MixedKernels::scatter_add_rows,
         {.count = at.numel(),
          .cols = to.size(1),
          .table_rows = to.size(0),
          .x = dy.data<bf16>(),
          .ids = at.data<int64_t>(),
          .y = to.data<float>()});
  });
  return y;
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, float eps, const Tensor& q_scale) {
  const Device& device = x.device();
  const Tensor y = empty_bf16(x.size(0), x.size(1), device), inv_rms = Tensor::empty({x.size(0)}, DType::f32, device);
  call(device, &MixedKernels::norm,
       {.rows = x.size(0),
        .cols = x.size(1),
        .x = x.data<bf16>(),
        .weight = weight.data<float>(),
        .eps = eps,
        .y = y.data<bf16>(),
        .inv_rms = inv_rms.data<float>()});
  record(y, "mixed_rms_norm", {x, weight},
         [x = x.detach(), weight = weight.detach(), inv_rms, q_scale](const Tensor& dy) {
           PulledNorm pulled = pull_back({x, {}, weight, inv_rms, dense(dy), {}, {}}, {}, q_scale);
           return Gradients{std::move(pulled.d), std::move(pulled.d_weight)};
         });
  return y;
}

PulledNorm pull_back(const NormGradient& norm, const Divided& add, const Tensor& by) {
  const int64_t rows = norm.x.size(0), cols = norm.x.size(1);
  const Device& device = norm.x.device();
  PulledNorm out = {empty_bf16(rows, cols, device), Tensor::empty({cols}, DType::f32, device)};
  MixedNormBackwardArgs args = norm_args(norm, out.d_weight);
  args.add = data_or_null<bf16>(add.e);
  args.add_q_scale = data_or_null<float>(add.q_scale);
  args.d = out.d.data<bf16>();
  args.e_q_scale = data_or_null<float>(by);
  call(device, &MixedKernels::norm_backward, args);
  return out;
}

PulledGate pull_back_gate(const NormGradient& norm, const Tensor& by, const Ratio& x_factor) {
  const int64_t rows = norm.x.size(0), cols = norm.x.size(1);
  const Device& device = norm.x.device();
  PulledGate out = {empty_bf16(rows, 2 * cols, device), Tensor::empty({cols}, DType::f32, device)};
  MixedNormBackwardArgs args = norm_args(norm, out.d_weight);
  args.e_gate = out.e.data<bf16>();
  args.e_x = args.e_gate + cols;
  args.e_stride = 2 * cols;
  args.x_factor = ratio(x_factor);
  args.e_q_scale = data_or_null<float>(by);
  call(device, &MixedKernels::norm_backward, args);
  return out;
}

void scale_in_place(const Tensor& y, const Tensor& factor) {
  call(y.device(), &MixedKernels::scale,
       {.count = y.numel(), .dtype = y.dtype(), .y = y.raw(), .factor = {factor.data<float>(), nullptr}});
}

void widen_codes(const Tensor& codes, const Tensor& y) {
  call(y.device(), &MixedKernels::codes,
       {.rows = codes.size(0),
        .cols = codes.size(1),
        .x_stride = codes.size(1),
        .x = codes.data<int8_t>(),
        .y = y.data<bf16>()});
}

void product_into(const Tensor& c, const Tensor& a, const Tensor& b, float alpha, bool accumulate) {
  call(c.device(), &MixedKernels::matmul,
       {.m = a.size(0),
        .n = b.size(1),
        .k = a.size(1),
        .a = matrix(a),
        .b = matrix(b),
        .c = c.raw(),
        .c_dtype = c.dtype(),
        .c_row_stride = c.strides()[0],
        .alpha = alpha,
        .accumulate = accumulate});
}

std::vector<std::vector<Tensor>> master_gradients(std::span<const InputGradients> inputs) {
  const Device& device = inputs[0].e.device();
  MixedGradientArgs args = {.rows = inputs[0].x.q.size(0), .inputs = static_cast<int>(inputs.size()), .input = {}};
  std::vector<std::vector<Tensor>> gradients;
  for (size_t k = 0; k < inputs.size(); ++k) {
    const InputGradients& from = inputs[k];
    MixedGradientInput& input = args.input[k];
    input = {.cols = from.cols,
             .q_stride = from.x.q.size(1),
             .q = from.x.q.data<int8_t>(),
             .e = from.e.data<bf16>(),
             .e_stride = from.e.strides()[0],
             .parts = static_cast<int>(from.matrices.size()),
             .part = {}};
    std::vector<Tensor>& of_input = gradients.emplace_back(from.matrices.size());
    for (size_t i = 0; i < from.matrices.size(); ++i) {
      const MasterGradient& matrix = from.matrices[i];
      if (matrix.wanted) of_input[i] = Tensor::empty({matrix.n, from.cols}, DType::f32, device);
      input.part[i] = {matrix.n, data_or_null<float>(of_input[i]), ratio(matrix.factor)};
    }
  }
  call(device, &MixedKernels::weight_gradient, args);
  return gradients;
}

Attended attention(const Tensor& qkv, const AttentionShape& shape) {
  const Device& device = qkv.device();
  const Heads in(qkv, shape);
  const Attended out = {empty_bf16(qkv.size(0), shape.heads * shape.dim, device),
                        Tensor::empty({shape.batch, shape.heads, shape.tokens}, DType::f32, device)};
  call(device, &MixedKernels::attention,
       {.batch = shape.batch,
        .heads = shape.heads,
        .kv_heads = shape.kv_heads,
        .tokens = shape.tokens,
        .dim = shape.dim,
        .q = in.q,
        .k = in.k,
        .v = in.v,
        .q_stride = in.stride,
        .k_stride = in.stride,
        .v_stride = in.stride,
        .scale = shape.scale,
        .out = out.out.data<bf16>(),
        .lse = out.lse.data<float>()});
  return out;
}

Tensor attention_backward(const Tensor& qkv, const Attended& attended, const Tensor& d_out, const Tensor& cos,
                          const Tensor& sin, const AttentionShape& shape, const Tensor& by, const Ratio& k_factor,
                          const Ratio& v_factor) {
  const Tensor e = empty_bf16(qkv.size(0), qkv.size(1), qkv.device());
  const Heads in(qkv, shape), out(e, shape);
  call(qkv.device(), &MixedKernels::attention_backward,
       {.batch = shape.batch,
        .heads = shape.heads,
        .kv_heads = shape.kv_heads,
        .tokens = shape.tokens,
        .dim = shape.dim,
        .q = in.q,
        .k = in.k,
        .v = in.v,
        .q_stride = in.stride,
        .k_stride = in.stride,
        .v_stride = in.stride,
        .cos = cos.data<float>(),
        .sin = sin.data<float>(),
        .scale = shape.scale,
        .out = attended.out.data<bf16>(),
        .d_out = d_out.data<bf16>(),
        .lse = attended.lse.data<float>(),
        .dq = out.q,
        .dk = out.k,
        .dv = out.v,
        .d_stride = out.stride,
        .q_scale = by.data<float>(),
        .dk_factor = ratio(k_factor),
        .dv_factor = ratio(v_factor)});
  return e;
}

}  // namespace tern::mixed
