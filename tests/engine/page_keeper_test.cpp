// SPDX-License-Identifier: Apache-2.0
#include "engine/page_keeper.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>

#include "engine/request_mix.h"

namespace tern {
namespace {

using Ids = std::vector<int32_t>;

constexpr int64_t kPageTokens = 4;

Ids counting(int64_t from, int64_t count) {
  Ids ids(static_cast<size_t>(count));
  std::iota(ids.begin(), ids.end(), static_cast<int32_t>(from));
  return ids;
}

Ids joined(Ids a, const Ids& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

class Pages : public ::testing::Test {
 protected:
  KvPool make_pool(int64_t pages) const {
    return model.make_kv_pool({.type = KvType::f32, .pages = pages, .page_tokens = kPageTokens});
  }

  // A text that was computed and is gone.
  static void leave(PageKeeper& keeper, const Ids& ids) {
    KeptSequence sequence;
    const auto length = static_cast<int64_t>(ids.size());
    ASSERT_GE(keeper.reserve(sequence, length), length);
    keeper.settle(sequence, length, ids);
    keeper.retire(sequence, ids);
  }

  Model model = testing::tiny_model(1, 64, 1);
};

using PrefixIndexTest = Pages;
using PageKeeperTest = Pages;

TEST_F(PrefixIndexTest, FindsByParentAndTokens) {
  KvPool pool = make_pool(8);
  PrefixIndex index(pool);
  const int32_t a = pool.acquire(), b = pool.acquire(), c = pool.acquire();
  const Ids first = counting(0, 4), second = counting(4, 4);
  const PrefixIndex::Node node_a = index.insert(PrefixIndex::kRoot, first, a);
  const PrefixIndex::Node node_b = index.insert(node_a, second, b);
  EXPECT_EQ(index.find(PrefixIndex::kRoot, first), node_a);
  EXPECT_EQ(index.find(node_a, second), node_b);
  EXPECT_EQ(index.find(PrefixIndex::kRoot, second), std::nullopt);
  EXPECT_EQ(index.find(node_a, first), std::nullopt);
  EXPECT_EQ(index.insert(node_a, second, c), node_b);  // the same text: the first page stays
  EXPECT_EQ(index.page(node_b), b);
  EXPECT_EQ(pool.references(b), 2);
  EXPECT_EQ(pool.references(c), 1);
}

TEST_F(PrefixIndexTest, LongestSharedBeginning) {
  KvPool pool = make_pool(8);
  PrefixIndex index(pool);
  const int32_t a = pool.acquire(), b = pool.acquire();
  index.insert(PrefixIndex::kRoot, Ids{1, 2, 3, 4}, a);
  index.insert(PrefixIndex::kRoot, Ids{1, 2, 9}, b);
  EXPECT_EQ(index.longest(PrefixIndex::kRoot, Ids{1, 2, 3}).tokens, 3);
  EXPECT_EQ(index.longest(PrefixIndex::kRoot, Ids{1, 2, 3}).page, a);
  EXPECT_EQ(index.longest(PrefixIndex::kRoot, Ids{1, 2, 9, 9}).tokens, 3);
  EXPECT_EQ(index.longest(PrefixIndex::kRoot, Ids{1, 2, 9, 9}).page, b);
  EXPECT_EQ(index.longest(PrefixIndex::kRoot, Ids{2}).tokens, 0);
}

TEST_F(PrefixIndexTest, EvictsTheLeastRecentlyUsedAndLeavesBeforeBranches) {
  KvPool pool = make_pool(8);
  PrefixIndex index(pool);
  std::map<char, int32_t> page;
  for (const char name : {'a', 'b', 'c', 'd'}) page[name] = pool.acquire();
  const auto node_a = index.insert(PrefixIndex::kRoot, Ids{1, 1, 1, 1}, page['a']);
  index.insert(node_a, Ids{2, 2, 2, 2}, page['b']);
  index.insert(PrefixIndex::kRoot, Ids{3, 3, 3, 3}, page['c']);
  index.insert(PrefixIndex::kRoot, Ids{4, 4, 4, 4}, page['d']);
  EXPECT_FALSE(index.evict());  // all in use
  EXPECT_EQ(index.evictable(), 0);
  for (const auto& [name, id] : page) {
    if (name != 'd') pool.release(id);
  }
  EXPECT_EQ(index.evictable(), 3);
  index.find(PrefixIndex::kRoot, Ids{1, 1, 1, 1});
  EXPECT_TRUE(index.evict());
  EXPECT_EQ(pool.references(page['b']), 0);  // behind a, but used longer ago than c
  EXPECT_TRUE(index.evict());
  EXPECT_EQ(pool.references(page['c']), 0);
  EXPECT_TRUE(index.evict());
  EXPECT_EQ(pool.references(page['a']), 0);
  EXPECT_FALSE(index.evict());
  EXPECT_EQ(pool.references(page['d']), 2);
  EXPECT_EQ(index.size(), 1);
}

TEST_F(PageKeeperTest, SharesFullPagesButNeverTheWholeText) {
  PageKeeper keeper(make_pool(16), true);
  leave(keeper, counting(0, 12));
  KeptSequence same, longer;
  EXPECT_EQ(keeper.share_pages(same, counting(0, 12)), 8);
  EXPECT_EQ(keeper.copy_partial(same, counting(0, 12)), 3);  // a copy of the third page: its last token is computed
  EXPECT_EQ(same.kv.length, 11);
  EXPECT_EQ(keeper.pool().references(same.kv.pages[2]), 1);
  EXPECT_EQ(keeper.share_pages(longer, counting(0, 13)), 12);
  EXPECT_EQ(longer.kv.pages[0], same.kv.pages[0]);
  EXPECT_NE(longer.kv.pages[2], same.kv.pages[2]);
}

TEST_F(PageKeeperTest, ContinuesThePartlyFilledLastPageOfAnother) {
  PageKeeper keeper(make_pool(16), true);
  leave(keeper, counting(0, 7));
  KeptSequence sequence;
  const Ids ids = joined(counting(0, 7), counting(50, 9));
  EXPECT_EQ(keeper.share_pages(sequence, ids), 4);
  EXPECT_EQ(keeper.copy_partial(sequence, ids), 3);
}

TEST_F(PageKeeperTest, WithoutReuseEverythingIsGivenBack) {
  PageKeeper keeper(make_pool(4), false);
  leave(keeper, counting(0, 12));
  EXPECT_EQ(keeper.pool().free_pages(), 4);
  KeptSequence sequence;
  EXPECT_EQ(keeper.share_pages(sequence, counting(0, 12)), 0);
}

TEST_F(PageKeeperTest, TheSamePageComputedTwiceIsKeptOnce) {
  PageKeeper keeper(make_pool(4), true);
  const Ids ids = counting(0, 8);
  KeptSequence a, b;
  keeper.reserve(a, 8);
  keeper.reserve(b, 8);
  EXPECT_EQ(keeper.pool().free_pages(), 0);
  keeper.settle(a, 8, ids);
  keeper.settle(b, 8, ids);
  EXPECT_EQ(a.kv.pages, b.kv.pages);
  EXPECT_EQ(keeper.pool().free_pages(), 2);
}

// Many texts come, share, grow, are cut back and go, against a model of what each page must hold.
TEST_F(PageKeeperTest, NoPageIsEverWrittenUnderAnother) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    PageKeeper keeper(make_pool(12), true);
    std::map<int32_t, Ids> content;  // of each page: the text up to its end
    struct Text {
      KeptSequence kept;
      Ids ids;
    };
    std::vector<Text> texts;
    std::mt19937 random(seed);
    for (int turn = 0; turn < 400; ++turn) {
      if (texts.size() < 4 && random() % 3 == 0) {
        Text text{{}, joined(counting(random() % 2, random() % 9), counting(100 + random() % 2, 1 + random() % 9))};
        keeper.share_pages(text.kept, text.ids);
        keeper.copy_partial(text.kept, text.ids);
        for (int64_t i = 0; i < text.kept.kv.length; i += kPageTokens) {
          const int64_t end = std::min(i + kPageTokens, text.kept.kv.length);
          Ids& held = content[text.kept.kv.pages[static_cast<size_t>(i / kPageTokens)]];
          const bool copied = end < i + kPageTokens;
          if (copied) held.assign(text.ids.begin(), text.ids.begin() + end);
          ASSERT_EQ(held, Ids(text.ids.begin(), text.ids.begin() + end));
        }
        texts.push_back(std::move(text));
      }
      if (texts.empty()) continue;
      const size_t which = random() % texts.size();
      Text& text = texts[which];
      KvSequence& kv = text.kept.kv;
      const int64_t wanted = std::min<int64_t>(std::ssize(text.ids), kv.length + 1 + random() % 6);
      const int64_t room = std::min(keeper.reserve(text.kept, wanted), wanted);
      for (int64_t i = kv.length; i < room; ++i) {
        const int32_t page = kv.pages[static_cast<size_t>(i / kPageTokens)];
        ASSERT_EQ(keeper.pool().references(page), 1) << "written while shared";
        content[page].assign(text.ids.begin(), text.ids.begin() + i + 1);
      }
      const int64_t kept = std::max(kv.length, room - static_cast<int64_t>(random() % 3));
      keeper.settle(text.kept, std::min(kept, std::max(room, kv.length)), text.ids);
      if (random() % 5 == 0) {
        if (random() % 2 == 0)
          keeper.retire(text.kept, text.ids);
        else
          keeper.release(text.kept);
        texts.erase(texts.begin() + static_cast<std::ptrdiff_t>(which));
      }
    }
    for (Text& text : texts) keeper.release(text.kept);
    EXPECT_EQ(keeper.available(), 12);
  }
}

}  // namespace
}  // namespace tern
