// SPDX-License-Identifier: Apache-2.0
// Panels of keys and values on their way to shared memory, while products of earlier ones run. A panel is 64 keys, or
// their values, by kSlice columns. f16 is copied as it lies: keys to the one, values to the other of two places. All
// else goes through registers and takes both: high and low halves of split rows; or, where many tiles meet the same
// keys, it was packed before, and halves are copied to four places.
//
// All threads of a block, in this order: start, then for each panel take_keys for each slice of its keys and
// take_values, both with the panel that follows or none. What is taken is in place when the call returns; what comes
// next is on its way.
#pragma once

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>

#include "devices/cuda/attention_panels.cuh"
#include "devices/cuda/attention_products.cuh"
#include "devices/cuda/attention_split.cuh"

namespace tern::cuda {

// So many planes of f16, so many rows' units, of split rows, and places of rows that are copied, of a panel and the
// next.
template <int kSlice, int kPlanes, int kUnits, int kPlaces>
struct PanelMemory {
  alignas(128) __half rows[kPlanes][kPanelRows * kSlice];
  float units[kUnits][kPanelRows];
  const std::byte* places[2][kPlaces];
};

// What a feed takes: keys 0 … end - 1 of one key head, their first `slices` slices, and of values the columns from
// value_column on.
struct FeedRange {
  int end, slices, value_column;
};

constexpr int kNoPanel = -1, kNoKey = -1;

struct StartAtOnce {
  template <class Feed>
  __device__ void operator()(Feed& feed, int panel) const {
    if (panel != kNoPanel) feed.start(panel, kNoKey);
  }
};

// Keys in f16. Keys::copied(key, values) is where a row lies, row_bytes() how many bytes of it, a multiple of 8.
template <class Keys, int kSlice, int kThreads, bool kPublishes>
class CopyFeed {
 public:
  using Memory = PanelMemory<kSlice, 2, 1, kPanelRows>;
  static constexpr bool kSplit = false;
  static constexpr int kValues = 1, kValueUnits = 0;  // where values are

  __device__ CopyFeed(Memory& memory, const Keys& keys, const FeedRange& range)
      : memory_(memory), keys_(keys), range_(range), row_bytes_(keys.row_bytes()), to_values_(keys.to_values) {}

  // Can the first panel be started without a key, and its row and value be put in place afterwards?
  __device__ bool can_put() const { return row_bytes_ == kSlice * 2; }

  __device__ void start(int panel, int without) {
    without_ = without;
    places_ = 0;
    place(panel, 0);
    __syncthreads();
    first_ = panel * kPanelRows;
    copy<true>(false, 0);
    copy<true>(true, range_.value_column);
    values_asked_ = true;
  }
  __device__ void put(int key, bool value, int column, __half x) {
    memory_.rows[value][swizzled<kPanelRows>(key % kPanelRows, column)] = x;
  }

  __device__ void take_keys(int slice, int next) {
    if (slice > 0) {
      __syncthreads();
      copy(false, slice * kSlice);
    }
    if (slice == 0 && values_asked_) {
      wait_for_copies<1>();
    } else {
      wait_for_copies<0>();
    }
    if constexpr (kPublishes) publish();
    __syncthreads();
    if (slice > 0) return;
    if (!values_asked_) copy(true, range_.value_column);
    values_asked_ = false;
    if (next != kNoPanel) place(next, places_ ^ 1);
  }

  __device__ void take_values(int next) {
    wait_for_copies<0>();
    if constexpr (kPublishes) publish();
    __syncthreads();
    if (next == kNoPanel) return;
    places_ ^= 1;
    first_ = next * kPanelRows;
    copy(false, 0);
  }

 private:
  static constexpr int kChunks = kSlice / 8, kRowsAtOnce = kThreads / kChunks, kRows = kPanelRows / kRowsAtOnce;
  static_assert(kThreads % kChunks == 0 && kPanelRows % kRowsAtOnce == 0 && kThreads >= kPanelRows);

  __device__ void place(int panel, int to) {
    const int row = static_cast<int>(threadIdx.x);
    if (row < kPanelRows) memory_.places[to][row] = keys_.copied(min(panel * kPanelRows + row, range_.end - 1));
  }

  template <bool kWithout = false>
  __device__ void copy(bool values, int column) {
    const int chunk = static_cast<int>(threadIdx.x) % kChunks, first_row = static_cast<int>(threadIdx.x) / kChunks;
    const int from = (column + chunk * 8) * 2, bytes = max(0, min(16, row_bytes_ - from));
    const int64_t offset = (values ? to_values_ : 0) + (bytes > 0 ? from : 0);
    __half* const panel = memory_.rows[values];
    const int rows = range_.end - first_, without = kWithout ? without_ - first_ : kPanelRows;
    const auto copy_row = [&](int i, const auto& act) {
      const int row = i * kRowsAtOnce + first_row;
      if (kWithout && row == without) return;
      act(panel + swizzled<kPanelRows>(row, chunk * 8), memory_.places[places_][row] + offset, row < rows ? bytes : 0);
    };
    if (row_bytes_ % 16 == 0) {
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        copy_row(i, [](__half* to, const std::byte* at, int count) { copy_beside<16>(to, at, count); });
      }
    } else {
#pragma unroll 1
      for (int i = 0; i < kRows; ++i) {
        copy_row(i, [](__half* to, const std::byte* at, int count) {
          copy_beside<8>(to, at, min(count, 8));
          copy_beside<8>(to + 4, at + (count > 8 ? 8 : 0), max(count - 8, 0));
        });
      }
    }
    end_copies();
  }

