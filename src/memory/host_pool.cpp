// SPDX-License-Identifier: Apache-2.0
#include "memory/host_pool.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <optional>
#include <vector>

#include "base/check_kind.h"
#include "base/fork_mutex.h"
#include "base/host_memory.h"
#include "core/memory_count.h"
#include "memory/arena.h"
#include "memory/small_blocks.h"
#include "memory/thread_cache.h"

namespace tern {
namespace {

// What a thread allocates less what it releases is added to the pool's count when it has come to this.
constexpr ptrdiff_t kMostUncounted = ptrdiff_t{128} << 10;

// Of what is free so much may stay resident: results of 10^7 doubles, whose pages would be cleared anew for each.
constexpr size_t kMostFree = size_t{128} << 20;

struct LastCache {
  const void* state;
  ThreadCache* cache;
};
// What the thread used last. Constants at the beginning and nothing to destroy: it is there as long as the thread.
constinit thread_local LastCache last_cache = {};
constinit thread_local bool thread_ends = false;

bool is_small(size_t bytes) { return bytes <= kMostSmallBytes; }

}  // namespace

struct HostPool::State {
  struct Blocks {
    Arena arena;
    SmallBlocks small{arena};
  };

  explicit State(const HostPoolOptions& options)
      : malloc_blocks(options.malloc_blocks), at_once(!malloc_blocks && options.limit == 0), count(options.limit) {}

  // Null when the system has none.
  void* take(size_t bytes, ThreadCache* cache) noexcept;
  void put(void* block, size_t bytes, ThreadCache* cache) noexcept;

  // A block is there; with a limit its bytes are counted already.
  void count_allocation(size_t bytes, ThreadCache* cache) noexcept;
  void count_release(size_t bytes, ThreadCache* cache) noexcept;
  // Before what is beside the thread's own count changes.
  void mark_peak(ThreadCache& cache) noexcept;
  // Adds what the thread counted; under the lock.
  void add_counts(ThreadCache& cache) noexcept;

  // Of a thread that begins to use the pool. Throws std::bad_alloc.
  void add_cache(ThreadCache& cache);
  // Of a thread that ends.
  void remove_cache(ThreadCache& cache) noexcept;
  // Takes what the thread has at hand; under the lock.
  void empty(ThreadCache& cache) noexcept;
  // The pool goes: all memory is the system's again.
  void close() noexcept;
  bool is_closed() const noexcept;

  const bool malloc_blocks;
  const bool at_once;  // allocations need nothing but a block of the thread's cache
  MemoryCount count;   // what threads have not added yet is beside it

  mutable ForkMutex mutex;  // of all that follows
  std::optional<Blocks> blocks{std::in_place};
  std::vector<ThreadCache*> caches;
  size_t allocations = 0, releases = 0;  // of threads without a cache
};

void* HostPool::State::take(size_t bytes, ThreadCache* cache) noexcept {
  if (malloc_blocks) return malloc_lines(bytes);
  const int index = is_small(bytes) ? class_of(bytes) : 0;
  FreeBlocks none, &free = cache != nullptr ? cache->free[static_cast<size_t>(index)] : none;
  if (!is_small(bytes) || free.count == 0) {
    const std::lock_guard lock(mutex);
    if (!is_small(bytes)) return blocks->arena.allocate(bytes);
    free = blocks->small.take(index, cache != nullptr ? batch_of(index) : 1);
  }
  return free.count == 0 ? nullptr : free.pop();
}

void HostPool::State::put(void* block, size_t bytes, ThreadCache* cache) noexcept {
  if (malloc_blocks) return std::free(block);
  if (is_small(bytes)) {
    const int index = class_of(bytes), batch = batch_of(index);
    FreeBlocks none, &free = cache != nullptr ? cache->free[static_cast<size_t>(index)] : none;
    free.push(block);
    if (cache != nullptr && free.count <= 2 * batch) return;
    const FreeBlocks some = free.take(batch);
    const std::lock_guard lock(mutex);
    blocks->small.put(index, some);
    return;
  }
  const std::lock_guard lock(mutex);
  Arena& arena = blocks->arena;
  arena.release(block, bytes);
  if (arena.reserved() > arena.used() + kMostFree) arena.trim(true);
}

void HostPool::State::count_allocation(size_t bytes, ThreadCache* cache) noexcept {
  if (cache == nullptr) {
    if (count.limit() == 0) count.add(bytes);
    count.mark_peak();
    const std::lock_guard lock(mutex);
    ++allocations;
  } else if (count.limit() > 0) {
    count.mark_peak();
    cache->allocations.add(1);
  } else if (is_small(bytes)) {
    cache->count_allocation(bytes);
    if (cache->live.get() < kMostUncounted) return;
    const std::lock_guard lock(mutex);
    add_counts(*cache);
  } else {
    mark_peak(*cache);
    count.add(bytes);
    count.mark_peak(cache->live.get());
    cache->allocations.add(1);
  }
}

void HostPool::State::count_release(size_t bytes, ThreadCache* cache) noexcept {
  if (cache == nullptr) {
    count.remove(bytes);
    const std::lock_guard lock(mutex);
    ++releases;
  } else if (count.limit() > 0 || !is_small(bytes)) {
    if (count.limit() == 0) mark_peak(*cache);
    count.remove(bytes);
    cache->releases.add(1);
  } else {
    cache->count_release(bytes);
    if (cache->live.get() > -kMostUncounted) return;
    const std::lock_guard lock(mutex);
    add_counts(*cache);
  }
}

void HostPool::State::mark_peak(ThreadCache& cache) noexcept {
  count.mark_peak(cache.most_live.get());
  cache.most_live.set(cache.live.get());
}

void HostPool::State::add_counts(ThreadCache& cache) noexcept {
  mark_peak(cache);
  count.remove(static_cast<size_t>(-cache.live.get()));
  cache.live.set(0);
  cache.most_live.set(0);
}

void HostPool::State::add_cache(ThreadCache& cache) {
  const std::lock_guard lock(mutex);
  caches.push_back(&cache);
}

void HostPool::State::remove_cache(ThreadCache& cache) noexcept {
  const std::lock_guard lock(mutex);
  if (!blocks) return;
  add_counts(cache);
  allocations += cache.allocations.get();
  releases += cache.releases.get();
  empty(cache);
  std::erase(caches, &cache);
}

void HostPool::State::empty(ThreadCache& cache) noexcept {
  for (int index = 0; index < kSizeClasses; ++index) {
    FreeBlocks& free = cache.free[static_cast<size_t>(index)];
    if (free.count > 0) blocks->small.put(index, std::exchange(free, {}));
  }
}

void HostPool::State::close() noexcept {
  const std::lock_guard lock(mutex);
  blocks.reset();
  caches.clear();
}

bool HostPool::State::is_closed() const noexcept {
  const std::lock_guard lock(mutex);
  return !blocks;
}

struct HostPool::CachesOfThread {
  struct Entry {
    std::shared_ptr<State> state;
    std::unique_ptr<ThreadCache> cache;
  };
  std::vector<Entry> entries;

