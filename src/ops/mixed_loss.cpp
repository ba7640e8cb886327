// SPDX-License-Identifier: Apache-2.0
// The head and the loss of mixed-precision training: some rows of logits at a time, each chunk pulled back at once.
#include <algorithm>

#include "ops/call.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gradients.h"
#include "ops/loss.h"
#include "ops/mixed.h"

namespace tern::mixed {
namespace {

void cross_entropy(const Tensor& logits, const Tensor& targets, int64_t first, float scale, const Tensor& losses) {
  call(logits.device(), &MixedKernels::cross_entropy,
       {.rows = logits.size(0),
        .classes = logits.size(1),
        .logits = logits.data<bf16>(),
        .targets = targets.data<int64_t>() + first,
        .scale = scale,
        .loss = losses.data<float>() + first});
}

}  // namespace

bool takes_head_loss(const Tensor& hidden, const Tensor& weight) {
  return hidden.dtype() == DType::bf16 && hidden.requires_grad() && weight.requires_grad() &&
         weight.dtype() == DType::f32 && hidden.numel() > 0 && takes_columns(weight.size(0)) &&
         takes_columns(weight.size(1));
}

Tensor linear_cross_entropy(const Tensor& hidden, const Tensor& weight, const Tensor& targets, int64_t counted) {
  const Device& device = hidden.device();
  const int64_t rows = targets.numel(), classes = weight.size(0), width = weight.size(1);
  const Tensor x = reshape(dense(hidden).detach(), {rows, width});
  const Tensor w = converted(weight.detach(), DType::bf16);
  const Tensor to = dense(targets), losses = Tensor::empty(targets.shape(), DType::f32, device);
  Tensor d_hidden = empty_bf16(rows, width, device);
  Tensor d_weight = Tensor::empty({classes, width}, DType::f32, device);
  const int64_t most = std::min(rows, head_rows_at_once(classes, DType::bf16));
  const Tensor room = Tensor::empty({most, classes}, DType::bf16, device);
  const auto scale = static_cast<float>(1.0 / static_cast<double>(counted));
  for (int64_t first = 0; first < rows; first += most) {
    const int64_t end = std::min(first + most, rows);
    const Tensor part = slice(x, 0, first, end), logits = slice(room, 0, 0, end - first);
    product_into(logits, part, transpose(w));
    cross_entropy(logits, to, first, scale, losses);
    product_into(slice(d_hidden, 0, first, end), logits, w);
    product_into(d_weight, transpose(logits), part, 1.0f, first > 0);
  }
  return record_head_loss(losses, counted, hidden, weight, std::move(d_hidden), std::move(d_weight), scale_in_place);
}

}  // namespace tern::mixed
