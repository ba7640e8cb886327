// SPDX-License-Identifier: Apache-2.0
#include "grammar/token_masks.h"

#include <algorithm>
#include <utility>

namespace tern {
namespace {

// Remembered masks, for all of which at most about this many bytes are used.
constexpr size_t kMaskBytes = size_t{16} << 20;

}  // namespace

template <class Visit>
void TokenMasks::descend(StateTable& states, uint32_t begin, uint32_t end, const Visit& visit) {
  const std::span<const TokenTrie::Node> trie = trie_->nodes();
  for (uint32_t i = begin; i < end && i + 1 < trie.size();) {
    const TokenTrie::Node& node = trie[i];
    const uint32_t state = states.step(path_[node.depth - 1], node.byte);
    if (state == StateTable::kDead) {
      i = node.next;
      continue;
    }
    path_[node.depth] = state;
    visit(i, state);
    ++i;
  }
}

TokenMasks::TokenMasks(std::shared_ptr<const TokenTrie> trie) : trie_(std::move(trie)), path_(trie_->longest() + 1) {}

void TokenMasks::allowed(StateTable& states, uint32_t state, TokenMask& mask) {
  const auto found = of_states_.find(state);
  if (found != of_states_.end()) {
    mask = found->second;
    return;
  }
  mask = TokenMask(trie_->vocab_size());
  compute(states, state, mask);
  if (of_states_.size() * mask.words().size_bytes() >= kMaskBytes / 4) of_states_.clear();
  of_states_.emplace(state, mask);
}

void TokenMasks::compute(StateTable& states, uint32_t state, TokenMask& mask) {
  if (states.can_end(state)) {
    for (const int32_t id : trie_->eos()) mask.set(id);
  }
  const std::span<const Frame> own = states.frames(state);
  std::vector<Frame> frames(own.begin(), own.end());
  std::sort(frames.begin(), frames.end(),
            [](const Frame& a, const Frame& b) { return std::pair(a.stack, a.node) < std::pair(b.stack, b.node); });
  for (auto begin = frames.begin(), end = begin; begin != frames.end(); begin = end) {
    end = std::find_if(begin, frames.end(), [&](const Frame& frame) { return frame.stack != begin->stack; });
    if (!add_group(states, {begin, end}, mask)) return walk(states, 0, state, mask);
  }
}

bool TokenMasks::add_group(StateTable& states, std::span<const Frame> group, TokenMask& mask) {
  const uint32_t stack = group[0].stack;
  const LocalMask& local = local_mask(states, group);
  if (states.stack_depth(stack) + local.depth >= StateTable::kDeepest) return false;
  const uint32_t behind = states.after_return(stack);
  if (behind == StateTable::kDead || states.is_cut(behind)) return false;
  mask |= local.tokens;
  for (const uint32_t node : local.returns) walk(states, node, behind, mask);
  return true;
}

const TokenMasks::LocalMask& TokenMasks::local_mask(StateTable& states, std::span<const Frame> group) {
  std::vector<uint32_t> nodes;
  for (const Frame& frame : group) nodes.push_back(frame.node);
  if (const auto found = of_nodes_.find(nodes); found != of_nodes_.end()) return found->second;

  LocalMask local{TokenMask(trie_->vocab_size()), {}, 0};
  path_[0] = states.local_start(nodes);
  const std::span<const TokenTrie::Node> trie = trie_->nodes();
  descend(states, 1, static_cast<uint32_t>(trie.size()), [&](uint32_t node, uint32_t state) {
    for (const int32_t id : trie_->tokens(node)) local.tokens.set(id);
    if (states.returns(state) && trie[node].next > node + 1) local.returns.push_back(node);
    local.depth = std::max(local.depth, states.depth(state));
  });
  const size_t bytes = local.tokens.words().size_bytes() + local.returns.size() * sizeof(uint32_t);
  if (of_nodes_.size() * (bytes + 1) >= kMaskBytes) of_nodes_.clear();
  return of_nodes_.emplace(std::move(nodes), std::move(local)).first->second;
}

void TokenMasks::walk(StateTable& states, uint32_t below, uint32_t state, TokenMask& mask) {
  const std::span<const TokenTrie::Node> trie = trie_->nodes();
  path_[trie[below].depth] = state;
  descend(states, below + 1, trie[below].next, [&](uint32_t node, uint32_t) {
    for (const int32_t id : trie_->tokens(node)) mask.set(id);
  });
}

}  // namespace tern
