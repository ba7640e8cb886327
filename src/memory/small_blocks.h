// SPDX-License-Identifier: Apache-2.0
// Free small blocks that belong to no thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <vector>

#include "memory/arena.h"
#include "memory/size_classes.h"

namespace tern {

// A free block holds the address of the next one.
struct FreeBlock {
  FreeBlock* next;
};

// Blocks in a row, the last one's next being null.
struct FreeBlocks {
  FreeBlock* first = nullptr;
  int count = 0;

  void push(void* block) noexcept {
    first = new (block) FreeBlock{first};
    ++count;
  }
  FreeBlock* pop() noexcept {
    FreeBlock* const block = first;
    first = block->next;
    --count;
    return block;
  }
  // The first `number` of them, at least one; the rest stays.
  FreeBlocks take(int number) noexcept;
};

// One thread at a time.
class SmallBlocks {
 public:
  explicit SmallBlocks(Arena& arena);

  // 1 to `most` blocks of a class; none when the system has no memory.
  FreeBlocks take(int index, int most) noexcept;
  // At least one.
  void put(int index, FreeBlocks blocks) noexcept;

  // Gives spans without a block in use back to the arena, and with `pages` those pages of the others, too, where no
  // block is in use. It looks at all that is free, so put() does so itself only when that has doubled.
  void give_back(bool pages) noexcept;

 private:
  // Blocks side by side that hold no address, as pages of theirs may not be resident.
  struct Fresh {
    uintptr_t begin, end;
  };
  struct Class {
    FreeBlocks free;
    std::vector<Fresh> fresh;
  };

  bool add_span(int index) noexcept;
  void give_back(int index, bool pages);
  // Free blocks of one span, their addresses in descending order, kFresh added to those that hold no address.
  void keep(int index, std::span<const uintptr_t> blocks, bool pages);

  Arena& arena_;
  std::array<Class, kSizeClasses> classes_;
  size_t free_bytes_ = 0;
  size_t give_back_at_;
};

}  // namespace tern
