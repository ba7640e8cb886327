// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention over keys and values in pages, for the sequences of one pass (attention_tile.cuh does
// the arithmetic), and the table of the family.
#include "devices/cuda/attention_entries.h"
#include "devices/cuda/attention_launch.cuh"
#include "devices/cuda/decode_attention.h"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/kv_blocks.cuh"
#include "devices/cuda/paged_pass.cuh"
#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

// Whether wide tiles of so many rows of a key head would occupy much of the device.
bool enough_for_wide_tiles(const Exec& exec, const PagedAttentionArgs& args) {
  const int64_t group = args.heads / args.kv.kv_heads, longest = args.batch.rows - args.batch.sequences + 1;
  return longest * group >= kWideFrom &&
         args.batch.rows * group / kWideFrom * args.kv.kv_heads * 4 >= multiprocessors(exec);
}

template <KvType type>
void attend(const Exec& exec, const PagedAttentionArgs& args) {
  constexpr const char* kName = "paged_attention";
  const PagedBatch& batch = args.batch;
  const int64_t dim = args.kv.dim, group = args.heads / args.kv.kv_heads;
  const bool single = batch.rows == batch.sequences;
  const bool wide = !single && enough_for_wide_tiles(exec, args);
  const int64_t most_rows = single ? group : kWideFrom - 1;  // of narrow sequences, where there is a most
  const PagedPass<type> pass = {args,
                                Divisor(args.kv.page_tokens),
                                Divisor(group),
                                Divisor(ceil_div(most_rows, kNarrowRows)),
                                in_quads(dim / 2, 0, args.q, batch.cos, batch.sin),
                                single,
                                wide ? kWideFrom : PagedPass<type>::kNone};
  if (wide) attend_by_wide_tiles(exec, pass, kName);
  if (!wide || batch.sequences > 1) attend_by_narrow_tiles(exec, pass, single ? group : batch.rows * group, kName);
}

size_t kv_block_bytes(KvType type, int64_t tokens, int64_t dim) noexcept {
  return static_cast<size_t>(KvBlock{type, tokens, dim}.bytes());
}

}  // namespace

void paged_attention(const Exec& exec, const PagedAttentionArgs& args) noexcept {
  PagedAttentionArgs attending = args;
  if (args.k && (args.batch.rows != args.batch.sequences || args.heads == 0)) {
    kv_append(exec, {args.kv, args.batch, args.k, args.v});
    attending.k = attending.v = nullptr;
  }
  if (args.batch.rows == 0 || args.heads == 0) return;
  if (decode_attention(exec, attending)) return;
  with_kv_type(args.kv.type, [&](auto type) { attend<decltype(type)::value>(exec, attending); });
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
