// SPDX-License-Identifier: Apache-2.0
#include "devices/cuda/small_copies.h"

#include <cstring>

#include "devices/cuda/early_launch.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256;

template <size_t kMost>
struct SmallBytes {
  std::byte at[kMost];
};

template <size_t kMost>
__global__ void __launch_bounds__(kThreads)
    store_bytes(std::byte* to, const __grid_constant__ SmallBytes<kMost> from, unsigned bytes, const std::byte* before,
                unsigned bytes_before) {
  wait_for_inputs();
  for (unsigned i = threadIdx.x; i < bytes_before; i += kThreads) to[i] = before[i];
  for (unsigned i = threadIdx.x; i < bytes; i += kThreads) to[bytes_before + i] = from.at[i];
}

__global__ void __launch_bounds__(kThreads)
    load_bytes(SmallLanding* landing, uint64_t number, const std::byte* from, unsigned bytes) {
  wait_for_inputs();
  for (unsigned i = threadIdx.x; i < bytes; i += kThreads) landing->bytes[i] = from[i];
  __threadfence_system();
  __syncthreads();
  if (threadIdx.x == 0) *static_cast<volatile uint64_t*>(&landing->number) = number;
}

template <size_t kMost>
cudaError_t store(const CopyStream& stream, void* to, const void* from, size_t bytes,
                  std::span<const std::byte> before) {
  SmallBytes<kMost> argument;
  std::memcpy(argument.at, from, bytes);
  return launch_early(stream.stream, stream.early, store_bytes<kMost>, 1, kThreads, 0, static_cast<std::byte*>(to),
                      argument, static_cast<unsigned>(bytes), before.data(), static_cast<unsigned>(before.size()));
}

}  // namespace

cudaError_t store_small(const CopyStream& stream, void* to, const void* from, size_t bytes,
                        std::span<const std::byte> before) {
  constexpr size_t kFew = 256;
  return bytes <= kFew ? store<kFew>(stream, to, from, bytes, before)
                       : store<kMostSmallBytes>(stream, to, from, bytes, before);
}

cudaError_t load_small(const CopyStream& stream, SmallLanding* landing, uint64_t number, const void* from,
                       size_t bytes) {
  return launch_early(stream.stream, stream.early, load_bytes, 1, kThreads, 0, landing, number,
                      static_cast<const std::byte*>(from), static_cast<unsigned>(bytes));
}

}  // namespace tern::cuda