  ~CachesOfThread() {
    thread_ends = true;
    last_cache = {};
    for (const Entry& entry : entries) entry.state->remove_cache(*entry.cache);
  }

  // Throws std::bad_alloc.
  ThreadCache* find(const std::shared_ptr<State>& state) {
    for (const Entry& entry : entries) {
      if (entry.state == state) return entry.cache.get();
    }
    std::erase_if(entries, [](const Entry& entry) { return entry.state->is_closed(); });
    Entry& entry = entries.emplace_back(nullptr, std::make_unique<ThreadCache>());
    state->add_cache(*entry.cache);
    entry.state = state;
    return entry.cache.get();
  }
};

HostPool::HostPool(const HostPoolOptions& options) : state_(std::make_shared<State>(options)) {}

HostPool::~HostPool() { state_->close(); }

// An entry's state stays as long as the thread's last cache can be its own, so no other has the address.
ThreadCache* HostPool::find_cache() const noexcept {
  if (thread_ends) return nullptr;
  static thread_local CachesOfThread caches;
  last_cache = {};
  try {
    last_cache = {state_.get(), caches.find(state_)};
  } catch (const std::bad_alloc&) {
    // Without a cache it goes on, too.
  }
  return last_cache.cache;
}

inline ThreadCache* HostPool::cache() const noexcept {
  return last_cache.state == state_.get() ? last_cache.cache : find_cache();
}

void* HostPool::allocate(size_t bytes) {
  ThreadCache* const cache = this->cache();
  if (cache != nullptr && state_->at_once && is_small(bytes)) [[likely]] {
    FreeBlocks& free = cache->free[static_cast<size_t>(class_of(bytes))];
    if (free.count > 0) [[likely]] {
      state_->count_allocation(bytes, cache);
      return free.pop();
    }
  }
  return allocate_otherwise(bytes, cache);
}

void* HostPool::allocate_otherwise(size_t bytes, ThreadCache* cache) {
  MemoryCount& count = state_->count;
  const bool limited = count.limit() > 0;
  if (limited) {
    check_as<OutOfMemory>(count.add(bytes), "cpu",
                          "expected {} bytes of memory within the limit of {}, of which {} are in use", bytes,
                          count.limit(), count.live());
  }
  void* block = state_->take(bytes, cache);
  if (block == nullptr) {
    trim();
    block = state_->take(bytes, cache);
  }
  if (block == nullptr) {
    if (limited) count.remove(bytes);
    fail_as<OutOfMemory>("cpu", "expected {} bytes of memory, the system has none: {} are in use here", bytes,
                         statistics().live);
  }
  state_->count_allocation(bytes, cache);
  return block;
}

void HostPool::release(void* block, size_t bytes) noexcept {
  ThreadCache* const cache = this->cache();
  state_->put(block, bytes, cache);
  state_->count_release(bytes, cache);
}

MemoryStatistics HostPool::statistics() const {
  const State& state = *state_;
  const std::lock_guard lock(state.mutex);
  const ptrdiff_t counted = state.count.balance();
  ptrdiff_t live = counted, peak = static_cast<ptrdiff_t>(state.count.peak());
  size_t allocations = state.allocations, releases = state.releases;
  for (const ThreadCache* cache : state.caches) {
    live += cache->live.get();
    peak = std::max(peak, counted + cache->most_live.get());
    allocations += cache->allocations.get();
    releases += cache->releases.get();
  }
  const auto bytes = static_cast<size_t>(std::max<ptrdiff_t>(live, 0));
  return {.live = bytes,
          .peak = std::max(static_cast<size_t>(peak), bytes),
          .reserved = state.malloc_blocks ? bytes : state.blocks->arena.reserved(),
          .limit = state.count.limit(),
          .blocks = allocations - releases,
          .allocations = allocations};
}

void HostPool::trim() noexcept {
  ThreadCache* const cache = this->cache();
  {
    const std::lock_guard lock(state_->mutex);
    if (cache != nullptr) state_->empty(*cache);
    state_->blocks->small.give_back(true);
    state_->blocks->arena.trim(false);
  }
  trim_malloc();
}

}  // namespace tern