  Memory& memory_;
  const Keys& keys_;
  const FeedRange range_;
  const int row_bytes_;
  const int64_t to_values_;
  int first_ = 0, places_ = 0, without_ = kNoKey;
  bool values_asked_ = false;
};

// Any keys: Keys::place(key) and Keys::quad(place, values, column), 4 neighbours as f32, column below dim.
template <class Keys, int kSlice, int kThreads, bool kPublishes>
class SplitFeed {
 public:
  using Memory = PanelMemory<kSlice, 2, 1, 1>;
  static constexpr bool kSplit = true;
  static constexpr int kValues = 0, kValueUnits = 0;

  __device__ SplitFeed(Memory& memory, const Keys& keys, const FeedRange& range)
      : memory_(memory), keys_(keys), range_(range) {}

  __device__ bool can_put() const { return false; }
  __device__ void put(int, bool, int, __half) {}

  __device__ void start(int panel, int) {
    panel_ = panel;
    load(false, 0);
  }

  __device__ void take_keys(int slice, int) {
    const bool is_last = slice + 1 == range_.slices;
    store();
    load(is_last, is_last ? range_.value_column : (slice + 1) * kSlice);
    __syncthreads();
  }

  __device__ void take_values(int next) {
    store();
    if (next != kNoPanel) start(next, kNoKey);
    __syncthreads();
  }

 private:
  __device__ void load(bool values, int column) {
    const int first = panel_ * kPanelRows;
    rows_.load([&](int row) { return keys_.place(min(first + row, range_.end - 1)); },
               [&](const typename Keys::Place& place, int row, int at) {
                 return first + row < range_.end && column + at < keys_.dim() ? keys_.quad(place, values, column + at)
                                                                              : float4{0, 0, 0, 0};
               });
  }

  __device__ void store() {
    __syncthreads();
    rows_.template store<kPanelRows>(0, memory_.rows[0], memory_.rows[1], memory_.units[0]);
    if constexpr (kPublishes) publish();
  }

  Memory& memory_;
  const Keys& keys_;
  const FeedRange range_;
  int panel_ = 0;
  SplitRows<kPanelRows, kSlice, kThreads> rows_;
};

// A panel's keys or values as pack_panels() leaves them: split, and swizzled.
template <int kSlice>
struct PackedPanel {
  __half rows[2][kPanelRows * kSlice];
  float units[kPanelRows];
};

// Keys that are packed: Keys::packed(values, panel).
template <class Keys, int kSlice, int kThreads, bool kPublishes>
class PackedFeed {
 public:
  using Memory = PanelMemory<kSlice, 4, 2, 1>;
  static constexpr bool kSplit = true;
  static constexpr int kValues = 2, kValueUnits = 1;

  __device__ PackedFeed(Memory& memory, const Keys& keys, const FeedRange&) : memory_(memory), keys_(keys) {}

  __device__ void start(int panel, int) {
    panel_ = panel;
    copy(false);
  }
  __device__ void take_keys(int, int) {
    arrive();
    copy(true);
  }
  __device__ void take_values(int next) {
    arrive();
    if (next != kNoPanel) start(next, kNoKey);
  }

 private:
  __device__ static void arrive() {
    wait_for_copies<0>();
    if constexpr (kPublishes) publish();
    __syncthreads();
  }

  __device__ void copy(bool values) {
    constexpr int kBytes = 16, kPieces = sizeof(Memory::rows) / 2 / kBytes, kUnitPieces = kPanelRows * 4 / kBytes;
    static_assert(kPieces % kThreads == 0 && kUnitPieces <= kThreads);
    const auto* const panel = static_cast<const PackedPanel<kSlice>*>(keys_.packed(values)) + panel_;
    const int piece = static_cast<int>(threadIdx.x);
    std::byte* const to = reinterpret_cast<std::byte*>(memory_.rows[values ? kValues : 0]) + piece * kBytes;
    const std::byte* const from = reinterpret_cast<const std::byte*>(panel) + piece * kBytes;
#pragma unroll
    for (int i = 0; i < kPieces; i += kThreads) copy_beside<kBytes>(to + i * kBytes, from + i * kBytes, kBytes);
    if (piece < kUnitPieces) copy_beside<kBytes>(memory_.units[values] + piece * 4, panel->units + piece * 4, kBytes);
    end_copies();
  }

  Memory& memory_;
  const Keys& keys_;
  int panel_ = 0;
};

}  // namespace tern::cuda
