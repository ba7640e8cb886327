// SPDX-License-Identifier: Apache-2.0
// Which pages hold the keys and values of which beginnings of texts.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tern/model.h"

namespace tern {

// A tree of pages: a page under another continues its text. Found by a hash of parent and tokens, and by comparing
// these. The index holds one reference to each of its pages; a page that nobody else holds can be evicted, the least
// recently used one first, what continues it before itself.
class PrefixIndex {
 public:
  using Node = int32_t;
  static constexpr Node kRoot = -1;  // the empty text

  struct Partial {
    int32_t page = -1;
    int64_t tokens = 0;
  };

  explicit PrefixIndex(KvPool& pool) : pool_(pool) {}

  // The full page under `parent` with exactly these tokens (page_tokens of them).
  std::optional<Node> find(Node parent, std::span<const int32_t> ids);
  int32_t page(Node node) const { return nodes_[static_cast<size_t>(node)].page; }
  // The page under `parent` that begins with the most of these tokens; 0 tokens for none.
  Partial longest(Node parent, std::span<const int32_t> ids);
  // Takes up a page with 1 to page_tokens tokens and retains it, unless there is one with these tokens: then that one's
  // node. A node with fewer than page_tokens tokens has no pages under it.
  Node insert(Node parent, std::span<const int32_t> ids, int32_t page);

  // Gives up one page; false if all are held by others, too.
  bool evict();
  // How often evict() could be called in a row.
  int64_t evictable() const;
  int64_t size() const { return static_cast<int64_t>(by_key_.size()); }

 private:
  struct Entry {
    Node parent = kRoot;
    int32_t page = -1;
    uint64_t key = 0;
    uint64_t used = 0;  // when; later is larger
    std::vector<int32_t> ids;
    std::vector<Node> children;
  };

  static uint64_t hash(Node parent, std::span<const int32_t> ids);
  std::optional<Node> lookup(uint64_t key, Node parent, std::span<const int32_t> ids) const;
  Entry& entry(Node node) { return nodes_[static_cast<size_t>(node)]; }
  std::vector<Node>& children(Node node) { return node == kRoot ? root_children_ : entry(node).children; }
  void touch(Node node);
  Node new_node();
  void remove(Node node);

  KvPool& pool_;
  std::vector<Entry> nodes_;
  std::vector<Node> unused_;
  std::vector<Node> root_children_;
  std::unordered_multimap<uint64_t, Node> by_key_;
  std::set<std::pair<uint64_t, Node>> leaves_;  // by time of use
  uint64_t clock_ = 0;
};

}  // namespace tern
