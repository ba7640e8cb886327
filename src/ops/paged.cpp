// SPDX-License-Identifier: Apache-2.0
#include "ops/paged.h"

#include <algorithm>
#include <vector>

#include "ops/call.h"
#include "ops/checks.h"
#include "ops/copy.h"

namespace tern {
namespace {

// Of pages, layers, heads, their extent and tokens of a page: page numbers are i32.
constexpr int64_t kMostNumber = INT32_MAX;
// Room for shared scores beyond this is not made: so many rows keep all threads busy by themselves.
constexpr int64_t kMostScores = int64_t{4} << 20;

KvPages pages_of(const PagedKv& kv, int64_t layer) {
  return {.type = kv.type,
          .kv_heads = kv.kv_heads,
          .dim = kv.head_dim,
          .page_tokens = kv.page_tokens,
          .page_stride = static_cast<size_t>(kv.page_bytes),
          .data = static_cast<std::byte*>(kv.bytes.raw()) + layer * (kv.page_bytes / kv.layers)};
}

PagedBatch batch_of(const PagedPass& pass) {
  return {.sequences = pass.sequences.size(0),
          .rows = pass.rows,
          .sequence = static_cast<const PagedSequence*>(pass.sequences.raw()),
          .pages = pass.pages.data<int32_t>(),
          .cos = pass.cos.data<float>(),
          .sin = pass.sin.data<float>()};
}

void check_sequence(const PagedKv& kv, const PagedRows& s, int64_t positions) {
  const int64_t end = s.length + s.rows;
  check(s.rows >= 1 && s.length >= 0, "paged pass",
        "expected at least one row after at least 0 tokens, got {} after {}", s.rows, s.length);
  check(end <= std::min(positions, kMostKeys), "paged pass", "expected a sequence of at most {} tokens, got {}",
        std::min(positions, kMostKeys), end);
  const int64_t pages = pages_for(end, kv.page_tokens);
  check(std::ssize(s.pages) >= pages, "paged pass", "expected {} pages for {} tokens, got {}", pages, end,
        s.pages.size());
  for (const int32_t page : s.pages) {
    check(page >= 0 && page < kv.pages, "paged pass", "expected pages in [0, {}), got {}", kv.pages, page);
  }
}

void check_operands(const char* op, const PagedKv& kv, int64_t layer, const PagedPass& pass, const Input& x,
                    int64_t heads) {
  check_inputs(op, {{"kv", kv.bytes}, {"pass", pass.sequences}, x});
  check_inputs(op, DType::f32, {x});
  check(layer >= 0 && layer < kv.layers, op, "expected a layer in [0, {}), got {}", kv.layers, layer);
  check_shape(op, x, Shape{pass.rows, heads * kv.head_dim});
}

// k and v: of this pass, to be stored first, or null.
Tensor attend(const PagedKv& kv, int64_t layer, const PagedPass& pass, const Tensor& q, const float* k, const float* v,
              float scale) {
  const Tensor queries = dense(q);
  const Tensor out = Tensor::empty(q.shape(), DType::f32, q.device());
  call(q.device(), &Kernels::paged_attention,
       {.kv = pages_of(kv, layer),
        .batch = batch_of(pass),
        .heads = pass.heads,
        .q = queries.data<float>(),
        .k = k,
        .v = v,
        .scale = scale,
        .out = out.data<float>(),
        .scores = pass.scores.defined() ? pass.scores.data<float>() : nullptr});
  return out;
}

}  // namespace

int64_t kv_page_bytes(KvType type, int64_t layers, int64_t kv_heads, int64_t head_dim, int64_t page_tokens,
                      const Device& device) {
  for (const int64_t number : {layers, kv_heads, head_dim, page_tokens}) {
    check(number >= 1 && number <= kMostNumber, "kv pages",
          "expected layers, heads, their extent and tokens of a page in [1, {}], got {}, {}, {} and {}", kMostNumber,
          layers, kv_heads, head_dim, page_tokens);
  }
  check(head_dim % 2 == 0 && head_dim <= kLargestHead && page_tokens <= kMostKeys, "kv pages",
        "expected an even head extent of at most {} and pages of at most {} tokens, got {} and {}", kLargestHead,
        kMostKeys, head_dim, page_tokens);
  auto bytes = static_cast<int64_t>(device.backend().kernels().kv_block_bytes(type, page_tokens, head_dim));
  check(!__builtin_mul_overflow(bytes, 2 * kv_heads, &bytes) && !__builtin_mul_overflow(bytes, layers, &bytes),
        "kv pages", "expected pages that fit into memory, got one of {} tokens", page_tokens);
  return bytes;
}

PagedKv make_paged_kv(KvType type, int64_t pages, int64_t layers, int64_t kv_heads, int64_t head_dim,
                      int64_t page_tokens, const Device& device) {
  check(pages >= 1 && pages <= kMostNumber, "kv pages", "expected pages in [1, {}], got {}", kMostNumber, pages);
  const int64_t page_bytes = kv_page_bytes(type, layers, kv_heads, head_dim, page_tokens, device);
  int64_t all = 0;
  check(!__builtin_mul_overflow(page_bytes, pages, &all), "kv pages",
        "expected pages that fit into memory, got {} of {} tokens", pages, page_tokens);
  return {type, pages, layers, kv_heads, head_dim, page_tokens, page_bytes, Tensor::empty({all}, DType::u8, device)};
}

PagedPass make_paged_pass(const PagedKv& kv, std::span<const PagedRows> sequences, int64_t heads, const Tensor& cos,
                          const Tensor& sin) {
  check_inputs("paged pass", DType::f32, {{"cos", cos}, {"sin", sin}});
  check_rank("paged pass", {"cos", cos}, 2);
  check_shape("paged pass", {"cos", cos}, Shape{cos.shape()[0], kv.head_dim / 2});
  check_shape("paged pass", {"sin", sin}, cos.shape());
  check(heads >= 1 && heads % kv.kv_heads == 0, "paged pass", "expected a multiple of {} heads, got {}", kv.kv_heads,
        heads);
  std::vector<int64_t> numbers;  // PagedSequence
  std::vector<int32_t> tables;
  int64_t rows = 0, scores = 0;
  for (const PagedRows& s : sequences) {
    check_sequence(kv, s, cos.shape()[0]);
    numbers.insert(numbers.end(), {rows, s.rows, s.length, std::ssize(tables)});
    tables.insert(tables.end(), s.pages.begin(), s.pages.begin() + pages_for(s.length + s.rows, kv.page_tokens));
    rows += s.rows;
    scores += std::min(heads * s.rows * (s.length + s.rows + 32), kMostScores + 1);
  }
  const Device& device = kv.bytes.device();
  const auto count = static_cast<int64_t>(sequences.size());
  static_assert(sizeof(PagedSequence) == 4 * sizeof(int64_t));
  return {.sequences = Tensor::from(numbers, {count, 4}, device),
          .pages = Tensor::from(tables, {std::ssize(tables)}, device),
          .cos = dense(cos),
          .sin = dense(sin),
          .scores = scores <= kMostScores ? Tensor::empty({scores}, DType::f32, device) : Tensor(),
          .rows = rows,
          .heads = heads};
}

void kv_append(const PagedKv& kv, int64_t layer, const PagedPass& pass, const Tensor& k, const Tensor& v) {
  check_operands("kv_append", kv, layer, pass, {"k", k}, kv.kv_heads);
  check_operands("kv_append", kv, layer, pass, {"v", v}, kv.kv_heads);
  const Tensor keys = dense(k), values = dense(v);
  call(kv.bytes.device(), &Kernels::kv_append,
       {.kv = pages_of(kv, layer), .batch = batch_of(pass), .k = keys.data<float>(), .v = values.data<float>()});
}

Tensor paged_attention(const PagedKv& kv, int64_t layer, const PagedPass& pass, const Tensor& q, float scale) {
  check_operands("paged_attention", kv, layer, pass, {"q", q}, pass.heads);
  return attend(kv, layer, pass, q, nullptr, nullptr, scale);
}

Tensor append_and_attend(const PagedKv& kv, int64_t layer, const PagedPass& pass, const Tensor& q, const Tensor& k,
                         const Tensor& v, float scale) {
  constexpr const char* kOp = "append_and_attend";
  check_operands(kOp, kv, layer, pass, {"q", q}, pass.heads);
  check_operands(kOp, kv, layer, pass, {"k", k}, kv.kv_heads);
  check_operands(kOp, kv, layer, pass, {"v", v}, kv.kv_heads);
  const Tensor keys = dense(k), values = dense(v);
  return attend(kv, layer, pass, q, keys.data<float>(), values.data<float>(), scale);
}

}  // namespace tern
