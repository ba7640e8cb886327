// SPDX-License-Identifier: Apache-2.0
// Copies of a few bytes between host and device as kernels: a step of decoding needs some, each by the copy engine
// takes the GPU 3 us and more, and a kernel one.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace tern::cuda {

inline constexpr size_t kMostSmallBytes = 2048;

// Where these kernels go, and whether they may start while the one before them ends (early_launch.cuh).
struct CopyStream {
  cudaStream_t stream;
  bool early;
};

// to[0, bytes) on the device = from[0, bytes) on the host, which is the caller's again: the bytes are arguments of the
// kernel. bytes <= kMostSmallBytes. Behind what is `before` it on the device, if anything.
cudaError_t store_small(const CopyStream& stream, void* to, const void* from, size_t bytes,
                        std::span<const std::byte> before = {});

// Bytes in pinned memory, and behind them the number of the copy that they came with.
struct SmallLanding {
  std::byte bytes[kMostSmallBytes];
  uint64_t number;
};
// landing->bytes[0, bytes) = from[0, bytes) on the device, then landing->number = number, for the host to see.
cudaError_t load_small(const CopyStream& stream, SmallLanding* landing, uint64_t number, const void* from,
                       size_t bytes);

}  // namespace tern::cuda
