// SPDX-License-Identifier: Apache-2.0
// Sorting rows that a block of threads does not hold, by the radix sort of CUB: all rows at once by their keys, then,
// which keeps that order within a row, by the numbers of their rows.
//
// What was considered: a call for each row is a dozen launches for each. CUB's segmented sorts take offsets and are
// several kernels for each type of key. This takes a pass for every 8 bits of a key and of a row's number, which is
// about what a segmented radix sort takes, for any number of rows of any length, and instantiates the library twice:
// for keys that share a word with the number of their element, and for keys of 64 bits.
#include <algorithm>
#include <bit>
#include <cub/device/device_radix_sort.cuh>
#include <type_traits>

#include "devices/cuda/array_sort.cuh"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/packs.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256;
// Elements that are sorted at a time, unless a row has more: they take up to 32 bytes of room each.
constexpr int64_t kMostSorted = int64_t{1} << 26;

// Up to 2^32 elements with keys of up to 32 bits: a word has the key above and the number of the element below, and is
// sorted by its upper bits. Half as much to move as pairs.
struct Words {
  uint64_t* word;

  __device__ void set(int64_t i, uint64_t key, uint64_t number) const { word[i] = key << 32 | number; }
  __device__ uint64_t number(int64_t i) const { return word[i] & 0xffffffff; }
};

class WordSort {
 public:
  using Elements = Words;

  WordSort(const Exec& exec, int64_t count)
      : exec_(exec),
        count_(count),
        room_(exec, 2 * static_cast<size_t>(count) * sizeof(uint64_t), kSortName),
        words_(room_.as<uint64_t>(), room_.as<uint64_t>() + count) {}

  explicit operator bool() const { return static_cast<bool>(room_); }
  Elements elements() { return {words_.Current()}; }
  cudaError_t sort(void* room, size_t& bytes, int key_bits) {
    return cub::DeviceRadixSort::SortKeys(room, bytes, words_, count_, 32, 32 + key_bits, stream_of(exec_));
  }

 private:
  const Exec& exec_;
  int64_t count_;
  Room room_;
  cub::DoubleBuffer<uint64_t> words_;
};

struct Pairs {
  uint64_t *keys, *numbers;

  __device__ void set(int64_t i, uint64_t key, uint64_t number) const { keys[i] = key, numbers[i] = number; }
  __device__ uint64_t number(int64_t i) const { return numbers[i]; }
};

class PairSort {
 public:
  using Elements = Pairs;

  PairSort(const Exec& exec, int64_t count)
      : exec_(exec),
        count_(count),
        room_(exec, 4 * static_cast<size_t>(count) * sizeof(uint64_t), kSortName),
        keys_(room_.as<uint64_t>(), room_.as<uint64_t>() + count),
        numbers_(room_.as<uint64_t>() + 2 * count, room_.as<uint64_t>() + 3 * count) {}

  explicit operator bool() const { return static_cast<bool>(room_); }
  Elements elements() { return {keys_.Current(), numbers_.Current()}; }
  cudaError_t sort(void* room, size_t& bytes, int key_bits) {
    return cub::DeviceRadixSort::SortPairs(room, bytes, keys_, numbers_, count_, 0, key_bits, stream_of(exec_));
  }

 private:
  const Exec& exec_;
  int64_t count_;
  Room room_;
  cub::DoubleBuffer<uint64_t> keys_, numbers_;
};

template <class Key, class Elements>
__global__ void __launch_bounds__(kThreads)
    set_keys(const __grid_constant__ RowsToSort<Key> rows, int64_t count, Elements elements) {
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    elements.set(i, rows.key.of(rows.x[i]), static_cast<uint64_t>(i));
  }
}

template <class Elements>
__global__ void __launch_bounds__(kThreads) set_rows(int64_t count, Divisor n, Elements elements) {
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const uint64_t number = elements.number(i);
    elements.set(i, static_cast<uint64_t>(n.quotient(static_cast<int64_t>(number))), number);
  }
}

template <class Key, class Elements>
__global__ void __launch_bounds__(kThreads)
    put_sorted(const __grid_constant__ RowsToSort<Key> rows, int64_t count, Divisor n, Elements elements) {
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const int64_t row = n.quotient(i), begin = row * n.divisor();
    rows.put(row, i - begin, static_cast<int64_t>(elements.number(i)) - begin);
  }
}

// False where it failed.
template <class Sort>
bool sort_by_key(const Exec& exec, Sort& sort, int key_bits) {
  const auto succeeds = [&](void* room, size_t& bytes) {
    const cudaError_t error = sort.sort(room, bytes, key_bits);
    keep_error(exec, error, kSortName);
    return error == cudaSuccess;
  };
  size_t bytes = 0;
  if (!succeeds(nullptr, bytes)) return false;
  const Room room(exec, bytes, kSortName);
  return room && succeeds(room.as<void>(), bytes);
}

template <class Key>
void sort_at_once(const Exec& exec, const RowsToSort<Key>& rows) {
  const int64_t count = rows.rows * rows.n;
  const unsigned blocks = blocks_for(count, kThreads);
  const cudaStream_t stream = stream_of(exec);
  const Divisor n(rows.n);
  std::conditional_t<sizeof(Key) < 8, WordSort, PairSort> sort(exec, count);
  if (!sort) return;
  set_keys<<<blocks, kThreads, 0, stream>>>(rows, count, sort.elements());
  if (!sort_by_key(exec, sort, 8 * static_cast<int>(sizeof(Key)))) return;
  if (rows.rows > 1) {
    set_rows<<<blocks, kThreads, 0, stream>>>(count, n, sort.elements());
    if (!sort_by_key(exec, sort, std::bit_width(static_cast<uint64_t>(rows.rows - 1)))) return;
  }
  put_sorted<<<blocks, kThreads, 0, stream>>>(rows, count, n, sort.elements());
  launched(exec, kSortName);
}

template <class Key>
void sort_all(const Exec& exec, const RowsToSort<Key>& rows) {
  const int64_t at_once = std::max<int64_t>(kMostSorted / rows.n, 1);
  for (int64_t first = 0; first < rows.rows; first += at_once) {
    sort_at_once(exec, rows.some(first, std::min(at_once, rows.rows - first)));
  }
}

}  // namespace

void sort_long_rows(const Exec& exec, const RowsToSort<uint8_t>& rows) { sort_all(exec, rows); }
void sort_long_rows(const Exec& exec, const RowsToSort<uint16_t>& rows) { sort_all(exec, rows); }
void sort_long_rows(const Exec& exec, const RowsToSort<uint32_t>& rows) { sort_all(exec, rows); }
void sort_long_rows(const Exec& exec, const RowsToSort<uint64_t>& rows) { sort_all(exec, rows); }

}  // namespace tern::cuda
