// SPDX-License-Identifier: Apache-2.0
// The gradients of the matrices that share an input: from its codes as they are, or made bf16 for cuBLASLt.
#include "devices/cuda/launch.h"
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/weight_gradient.h"

namespace tern::cuda {
namespace {

constexpr const char* kName = "mixed_weight_gradient";

void multiply_through_bf16(const Exec& exec, const MixedGradientArgs& args) {
  const Room room(exec, static_cast<size_t>(args.rows * args.cols) * sizeof(bf16), kName);
  if (!room && args.rows * args.cols > 0) return;
  bf16* const q = room.as<bf16>();
  mixed_codes(exec, {args.rows, args.cols, args.q_stride, args.q, q});
  const bf16* e = args.e;
  for (int i = 0; i < args.parts; ++i) {
    const MixedGradientPart& part = args.part[i];
    if (part.c != nullptr) {
      mixed_matmul(exec, {.m = part.n,
                          .n = args.cols,
                          .k = args.rows,
                          .a = {e, 1, args.e_stride},
                          .b = {q, args.cols, 1},
                          .c = part.c,
                          .c_dtype = DType::f32,
                          .c_row_stride = args.cols,
                          .alpha = 1.0f,
                          .accumulate = false});
      mixed_scale(exec, {part.n * args.cols, DType::f32, part.c, part.factor});
    }
    e += part.n;
  }
}

}  // namespace

void mixed_weight_gradient(const Exec& exec, const MixedGradientArgs& args) noexcept {
  if (!weight_gradient(exec, args)) multiply_through_bf16(exec, args);
}

}  // namespace tern::cuda
