// SPDX-License-Identifier: Apache-2.0
// Dense products of mixed-precision training: operands are bf16 as they lie, so cuBLASLt does them where they are.
#include "devices/cuda/bf16_products.h"
#include "devices/cuda/launch.h"
#include "devices/cuda/mixed_entries.h"

namespace tern::cuda {
namespace {

constexpr const char* kName = "mixed_matmul";
constexpr size_t kAlignment = 16;  // of all pointers of mixed kernels

Bf16Product::Operand operand_of(bool along_k, int64_t pitch) { return {along_k, pitch, 0, kAlignment}; }

Bf16Product product_of(const MixedMatmulArgs& args) {
  const MixedMatrix &a = args.a, &b = args.b;
  return {.batch = 1,
          .m = args.m,
          .n = args.n,
          .k = args.k,
          .a = a.col_stride == 1 ? operand_of(true, a.row_stride) : operand_of(false, a.col_stride),
          .b = b.row_stride == 1 ? operand_of(true, b.col_stride) : operand_of(false, b.row_stride),
          .c_dtype = args.c_dtype,
          .c_row_stride = args.c_row_stride,
          .c_batch_stride = 0,
          .c_alignment = kAlignment};
}

void clear(const Exec& exec, const MixedMatmulArgs& args) {
  const size_t element = size_of(args.c_dtype);
  keep_error(exec,
             cudaMemset2DAsync(args.c, static_cast<size_t>(args.c_row_stride) * element, 0,
                               static_cast<size_t>(args.n) * element, static_cast<size_t>(args.m), stream_of(exec)),
             kName);
}

}  // namespace

void mixed_matmul(const Exec& exec, const MixedMatmulArgs& args) noexcept {
  if (args.m == 0 || args.n == 0) return;
  if (args.k == 0) {
    if (!args.accumulate) clear(exec, args);
    return;
  }
  const Bf16Product product = product_of(args);
  Bf16Products& products = bf16_products(exec);
  const Bf16Products::Plan* const plan = products.plan(product);
  if (plan == nullptr) return keep_error(exec, cudaErrorNotSupported, kName);
  const Room workspace(exec, plan->workspace_bytes, kName);
  if (plan->workspace_bytes > 0 && !workspace) return;
  keep_status(exec,
              products.launch(product, *plan, args.a.data, args.b.data, args.c, args.alpha, args.accumulate,
                              workspace.as<void>(), stream_of(exec)),
              kName);
}

}  // namespace tern::cuda
