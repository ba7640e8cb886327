// SPDX-License-Identifier: Apache-2.0
#include "devices/cuda/memory_pool.h"

#include <cstdint>

#include "devices/cuda/check.h"

namespace tern::cuda {

MemoryPool::MemoryPool(int ordinal, size_t limit) {
  cudaMemPoolProps properties = {};
  properties.allocType = cudaMemAllocationTypePinned;  // the only type there is
  properties.location = {cudaMemLocationTypeDevice, ordinal};
  properties.maxSize = limit;
  check_call(cudaMemPoolCreate(&pool_, &properties), "making a memory pool");
  uint64_t keep_all = UINT64_MAX;
  check_call(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &keep_all), "setting up the memory pool");
}

MemoryPool::~MemoryPool() { static_cast<void>(cudaMemPoolDestroy(pool_)); }

void* MemoryPool::allocate(size_t bytes, cudaStream_t stream) {
  void* data = nullptr;
  cudaError_t status = cudaMallocFromPoolAsync(&data, bytes, pool_, stream);
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());  // of this call alone: it is dealt with here
    trim(stream);
    status = cudaMallocFromPoolAsync(&data, bytes, pool_, stream);
  }
  if (status == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());
    return nullptr;
  }
  check_call(status, "allocating memory");
  return data;
}

void MemoryPool::release(void* data, cudaStream_t stream) noexcept { static_cast<void>(cudaFreeAsync(data, stream)); }

void MemoryPool::trim(cudaStream_t stream) {
  check_call(cudaStreamSynchronize(stream), "waiting for the device");
  check_call(cudaMemPoolTrimTo(pool_, 0), "trimming the memory pool");
}

size_t MemoryPool::used() const { return attribute(cudaMemPoolAttrUsedMemCurrent); }
size_t MemoryPool::most_used() const { return attribute(cudaMemPoolAttrUsedMemHigh); }
size_t MemoryPool::reserved() const { return attribute(cudaMemPoolAttrReservedMemCurrent); }

size_t MemoryPool::attribute(cudaMemPoolAttr name) const {
  uint64_t value = 0;
  check_call(cudaMemPoolGetAttribute(pool_, name, &value), "asking the memory pool");
  return static_cast<size_t>(value);
}

}  // namespace tern::cuda
