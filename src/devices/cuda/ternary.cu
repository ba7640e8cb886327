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
  if (is_hopper(exec) && args.k > 0 && args.k <= kMostRowDigitColumns) return ternary_wgmma(exec, args);
  ternary_gemm_blocks(args) < multiprocessors(exec) ? ternary_gemv(exec, args) : ternary_gemm(exec, args);
}

// The results, then what relu2_gate makes of them.
void multiply_and_gate(const Exec& exec, const TernaryMatmulArgs& args) {
  const int64_t count = args.rows * args.part[0].n;
  const Room room(exec, static_cast<size_t>(2 * count) * sizeof(float), "gated_ternary_matmul");
  if (!room) return;
  TernaryMatmulArgs both = args;
  for (int i = 0; i < 2; ++i) both.part[i].y = room.as<float>() + i * count;
  multiply(exec, both);
  kPointwise.relu2_gate(exec, {.count = count, .gate = both.part[0].y, .up = both.part[1].y, .y = args.part[0].y});
}

// Calls act with args whose activations are aligned, if there is anything to multiply.
template <class Act>
void with_aligned(const Exec& exec, const TernaryMatmulArgs& args, const char* name, const Act& act) {
  if (args.rows == 0 || column_blocks(args, kTileRows) == 0) return;
  const AlignedBytes q(exec, args.q, args.rows * args.q_stride, name);
  if (!q) return;
  TernaryMatmulArgs aligned = args;
  aligned.q = q.get();
  act(aligned);
}

void ternary_matmul(const Exec& exec, const TernaryMatmulArgs& args) noexcept {
  with_aligned(exec, args, "ternary_matmul", [&](const auto& aligned) { multiply(exec, aligned); });
}

void gated_ternary_matmul(const Exec& exec, const TernaryMatmulArgs& args) noexcept {
  with_aligned(exec, args, "gated_ternary_matmul", [&](const auto& aligned) {
    const bool together = aligned.rows > kMostGemvRows && aligned.k > 0 && is_hopper(exec);
    if (!together || !ternary_wgmma_gate(exec, aligned)) multiply_and_gate(exec, aligned);
  });
}

constexpr TernaryKernels kTable = {
    .ternary_tile_rows = kTileRows,
    .ternary_packed_bytes = ternary_packed_bytes,
    .ternary_pack = ternary_pack,
    .ternary_unpack = ternary_unpack,
    .ternary_matmul = ternary_matmul,
    .norm_ternary_rows = kMostNormTernaryRows,
    .norm_ternary_matmul = norm_ternary_matmul,
    .norm_gated_ternary_matmul = norm_gated_ternary_matmul,
    .ternary_quantize = ternary_quantize,
    .gated_ternary_rows = kMostGemvRows + 1,
    .gated_ternary_matmul = gated_ternary_matmul,
};
static_assert(complete(kTable));

}  // namespace

const TernaryKernels kTernary = kTable;

}  // namespace tern::cuda
