// SPDX-License-Identifier: Apache-2.0
#include "devices/cuda/sorted_keys.h"

#include <cub/device/device_radix_sort.cuh>

#include "devices/cuda/packs.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) number_positions(int count, int* positions) {
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) positions[i] = static_cast<int>(i);
}

}  // namespace

SortedKeys::SortedKeys(const Exec& exec, const uint64_t* keys, int count, int bits, const char* kernel) noexcept
    : count_(count),
      keys_(exec, static_cast<size_t>(count) * sizeof(uint64_t), kernel),
      positions_(exec, static_cast<size_t>(count) * sizeof(int), kernel) {
  const Room numbers(exec, static_cast<size_t>(count) * sizeof(int), kernel);
  if (!keys_ || !positions_ || !numbers) return;
  const cudaStream_t stream = stream_of(exec);
  const auto sort = [&](void* room, size_t& bytes) {
    return cub::DeviceRadixSort::SortPairs(room, bytes, keys, keys_.as<uint64_t>(), numbers.as<int>(),
                                           positions_.as<int>(), count, 0, bits, stream);
  };
  size_t bytes = 0;
  keep_error(exec, sort(nullptr, bytes), kernel);
  const Room room(exec, bytes, kernel);
  if (!room) return;
  number_positions<<<blocks_for(count, kThreads), kThreads, 0, stream>>>(count, numbers.as<int>());
  launched(exec, kernel);
  keep_error(exec, sort(room.as<void>(), bytes), kernel);
  is_sorted_ = true;
}

}  // namespace tern::cuda
