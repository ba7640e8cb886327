// SPDX-License-Identifier: Apache-2.0
// Keys brought into order together with where they came from.
#pragma once

#include <cstdint>

#include "devices/cuda/launch.h"

namespace tern::cuda {

// On the device, ascending; equal keys stay in their own order, so that they are a run of neighbours with ascending
// positions.
class SortedKeys {
 public:
  // Of `count` keys, at most 2^30, of which the lower `bits` bits are compared. Errors are kept under `kernel`.
  SortedKeys(const Exec& exec, const uint64_t* keys, int count, int bits, const char* kernel) noexcept;

  // False where there was no room; then nothing else is asked of it.
  explicit operator bool() const { return is_sorted_; }

  int count() const { return count_; }
  const uint64_t* keys() const { return keys_.as<uint64_t>(); }
  const int* positions() const { return positions_.as<int>(); }

 private:
  const int count_;
  const Room keys_, positions_;
  bool is_sorted_ = false;
};

}  // namespace tern::cuda
