// SPDX-License-Identifier: Apache-2.0
#include "engine/prefix_index.h"

#include <algorithm>

#include "base/random.h"

namespace tern {

uint64_t PrefixIndex::hash(Node parent, std::span<const int32_t> ids) {
  uint64_t key = static_cast<uint64_t>(parent);
  for (const int32_t id : ids) key = random_bits(key, static_cast<uint64_t>(id));
  return key;
}

std::optional<PrefixIndex::Node> PrefixIndex::lookup(uint64_t key, Node parent, std::span<const int32_t> ids) const {
  const auto [begin, end] = by_key_.equal_range(key);
  for (auto it = begin; it != end; ++it) {
    const Entry& found = nodes_[static_cast<size_t>(it->second)];
    if (found.parent == parent && std::ranges::equal(found.ids, ids)) return it->second;
  }
  return std::nullopt;
}

std::optional<PrefixIndex::Node> PrefixIndex::find(Node parent, std::span<const int32_t> ids) {
  const std::optional<Node> node = lookup(hash(parent, ids), parent, ids);
  if (node) touch(*node);
  return node;
}

PrefixIndex::Partial PrefixIndex::longest(Node parent, std::span<const int32_t> ids) {
  Node best = kRoot;
  int64_t tokens = 0;
  for (const Node child : children(parent)) {
    const auto [end, ignored] = std::ranges::mismatch(ids, entry(child).ids);
    if (end - ids.begin() > tokens) {
      tokens = end - ids.begin();
      best = child;
    }
  }
  if (tokens == 0) return {};
  touch(best);
  return {page(best), tokens};
}

PrefixIndex::Node PrefixIndex::insert(Node parent, std::span<const int32_t> ids, int32_t page) {
  const uint64_t key = hash(parent, ids);
  if (const std::optional<Node> node = lookup(key, parent, ids)) {
    touch(*node);
    return *node;
  }
  const Node node = new_node();
  pool_.retain(page);
  entry(node) = {parent, page, key, ++clock_, {ids.begin(), ids.end()}, {}};
  if (parent != kRoot && entry(parent).children.empty()) leaves_.erase({entry(parent).used, parent});
  children(parent).push_back(node);
  by_key_.emplace(key, node);
  leaves_.emplace(entry(node).used, node);
  return node;
}

void PrefixIndex::touch(Node node) {
  Entry& touched = entry(node);
  const bool leaf = touched.children.empty();
  if (leaf) leaves_.erase({touched.used, node});
  touched.used = ++clock_;
  if (leaf) leaves_.emplace(touched.used, node);
}

PrefixIndex::Node PrefixIndex::new_node() {
  if (unused_.empty()) {
    nodes_.emplace_back();
    return static_cast<Node>(nodes_.size() - 1);
  }
  const Node node = unused_.back();
  unused_.pop_back();
  return node;
}

void PrefixIndex::remove(Node node) {
  const Entry gone = std::move(entry(node));
  leaves_.erase({gone.used, node});
  const auto [begin, end] = by_key_.equal_range(gone.key);
  by_key_.erase(std::find_if(begin, end, [&](const auto& item) { return item.second == node; }));
  std::erase(children(gone.parent), node);
  if (gone.parent != kRoot && children(gone.parent).empty()) leaves_.emplace(entry(gone.parent).used, gone.parent);
  pool_.release(gone.page);
  unused_.push_back(node);
}

bool PrefixIndex::evict() {
  const auto oldest =
      std::ranges::find_if(leaves_, [&](const auto& leaf) { return pool_.references(entry(leaf.second).page) == 1; });
  if (oldest == leaves_.end()) return false;
  remove(oldest->second);
  return true;
}

// Who holds a page holds those before it: what only the index holds is a subtree's end.
int64_t PrefixIndex::evictable() const {
  int64_t count = 0;
  for (const auto& [key, node] : by_key_) count += pool_.references(page(node)) == 1 ? 1 : 0;
  return count;
}

}  // namespace tern
