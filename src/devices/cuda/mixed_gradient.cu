// SPDX-License-Identifier: Apache-2.0
// The gradients of matrices: from their inputs' codes as they are, or made bf16 for cuBLASLt.
#include "devices/cuda/launch.h"
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/weight_gradient.h"

namespace tern::cuda {
namespace {

constexpr const char* kName = "mixed_weight_gradient";

void multiply_through_bf16(const Exec& exec, int64_t rows, const MixedGradientInput& input) {
  const Room room(exec, static_cast<size_t>(rows * input.cols) * sizeof(bf16), kName);
  if (!room && rows * input.cols > 0) return;
  bf16* const q = room.as<bf16>();
  mixed_codes(exec, {rows, input.cols, input.q_stride, input.q, q});
  const bf16* e = input.e;
  for (int i = 0; i < input.parts; ++i) {
    const MixedGradientPart& part = input.part[i];
    if (part.c != nullptr) {
      mixed_matmul(exec, {.m = part.n,
                          .n = input.cols,
                          .k = rows,
                          .a = {e, 1, input.e_stride},
                          .b = {q, input.cols, 1},
                          .c = part.c,
                          .c_dtype = DType::f32,
                          .c_row_stride = input.cols,
                          .alpha = 1.0f,
                          .accumulate = false});
      mixed_scale(exec, {part.n * input.cols, DType::f32, part.c, part.factor});
    }
    e += part.n;
  }
}

}  // namespace

void mixed_weight_gradient(const Exec& exec, const MixedGradientArgs& args) noexcept {
  if (weight_gradient(exec, args)) return;
  for (int i = 0; i < args.inputs; ++i) {
    const bool is_done = args.inputs > 1 && weight_gradient(exec, {args.rows, 1, {args.input[i]}});
    if (!is_done) multiply_through_bf16(exec, args.rows, args.input[i]);
  }
}

}  // namespace tern::cuda
