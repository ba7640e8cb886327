// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention over tensors (attention_tile.cuh does the arithmetic).
#include "devices/cuda/attention_entries.h"
#include "devices/cuda/attention_launch.cuh"

namespace tern::cuda {
namespace {

// The keys and values of one head as tensors [keys, kv_heads, dim].
template <bool kInQuads, bool kPacked_>
struct DenseKeys {
  using Place = int64_t;
  static constexpr bool kHalves = false, kPacked = kPacked_;

  const float *k, *v;
  int64_t stride;
  int columns;
  const std::byte *packed_keys, *packed_values;  // panels, or null

  __device__ int dim() const { return columns; }
  __device__ const void* packed(bool values) const { return values ? packed_values : packed_keys; }
  __device__ Place place(int key) const { return key * stride; }
  __device__ float4 quad(Place at, bool values, int column) const {
    return row_quad<kInQuads>((values ? v : k) + at, column, columns);
  }
};

template <bool kInQuads, bool kPacked>
struct DensePass {
  using Keys = DenseKeys<kInQuads, kPacked>;

  AttentionArgs args;
  Divisor group;
  bool queries_in_quads;
  const std::byte* packed;  // [batch, kv_heads, keys and values, panels], or null
  int64_t packed_bytes;     // of the panels of a head's keys, or values

  __host__ __device__ int64_t kv_heads() const { return args.kv_heads; }
  __host__ __device__ int64_t dim() const { return args.dim; }
  __host__ __device__ int64_t tiles_of_entry(int rows) const { return ceil_div(args.q_tokens * group.divisor(), rows); }
  int64_t wide_tiles(int rows) const { return args.batch * tiles_of_entry(rows); }

  // Entry by entry within tiles that see about as much.
  __device__ AttentionTask<Keys> wide_tile(int64_t number, int rows, int64_t kv_head) const {
    const int64_t entry = number % args.batch, row = number / args.batch * rows;
    const std::byte* const panels = packed + (entry * args.kv_heads + kv_head) * 2 * packed_bytes;
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
            .keys = {args.k + kv_at, args.v + kv_at, args.kv_heads * args.dim, static_cast<int>(args.dim), panels,
                     panels + packed_bytes},
            .row = row,
            .first_head = kv_head * group.divisor(),
            .valid = true};
  }
};

constexpr int kPackThreads = 256;

// Splits the keys and values of all heads, once for all tiles.
template <bool kInQuads, int kSlice>
__global__ void __launch_bounds__(kPackThreads)
    pack_panels(const __grid_constant__ AttentionArgs args, PackedPanel<kSlice>* packed) {
  const int64_t panels = ceil_div(args.kv_tokens, kPanelRows), count = args.batch * args.kv_heads * 2 * panels;
  const int dim = static_cast<int>(args.dim);
  for (int64_t i = blockIdx.x; i < count; i += gridDim.x) {
    const int64_t first = i % panels * kPanelRows, side = i / panels, line = side / 2;
    const float* const x = (side % 2 != 0 ? args.v : args.k) + line / args.kv_heads * args.kv_batch_stride +
                           line % args.kv_heads * args.dim;
    SplitRows<kPanelRows, kSlice, kPackThreads> rows;
    rows.load([&](int row) { return x + (first + row) * args.kv_heads * args.dim; },
              [&](const float* at, int row, int column) {
                return first + row < args.kv_tokens && column < dim ? row_quad<kInQuads>(at, column, dim)
                                                                    : float4{0, 0, 0, 0};
              });
    rows.template store<kPanelRows>(0, packed[i].rows[0], packed[i].rows[1], packed[i].units);
  }
}

// Heads of up to kLargestSlice elements whose keys more than one tile meets are packed.
constexpr int64_t kLargestSlice = 128;

bool is_packed(const AttentionArgs& args) {
  return args.dim <= kLargestSlice && args.q_tokens * (args.heads / args.kv_heads) > kGroupRows;
}

template <bool kInQuads>
void attend(const Exec& exec, const AttentionArgs& args) {
  constexpr const char* kName = "attention";
  const Divisor group(args.heads / args.kv_heads);
  const bool queries_in_quads = in_quads(args.dim, 0, args.q);
  if (!is_packed(args)) {
    attend_by_wide_tiles(exec, DensePass<kInQuads, false>{args, group, queries_in_quads, nullptr, 0}, kName);
    return;
  }
  const int64_t panels = ceil_div(args.kv_tokens, kPanelRows), count = args.batch * args.kv_heads * 2 * panels;
  const int64_t bytes = static_cast<int64_t>(args.dim <= 64 ? sizeof(PackedPanel<64>) : sizeof(PackedPanel<128>));
  const Room room(exec, static_cast<size_t>(count * bytes), kName);
  if (!room) return;
  const auto pack = [&](auto slice) {
    constexpr int kSlice = decltype(slice)::value;
    pack_panels<kInQuads, kSlice>
        <<<blocks_for(count, 1), kPackThreads, 0, stream_of(exec)>>>(args, room.as<PackedPanel<kSlice>>());
    launched(exec, kName);
  };
  if (args.dim <= 64) {
    pack(std::integral_constant<int, 64>());
  } else {
    pack(std::integral_constant<int, 128>());
  }
  attend_by_wide_tiles(
      exec, DensePass<kInQuads, true>{args, group, queries_in_quads, room.as<std::byte>(), panels * bytes}, kName);
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
