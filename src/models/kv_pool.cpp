// SPDX-License-Identifier: Apache-2.0
#include "models/kv_pool.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/check.h"
#include "tern/ops.h"

namespace tern {
namespace {

// The page's place in the counts, which are above 0.
size_t used(const std::vector<int32_t>& references, int32_t page) {
  check(page >= 0 && page < std::ssize(references), "kv pool", "expected a page in [0, {}), got {}", references.size(),
        page);
  check(references[static_cast<size_t>(page)] > 0, "kv pool", "expected a page in use, got {}, which is free", page);
  return static_cast<size_t>(page);
}

int64_t per_token(int64_t page_bytes, int64_t page_tokens) { return (page_bytes + page_tokens - 1) / page_tokens; }

void check_distinct(std::vector<const KvSequence*> sequences, std::vector<int32_t> written) {
  std::sort(sequences.begin(), sequences.end(), std::less<>());
  check(std::adjacent_find(sequences.begin(), sequences.end()) == sequences.end(), "hidden_states",
        "expected each sequence once, got one twice");
  std::sort(written.begin(), written.end());
  const auto twice = std::adjacent_find(written.begin(), written.end());
  if (twice != written.end()) fail("hidden_states", "expected pages that one sequence writes, got {} in two", *twice);
}

}  // namespace

KvPool::State::State(PagedKv pages) : kv(std::move(pages)), references(static_cast<size_t>(kv.pages)) {
  for (int64_t page = kv.pages; page > 0; --page) free.push_back(static_cast<int32_t>(page - 1));
}

KvPool::KvPool() = default;
KvPool::~KvPool() = default;
KvPool::KvPool(KvPool&&) noexcept = default;
KvPool& KvPool::operator=(KvPool&&) noexcept = default;

KvType KvPool::type() const { return state_->kv.type; }
int64_t KvPool::page_tokens() const { return state_->kv.page_tokens; }
int64_t KvPool::pages() const { return state_->kv.pages; }
int64_t KvPool::free_pages() const { return std::ssize(state_->free); }
int64_t KvPool::bytes() const { return state_->kv.bytes.numel(); }
int64_t KvPool::bytes_per_token() const { return per_token(state_->kv.page_bytes, page_tokens()); }
int64_t KvPool::pages_for(int64_t tokens) const { return tern::pages_for(tokens, page_tokens()); }

int32_t KvPool::acquire() {
  check(!state_->free.empty(), "kv pool", "expected a free page, all {} are in use", pages());
  const int32_t page = state_->free.back();
  state_->free.pop_back();
  state_->references[static_cast<size_t>(page)] = 1;
  return page;
}

void KvPool::retain(int32_t page) { ++state_->references[used(state_->references, page)]; }

void KvPool::release(int32_t page) {
  if (--state_->references[used(state_->references, page)] == 0) state_->free.push_back(page);
}

int64_t KvPool::references(int32_t page) const {
  check(page >= 0 && page < pages(), "kv pool", "expected a page in [0, {}), got {}", pages(), page);
  return state_->references[static_cast<size_t>(page)];
}

void KvPool::copy_page(int32_t from, int32_t to) {
  used(state_->references, from);
  used(state_->references, to);
  if (from == to) return;
  const int64_t bytes = state_->kv.page_bytes;
  assign(slice(state_->kv.bytes, 0, to * bytes, (to + 1) * bytes),
         slice(state_->kv.bytes, 0, from * bytes, (from + 1) * bytes));
}

void KvPool::truncate(KvSequence& sequence, int64_t length) {
  sequence.length = std::min(sequence.length, length);
  while (std::ssize(sequence.pages) > pages_for(sequence.length)) {
    release(sequence.pages.back());
    sequence.pages.pop_back();
  }
}

int64_t Model::kv_bytes_per_token(const KvPoolOptions& options) const {
  const ModelConfig& c = config();
  const int64_t page = kv_page_bytes(options.type, c.num_hidden_layers, c.num_key_value_heads, c.head_dim(),
                                     options.page_tokens, device());
  return per_token(page, options.page_tokens);
}

KvPool Model::make_kv_pool(const KvPoolOptions& options) const {
  const MemoryLabel label("keys and values");
  const ModelConfig& c = config();
  KvPool pool;
  pool.state_ = std::make_unique<KvPool::State>(make_paged_kv(options.type, options.pages, c.num_hidden_layers,
                                                              c.num_key_value_heads, c.head_dim(), options.page_tokens,
                                                              device()));
  return pool;
}

void check_steps(const ModelConfig& config, const Device& device, std::span<const SequenceStep> steps,
                 const PagedKv& kv, std::span<const int32_t> references) {
  constexpr const char* kOp = "hidden_states";
  check(kv.layers == config.num_hidden_layers && kv.kv_heads == config.num_key_value_heads &&
            kv.head_dim == config.head_dim() && kv.bytes.device() == device,
        kOp,
        "expected a pool of this model ({} layers of {} heads of {}, on its device), got {} layers of {} heads of {}",
        config.num_hidden_layers, config.num_key_value_heads, config.head_dim(), kv.layers, kv.kv_heads, kv.head_dim);
  check(!steps.empty(), kOp, "expected at least one sequence, got none");
  std::vector<const KvSequence*> sequences;
  std::vector<int32_t> written;
  for (const SequenceStep& step : steps) {
    check(step.kv != nullptr && !step.ids.empty(), kOp, "expected a sequence and at least one id, got none");
    for (const int32_t id : step.ids) {
      check(id >= 0 && id < config.vocab_size, kOp, "expected ids in [0, {}), got {}", config.vocab_size, id);
    }
    const KvSequence& s = *step.kv;
    const int64_t window = config.max_position_embeddings, count = std::ssize(step.ids);
    check(s.length >= 0 && s.length <= window - count, kOp,
          "expected at most max_position_embeddings = {} tokens, got {} after {}", window, count, s.length);
    const int64_t pages = pages_for(s.length + count, kv.page_tokens);
    check(std::ssize(s.pages) >= pages, kOp, "expected {} pages for {} tokens, got {}", pages, s.length + count,
          s.pages.size());
    for (int64_t i = 0; i < pages; ++i) {
      const int32_t page = s.pages[static_cast<size_t>(i)];
      check(page >= 0 && page < kv.pages && references[static_cast<size_t>(page)] > 0, kOp,
            "expected pages that are in use, got {}", page);
      if (i < s.length / kv.page_tokens) continue;
      check(references[static_cast<size_t>(page)] == 1, kOp,
            "expected to write pages with one reference, got {} with {}", page, references[static_cast<size_t>(page)]);
      written.push_back(page);
    }
    sequences.push_back(&s);
  }
  check_distinct(std::move(sequences), std::move(written));
}

}  // namespace tern
