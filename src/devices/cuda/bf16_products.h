// SPDX-License-Identifier: Apache-2.0
// Dense products of bf16 matrices with sums in f32, by cuBLASLt.
#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "device/kernels.h"

namespace tern::cuda {

// a [batch, m, k] · b [batch, k, n] to c [batch, m, n], each as it lies in memory, strides in elements.
struct Bf16Product {
  struct Operand {
    bool along_k;  // its lines run along k, else along m or n
    int64_t pitch, batch_stride;
    size_t alignment;  // of all of its batches, in bytes
    auto operator<=>(const Operand&) const = default;
  };
  int64_t batch, m, n, k;
  Operand a, b;
  DType c_dtype;  // f32 or bf16
  int64_t c_row_stride, c_batch_stride;
  size_t c_alignment;
  auto operator<=>(const Bf16Product&) const = default;
};

// The library, opened for one device. Safe from several threads; nothing is allocated on the device or waited for once
// it is open, so that products can be recorded.
class Bf16Products {
 public:
  // How the library does a product: a choice that depends on nothing but the product and the GPU, and gives the same
  // bits in each run.
  struct Plan {
    cublasLtMatmulAlgo_t algorithm;
    size_t workspace_bytes;
  };

  // On the calling thread's GPU. Throws Error if the library refuses.
  Bf16Products();
  ~Bf16Products();
  Bf16Products(const Bf16Products&) = delete;
  Bf16Products& operator=(const Bf16Products&) = delete;

  // Null where the library has no way to do it, or the host no memory. Good as long as this object.
  const Plan* plan(const Bf16Product& product) noexcept;

  // c = (accumulate ? c : 0) + alpha · a · b, launched on `stream`; workspace of the plan's size, 256-byte aligned.
  cublasStatus_t launch(const Bf16Product& product, const Plan& plan, const void* a, const void* b, void* c,
                        float alpha, bool accumulate, void* workspace, cudaStream_t stream) const noexcept;

 private:
  std::optional<Plan> make_plan(const Bf16Product& product) const;

  cublasLtHandle_t handle_ = nullptr;
  std::mutex mutex_;  // of the plans
  std::map<Bf16Product, std::optional<Plan>> plans_;
};

// Those of the device, which has them if its precision is bf16.
Bf16Products& bf16_products(const Exec& exec) noexcept;

// Keeps the error of a call of the library that failed.
void keep_status(const Exec& exec, cublasStatus_t status, const char* kernel) noexcept;

}  // namespace tern::cuda
