// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention over keys and values in pages, for the sequences of one pass (attention_tile.cuh does
// the arithmetic), and the table of the family.
#include <limits>

#include "devices/cuda/attention_entries.h"
#include "devices/cuda/attention_tile.cuh"
#include "devices/cuda/kv_blocks.cuh"
#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

// The keys and values of one head of one sequence.
template <KvType type>
struct PagedKeys {
  struct Place {
    const std::byte *codes, *scales;  // of the key
  };

  KvBlock block;
  const std::byte* keys;  // the head's block in page 0
  int64_t page_stride;
  int64_t to_values;  // from a block of keys to the one of values
  const int32_t* pages;

  __device__ Place place(int key) const {
    const int page_tokens = static_cast<int>(block.tokens), slot = key % page_tokens;
    const std::byte* const bytes = keys + pages[key / page_tokens] * page_stride;
    return {bytes + block.codes_at(slot), bytes + block.scales_at(slot)};
  }
  __device__ float4 quad(const Place& at, bool values, int column) const {
    const int64_t offset = values ? to_values : 0;
    return read_kv_quad<type>(at.codes + offset, at.scales + offset, column);
  }
};

template <KvType type>
struct PagedPass {
  using Keys = PagedKeys<type>;
  static constexpr bool kByGeneralShape = false;

  PagedAttentionArgs args;
  int64_t heads_of_group;
  int64_t tiles_from;  // rows of a key head from which a sequence goes by wide tiles, else by tokens
  float* parts;

  __host__ __device__ int64_t kv_heads() const { return args.kv.kv_heads; }
  __host__ __device__ int64_t group() const { return heads_of_group; }
  __host__ __device__ int64_t dim() const { return args.kv.dim; }
  __device__ bool goes_by_tiles(const PagedSequence& s) const { return s.rows * group() >= tiles_from; }

  // The tiles of sequence i start with number i + row·group / rows, which leaves room for its last one.
  int64_t tiles(int rows) const { return args.batch.sequences + args.batch.rows * group() / rows; }
  __device__ AttentionTask<Keys> tile(int64_t number, int rows, int64_t kv_head) const {
    const auto first = [&](int64_t i, const PagedSequence& s) { return i + s.row * group() / rows; };
    const int64_t i = last_sequence(args.batch, [&](int64_t n, const PagedSequence& s) { return first(n, s) <= number; });
    const PagedSequence& s = args.batch.sequence[i];
    const int64_t row = (number - first(i, s)) * rows;
    return task(s, row, kv_head, goes_by_tiles(s) && row < s.rows * group());
  }
  __device__ AttentionTask<Keys> token(int64_t number, int64_t kv_head) const {
    const PagedSequence& s = sequence_of_row(args.batch, number);
    return task(s, (number - s.row) * group(), kv_head, !goes_by_tiles(s));
  }

 private:
  __device__ AttentionTask<Keys> task(const PagedSequence& s, int64_t row, int64_t kv_head, bool valid) const {
    const KvPages& kv = args.kv;
    const KvBlock block = {type, kv.page_tokens, kv.dim};
    const int64_t before = s.row * args.heads, turn = s.length * (kv.dim / 2);
    return {.queries = {.heads = args.heads,
                        .group = group(),
                        .tokens = s.rows,
                        .keys = s.length + s.rows,
                        .dim = kv.dim,
                        .scale = args.scale,
                        .q = args.q + before * kv.dim,
                        .cos = args.batch.cos + turn,
                        .sin = args.batch.sin + turn,
                        .out = args.out + before * kv.dim,
                        .lse = nullptr,
                        .parts = parts ? parts + before * kMostSpans * (kv.dim + 2) : nullptr},
            .keys = {block, kv_block(kv, block, 0, false, kv_head), static_cast<int64_t>(kv.page_stride),
                     kv.kv_heads * block.bytes(), args.batch.pages + s.table},
            .row = row,
            .valid = valid};
  }
};

template <KvType type>
void attend(const Exec& exec, const PagedAttentionArgs& args) {
  constexpr const char* kName = "paged_attention";
  const PagedBatch& batch = args.batch;
  const int64_t group = args.heads / args.kv.kv_heads, longest = batch.rows - batch.sequences + 1;
  PagedPass<type> pass = {args, group, std::numeric_limits<int64_t>::max(), nullptr};
  const bool by_tiles = longest * group >= kPanelRows && enough_for_tiles(exec, pass, batch.rows * group);
  if (by_tiles) pass.tiles_from = kPanelRows;
  if (by_tiles) attend_by_tiles(exec, pass, kName);
  if (!by_tiles || batch.sequences > 1) attend_by_tokens(exec, pass, batch.rows, kMostKeys, kName);
}

size_t kv_block_bytes(KvType type, int64_t tokens, int64_t dim) noexcept {
  return static_cast<size_t>(KvBlock{type, tokens, dim}.bytes());
}

}  // namespace

void paged_attention(const Exec& exec, const PagedAttentionArgs& args) noexcept {
  if (args.batch.rows == 0 || args.heads == 0) return;
  with_kv_type(args.kv.type, [&](auto type) { attend<decltype(type)::value>(exec, args); });
}

namespace {

constexpr AttentionKernels kTable = {.attention = attention,
                                     .attention_backward = attention_backward,
                                     .kv_block_bytes = kv_block_bytes,
                                     .kv_append = kv_append,
                                     .paged_attention = paged_attention};
static_assert(complete(kTable));

}  // namespace

const AttentionKernels kAttention = kTable;

}  // namespace tern::cuda
