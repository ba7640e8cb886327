// SPDX-License-Identifier: Apache-2.0
// Maps of matrices in memory, by which the copy engine of Hopper brings boxes of them (mbarrier.cuh).
#pragma once

#include <cuda.h>
#include <cudaTypedefs.h>

#include "devices/cuda/launch.h"

namespace tern::cuda {

// A map of a matrix of `columns` elements by `rows` rows of `stride` bytes; both more than 0.
inline CUtensorMap make_map(const Exec& exec, const char* kernel, CUtensorMapDataType type, const void* matrix,
                            int64_t columns, int64_t rows, int64_t stride, int box_columns, int box_rows,
                            CUtensorMapSwizzle swizzle) {
  static const auto encode = [] {
    void* entry = nullptr;
    cudaDriverEntryPointQueryResult result;
    cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, 12000, cudaEnableDefault, &result);
    return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(entry);
  }();
  const cuuint64_t extents[] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(rows)};
  const auto bytes = static_cast<cuuint64_t>(stride);
  const cuuint32_t box[] = {static_cast<cuuint32_t>(box_columns), static_cast<cuuint32_t>(box_rows)}, steps[] = {1, 1};
  CUtensorMap map = {};
  const bool made = encode && encode(&map, type, 2, const_cast<void*>(matrix), extents, &bytes, box, steps,
                                     CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                                     CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
  if (!made) keep_error(exec, cudaErrorNotSupported, kernel);
  return map;
}

}  // namespace tern::cuda
