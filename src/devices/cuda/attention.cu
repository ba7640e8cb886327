// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention over tensors (attention_tile.cuh does the arithmetic).
#include "devices/cuda/attention_entries.h"
#include "devices/cuda/attention_tile.cuh"
#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

// The keys and values of one head as tensors [keys, kv_heads, dim].
template <bool kInQuads>
struct DenseKeys {
  using Place = int64_t;

  const float *k, *v;
  int64_t stride;
  int dim;

  __device__ Place place(int key) const { return key * stride; }
  __device__ float4 quad(Place at, bool values, int column) const {
    return row_quad<kInQuads>((values ? v : k) + at, column, dim);
  }
};

// Tensors that cannot be read in quads are rare: they go by the shape for all.
template <bool kInQuads>
struct DensePass {
  using Keys = DenseKeys<kInQuads>;
  static constexpr bool kByGeneralShape = !kInQuads;

  AttentionArgs args;
  int64_t heads_of_group;
  float* parts;

  __host__ __device__ int64_t kv_heads() const { return args.kv_heads; }
  __host__ __device__ int64_t group() const { return heads_of_group; }
  __host__ __device__ int64_t dim() const { return args.dim; }
  __host__ __device__ int64_t tiles_of_entry(int rows) const { return ceil_div(args.q_tokens * group(), rows); }
  int64_t tiles(int rows) const { return args.batch * tiles_of_entry(rows); }

  __device__ AttentionTask<Keys> tile(int64_t number, int rows, int64_t kv_head) const {
    const int64_t each = tiles_of_entry(rows);
    return task(number / each, number % each * rows, kv_head);
  }
  __device__ AttentionTask<Keys> token(int64_t number, int64_t kv_head) const {
    return task(number / args.q_tokens, number % args.q_tokens * group(), kv_head);
  }

 private:
  __device__ AttentionTask<Keys> task(int64_t entry, int64_t row, int64_t kv_head) const {
    const int64_t before = entry * args.q_tokens * args.heads, kv_at = entry * args.kv_batch_stride + kv_head * args.dim;
    return {.queries = {.heads = args.heads,
                        .group = group(),
                        .tokens = args.q_tokens,
                        .keys = args.kv_tokens,
                        .dim = args.dim,
                        .scale = args.scale,
                        .q = args.q + before * args.dim,
                        .cos = nullptr,
                        .sin = nullptr,
                        .out = args.out + before * args.dim,
                        .lse = args.lse ? args.lse + before : nullptr,
                        .parts = parts ? parts + before * kMostSpans * (args.dim + 2) : nullptr},
            .keys = {args.k + kv_at, args.v + kv_at, args.kv_heads * args.dim, static_cast<int>(args.dim)},
            .row = row,
            .valid = true};
  }
};

template <bool kInQuads>
void attend(const Exec& exec, const AttentionArgs& args) {
  constexpr const char* kName = "attention";
  const int64_t group = args.heads / args.kv_heads, in_whole_tiles = args.q_tokens * group / kPanelRows * kPanelRows;
  const DensePass<kInQuads> pass = {args, group, nullptr};
  if (enough_for_tiles(exec, pass, args.batch * in_whole_tiles)) {
    attend_by_tiles(exec, pass, kName);
  } else {
    attend_by_tokens(exec, pass, args.batch * args.q_tokens, args.kv_tokens, kName);
  }
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
