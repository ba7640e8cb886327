// SPDX-License-Identifier: Apache-2.0
// Many tensors in one launch: a list of them, each cut into pieces, that travels in the parameters of a kernel.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tern::cuda {

// As many as the 4 KiB of a kernel's parameters hold, beside a few numbers.
inline constexpr int kMostListed = 80;

template <class Item>
struct PieceList {
  int count = 0;
  int64_t begin[kMostListed + 1] = {};  // the first piece of each item, counted through; at the end, how many there are
  Item item[kMostListed] = {};

  __host__ __device__ int64_t pieces() const { return begin[count]; }

  // The item that has the piece: the last that begins at it or before.
  __device__ int item_of(int64_t piece) const {
    int low = 0, high = count - 1;
    while (low < high) {
      const int middle = (low + high + 1) / 2;
      if (begin[middle] <= piece) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
};

// Calls launch(list, first) for lists that cover item_of(0) … item_of(count - 1) in order, `first` being the number of
// the list's first; pieces_of(item) may be 0.
template <class ItemOf, class PiecesOf, class Launch>
void for_lists(int64_t count, const ItemOf& item_of, const PiecesOf& pieces_of, const Launch& launch) {
  for (int64_t first = 0; first < count; first += kMostListed) {
    PieceList<decltype(item_of(first))> list;
    list.count = static_cast<int>(std::min<int64_t>(kMostListed, count - first));
    for (int i = 0; i < list.count; ++i) {
      list.item[i] = item_of(first + i);
      list.begin[i + 1] = list.begin[i] + pieces_of(list.item[i]);
    }
    launch(list, first);
  }
}

}  // namespace tern::cuda
