// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention over tensors (attention_tile.cuh does the arithmetic).
#include "devices/cuda/attention_entries.h"
#include "devices/cuda/attention_launch.cuh"

namespace tern::cuda {
namespace {

// The keys and values of one head as tensors [keys, kv_heads, dim].
template <bool kInQuads>
struct DenseKeys {
  using Place = int64_t;
  static constexpr bool kHalves = false;

  const float *k, *v;
  int64_t stride;
  int columns;

  __device__ int dim() const { return columns; }
  __device__ Place place(int key) const { return key * stride; }
  __device__ float4 quad(Place at, bool values, int column) const {
    return row_quad<kInQuads>((values ? v : k) + at, column, columns);
  }
};

template <bool kInQuads>
struct DensePass {
  using Keys = DenseKeys<kInQuads>;

  AttentionArgs args;
  Divisor group;
  bool queries_in_quads;

  __host__ __device__ int64_t kv_heads() const { return args.kv_heads; }
  __host__ __device__ int64_t dim() const { return args.dim; }
  __host__ __device__ int64_t tiles_of_entry(int rows) const { return ceil_div(args.q_tokens * group.divisor(), rows); }
  int64_t wide_tiles(int rows) const { return args.batch * tiles_of_entry(rows); }

  // Entry by entry within tiles that see about as much.
  __device__ AttentionTask<Keys> wide_tile(int64_t number, int rows, int64_t kv_head) const {
    const int64_t entry = number % args.batch, row = number / args.batch * rows;
    const int64_t before = entry * args.q_tokens * args.heads,
                  kv_at = entry * args.kv_batch_stride + kv_head * args.dim;
    return {.queries = {.heads = args.heads,
                        .tokens = args.q_tokens,
                        .keys = args.kv_tokens,
                        .dim = args.dim,
                        .group = group,
                        .scale = args.scale,
                        .in_quads = queries_in_quads,
                        .q = args.q + before * args.dim,
                        .cos = nullptr,
                        .sin = nullptr,
                        .out = args.out + before * args.dim,
                        .lse = args.lse ? args.lse + before : nullptr},
            .keys = {args.k + kv_at, args.v + kv_at, args.kv_heads * args.dim, static_cast<int>(args.dim)},
            .row = row,
            .first_head = kv_head * group.divisor(),
            .valid = true};
  }
};

template <bool kInQuads>
void attend(const Exec& exec, const AttentionArgs& args) {
  attend_by_wide_tiles(exec, DensePass<kInQuads>{args, Divisor(args.heads / args.kv_heads), in_quads(args.dim, 0, args.q)}, "attention");
}

}  // namespace

void attention(const Exec& exec, const AttentionArgs& args) noexcept {
  if (args.batch * args.q_tokens * args.heads == 0) return;
  if (in_quads(args.dim, args.kv_batch_stride, args.k, args.v)) {
    attend<true>(exec, args);
  } else {
    attend<false>(exec, args);
  }
}

}  // namespace tern::cuda
