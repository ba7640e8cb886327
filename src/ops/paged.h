// SPDX-License-Identifier: Apache-2.0
// Keys and values in pages, and what a pass over several sequences does with them (kernels.h, KvPages to
// PagedAttentionArgs). Not differentiable.
#pragma once

#include <cstdint>
#include <span>

#include "tern/kv_type.h"
#include "tern/tensor.h"

namespace tern {

// Pages of page_tokens tokens, each with the keys and values of all layers.
struct PagedKv {
  KvType type = KvType::f32;
  int64_t pages = 0, layers = 0, kv_heads = 0, head_dim = 0, page_tokens = 0;
  int64_t page_bytes = 0;
  Tensor bytes;  // u8 [pages · page_bytes]
};

// How many pages of page_tokens tokens hold so many tokens.
constexpr int64_t pages_for(int64_t tokens, int64_t page_tokens) { return (tokens + page_tokens - 1) / page_tokens; }

// Bytes of a page on a device. Throws Error when a number is below 1 or a page does not fit into memory.
int64_t kv_page_bytes(KvType type, int64_t layers, int64_t kv_heads, int64_t head_dim, int64_t page_tokens,
                      const Device& device);

// Throws Error as kv_page_bytes, and when there are no pages or they do not fit into memory.
PagedKv make_paged_kv(KvType type, int64_t pages, int64_t layers, int64_t kv_heads, int64_t head_dim,
                      int64_t page_tokens, const Device& device);

// One sequence's share of a pass: `rows` tokens after `length` others, in these pages.
struct PagedRows {
  int64_t rows, length;
  std::span<const int32_t> pages;
};

// The same for all sequences, on the device; made once for all layers.
struct PagedPass {
  Tensor sequences, pages;  // PagedSequence [sequences], i32
  Tensor cos, sin;          // f32 [positions, head_dim/2]
  Tensor scores;            // room for PagedAttentionArgs::scores, may be undefined
  int64_t rows = 0;         // of all sequences
  int64_t heads = 0;        // of queries
};

// Throws Error when a sequence has no row, a page that is not there or too few, or more tokens than cos has rows.
PagedPass make_paged_pass(const PagedKv& kv, std::span<const PagedRows> sequences, int64_t heads, const Tensor& cos,
                          const Tensor& sin);

// Rotates k and stores it and v, f32 [rows, kv_heads·head_dim], in one layer of the pages.
void kv_append(const PagedKv& kv, int64_t layer, const PagedPass& pass, const Tensor& k, const Tensor& v);
// Rotates q, f32 [rows, heads·head_dim], and lets each row attend to its sequence up to itself: the same shape.
Tensor paged_attention(const PagedKv& kv, int64_t layer, const PagedPass& pass, const Tensor& q, float scale);
// kv_append, then paged_attention: the same bits.
Tensor append_and_attend(const PagedKv& kv, int64_t layer, const PagedPass& pass, const Tensor& q, const Tensor& k,
                         const Tensor& v, float scale);

}  // namespace tern
