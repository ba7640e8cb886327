// SPDX-License-Identifier: Apache-2.0
// The tiles of paged attention: where the keys and values of a sequence's head are, and what its queries are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "devices/cuda/attention_launch.cuh"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/kv_blocks.cuh"
#include "devices/cuda/kv_write.cuh"

namespace tern::cuda {

// The keys and values of one head of one sequence.
template <KvType type>
struct PagedKeys {
  struct Place {
    std::byte *codes, *scales;  // of the key
  };
  static constexpr bool kHalves = type == KvType::f16, kPacked = false;

  KvBlock block;
  Divisor page_tokens;
  std::byte* keys;  // the head's block in page 0
  int64_t page_stride;
  int64_t to_values;  // from a block of keys to the one of values
  const int32_t* pages;
  const float *new_key, *new_value;  // of this pass, to be stored

  __device__ int dim() const { return static_cast<int>(block.dim); }
  __device__ int row_bytes() const { return static_cast<int>(block.codes()); }

  __device__ Place place(int key) const {
    const int64_t page = page_tokens.small_quotient(key), slot = key - page * page_tokens.divisor();
    std::byte* const bytes = keys + pages[page] * page_stride;
    return {bytes + block.codes_at(slot), bytes + block.scales_at(slot)};
  }
  __device__ const std::byte* copied(int key) const { return place(key).codes; }
  // Stores a key or a value of this pass, by a warp.
  template <class Put>
  __device__ void append(const Place& at, const float* cos, const float* sin, bool value, const Put& put) const {
    const HeadRow x = {value ? new_value : new_key, value ? nullptr : cos, value ? nullptr : sin, dim()};
    const int64_t offset = value ? to_values : 0;
    write_kv<type>(block, at.codes + offset, at.scales + offset, x, put);
  }
  __device__ float4 quad(const Place& at, bool values, int column) const {
    const int64_t offset = values ? to_values : 0;
    return read_kv_quad<type>(at.codes + offset, at.scales + offset, column);
  }
};

template <KvType type>
struct PagedPass {
  using Keys = PagedKeys<type>;

  PagedAttentionArgs args;
  Divisor page_tokens, group_of;
  Divisor narrow_tiles_of_each;
  bool queries_in_quads;
  bool single;        // one row of each sequence
  int64_t wide_from;  // rows of a key head from which a sequence goes by wide
                      // tiles, else by narrow ones

  __host__ __device__ int64_t kv_heads() const { return args.kv.kv_heads; }
  __host__ __device__ int64_t group() const { return group_of.divisor(); }
  __host__ __device__ int64_t dim() const { return args.kv.dim; }
  __host__ __device__ bool appends() const { return args.k != nullptr; }
  __device__ bool is_wide(const PagedSequence& s) const { return s.rows * group() >= wide_from; }

  int64_t wide_tiles(int rows) const { return tiles(rows); }
  __device__ AttentionTask<Keys> wide_tile(int64_t number, int rows, int64_t kv_head) const {
    return tile(number, rows, kv_head, true);
  }

  // Those of sequences below wide_from, where there is such a number, are few enough to have room for as many of each.
  __host__ __device__ bool has_even_tiles() const { return single || wide_from != kNone; }
  int64_t narrow_tiles(int rows) const {
    return has_even_tiles() ? args.batch.sequences * narrow_tiles_of_each.divisor() : tiles(rows);
  }
  __device__ AttentionTask<Keys> narrow_tile(int64_t number, int rows, int64_t kv_head) const {
    if (!has_even_tiles()) return tile(number, rows, kv_head, false);
    const int64_t i = narrow_tiles_of_each.quotient(number);
    const PagedSequence s = args.batch.sequence[i];
    return task(s, (number - i * narrow_tiles_of_each.divisor()) * rows, kv_head, !is_wide(s));
  }

  static constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

 private:
  // The tiles of sequence i start with number i + row·group / rows, which leaves room for its last one.
  int64_t tiles(int rows) const { return args.batch.sequences + args.batch.rows * group() / rows; }
  __device__ AttentionTask<Keys> tile(int64_t number, int rows, int64_t kv_head, bool wide) const {
    const auto first = [&](int64_t i, const PagedSequence& s) { return i + s.row * group() / rows; };
    const int64_t i =
        last_sequence(args.batch, [&](int64_t n, const PagedSequence& s) { return first(n, s) <= number; });
    const PagedSequence& s = args.batch.sequence[i];
    return task(s, (number - first(i, s)) * rows, kv_head, is_wide(s) == wide);
  }

  __device__ AttentionTask<Keys> task(const PagedSequence& s, int64_t row, int64_t kv_head, bool valid) const {
    const KvPages& kv = args.kv;
    const KvBlock block = {type, kv.page_tokens, kv.dim};
    const int64_t before = s.row * args.heads, kv_before = (s.row * kv.kv_heads + kv_head) * kv.dim,
                  turn = s.length * (kv.dim / 2);
    return {.queries = {.heads = args.heads,
                        .tokens = s.rows,
                        .keys = s.length + s.rows,
                        .dim = kv.dim,
                        .group = group_of,
                        .scale = args.scale,
                        .in_quads = queries_in_quads,
                        .q = args.q + before * kv.dim,
                        .cos = args.batch.cos + turn,
                        .sin = args.batch.sin + turn,
                        .out = args.out + before * kv.dim,
                        .lse = nullptr},
            .keys = {block, page_tokens, kv_block(kv, block, 0, false, kv_head), static_cast<int64_t>(kv.page_stride),
                     kv.kv_heads * block.bytes(), args.batch.pages + s.table, args.k + kv_before, args.v + kv_before},
            .row = row,
            .first_head = kv_head * group(),
            .valid = valid && row < s.rows * group()};
  }
};

}  // namespace tern::cuda
