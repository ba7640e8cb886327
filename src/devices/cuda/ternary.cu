// SPDX-License-Identifier: Apache-2.0
// The table of the ternary kernels, and which way a product goes.
#include "devices/cuda/ternary.h"

#include "devices/cuda/aligned_bytes.h"
#include "devices/cuda/tables.h"
#include "devices/cuda/ternary_layout.cuh"
#include "devices/cuda/ternary_parts.cuh"

namespace tern::cuda {
namespace {

// Up to 32 rows the tensor cores keep up with the reading of the weights (4 products of 8 rows a tile). Beyond, the
// blocks of the products of many rows are better, but on GPUs without wgmma where they are too few for the device:
// those of few rows are thinner and their warps share the columns.
void multiply(const Exec& exec, const TernaryMatmulArgs& args) {
  if (args.rows <= kMostGemvRows) return ternary_gemv(exec, args);
  if (is_hopper(exec) && args.k > 0) return ternary_wgmma(exec, args);
  ternary_gemm_blocks(args) < multiprocessors(exec) ? ternary_gemv(exec, args) : ternary_gemm(exec, args);
}

void ternary_matmul(const Exec& exec, const TernaryMatmulArgs& args) noexcept {
  if (args.rows == 0 || column_blocks(args, kTileRows) == 0) return;
  const AlignedBytes q(exec, args.q, args.rows * args.q_stride, "ternary_matmul");
  if (!q) return;
  TernaryMatmulArgs aligned = args;
  aligned.q = q.get();
  multiply(exec, aligned);
}

constexpr TernaryKernels kTable = {
    .ternary_tile_rows = kTileRows,
    .ternary_packed_bytes = ternary_packed_bytes,
    .ternary_pack = ternary_pack,
    .ternary_unpack = ternary_unpack,
    .ternary_matmul = ternary_matmul,
    .norm_ternary_rows = kMostNormTernaryRows,
    .norm_ternary_matmul = norm_ternary_matmul,
    .ternary_quantize = ternary_quantize,
};
static_assert(complete(kTable));

}  // namespace

const TernaryKernels kTernary = kTable;

}  // namespace tern::cuda
