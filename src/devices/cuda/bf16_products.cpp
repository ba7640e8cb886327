// SPDX-License-Identifier: Apache-2.0
#include "devices/cuda/bf16_products.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/check.h"
#include "devices/cuda/cublas_library.h"
#include "devices/cuda/launch.h"

namespace tern::cuda {
namespace {

// Calls of the library in a row, of which the first failure counts.
class Calls {
 public:
  cublasStatus_t status() const { return status_; }

 protected:
  void keep(cublasStatus_t status) {
    if (status_ == CUBLAS_STATUS_SUCCESS) status_ = status;
  }

 private:
  cublasStatus_t status_ = CUBLAS_STATUS_SUCCESS;
};

// The library's matrices have their columns in a row, ours their rows: it computes cᵀ [n, m] = bᵀ [n, k] · aᵀ [k, m].
class Description : public Calls {
 public:
  explicit Description(const Bf16Product& p) {
    keep(cublas_library().matmul_desc_init(&operation_, sizeof operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    set_operation(CUBLASLT_MATMUL_DESC_TRANSA, p.b.along_k);
    set_operation(CUBLASLT_MATMUL_DESC_TRANSB, !p.a.along_k);
    set_operand(b_, p.b, p.n, p);
    set_operand(a_, p.a, p.m, p);
    set_matrix(c_, p.c_dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F, p.n, p.m, p.c_row_stride, p.batch,
               p.c_batch_stride);
  }

  cublasLtMatmulDesc_t operation() { return &operation_; }
  cublasLtMatrixLayout_t a() { return &a_; }
  cublasLtMatrixLayout_t b() { return &b_; }
  cublasLtMatrixLayout_t c() { return &c_; }

 private:
  void set_operation(cublasLtMatmulDescAttributes_t name, bool transposed) {
    const cublasOperation_t value = transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
    keep(cublas_library().matmul_desc_set_attribute(&operation_, name, &value, sizeof value));
  }

  void set_matrix(cublasLtMatrixLayoutOpaque_t& layout, cudaDataType type, int64_t rows, int64_t columns, int64_t pitch,
                  int64_t batch, int64_t batch_stride) {
    keep(cublas_library().matrix_layout_init(&layout, sizeof layout, type, static_cast<uint64_t>(rows),
                                             static_cast<uint64_t>(columns), pitch));
    const auto count = static_cast<int32_t>(batch);
    keep(cublas_library().matrix_layout_set_attribute(&layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count,
                                                      sizeof count));
    keep(cublas_library().matrix_layout_set_attribute(&layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                                      &batch_stride, sizeof batch_stride));
  }

  void set_operand(cublasLtMatrixLayoutOpaque_t& layout, const Bf16Product::Operand& x, int64_t extent,
                   const Bf16Product& p) {
    set_matrix(layout, CUDA_R_16BF, x.along_k ? p.k : extent, x.along_k ? extent : p.k, x.pitch, p.batch,
               x.batch_stride);
  }

  cublasLtMatmulDescOpaque_t operation_;
  cublasLtMatrixLayoutOpaque_t a_, b_, c_;
};

// What the library's choice is held to.
class Preference : public Calls {
 public:
  Preference(const Bf16Product& p, uint64_t workspace_bytes) {
    keep(cublas_library().matmul_preference_init(&preference_, sizeof preference_));
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
    // Sums over k that are split are added in a step of their own, in f32: not in place, in the order of arrival.
    set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, static_cast<uint32_t>(p.b.alignment));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, static_cast<uint32_t>(p.a.alignment));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, static_cast<uint32_t>(p.c_alignment));
    set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, static_cast<uint32_t>(p.c_alignment));
  }

  cublasLtMatmulPreference_t get() { return &preference_; }

 private:
  template <class T>
  void set(cublasLtMatmulPreferenceAttributes_t name, T value) {
    keep(cublas_library().matmul_preference_set_attribute(&preference_, name, &value, sizeof value));
  }

  cublasLtMatmulPreferenceOpaque_t preference_;
};

// Enough for a gradient of a few million weights in the parts of a long sum.
constexpr uint64_t kMostWorkspace = uint64_t{64} << 20;
// What has no parts of sums in it.
constexpr uint64_t kCounterBytes = 256;

using Proposal = cublasLtMatmulHeuristicResult_t;
constexpr int kMostProposals = 8;

bool is_possible(const Proposal& proposal) { return proposal.state == CUBLAS_STATUS_SUCCESS; }

bool has_medium_tile(const Proposal& proposal) {
  int32_t tile = CUBLASLT_MATMUL_TILE_UNDEFINED;
  static_cast<void>(cublas_library().matmul_algo_config_get_attribute(&proposal.algo, CUBLASLT_ALGO_CONFIG_TILE_ID,
                                                                      &tile, sizeof tile, nullptr));
  switch (tile) {
    case CUBLASLT_MATMUL_TILE_128x128:
    case CUBLASLT_MATMUL_TILE_128x160:
    case CUBLASLT_MATMUL_TILE_144x128:
    case CUBLASLT_MATMUL_TILE_168x128:
    case CUBLASLT_MATMUL_TILE_176x128:
      return true;
    default:
      return false;
  }
}

// The library has its proposals in the order of its estimates. These are too good for large tiles where much is written
// for each sum over k, as products with results in bf16 are here: on an H200 with 32768 rows, the first medium tile
// takes as long as the first tile for k from 2304 to 4096, and 5 to 24 % less for k of 384 and 768 (with 32768 columns
// 560 us instead of 666). For k of 32768 it takes up to 5 % more.
const Proposal* best_of(const Bf16Product& product, std::span<const Proposal> proposals) {
  const auto medium = [](const Proposal& each) { return is_possible(each) && has_medium_tile(each); };
  auto best = proposals.end();
  if (product.c_dtype == DType::bf16 && product.k <= 4096)
    best = std::find_if(proposals.begin(), proposals.end(), medium);
  if (best == proposals.end()) best = std::find_if(proposals.begin(), proposals.end(), is_possible);
  return best == proposals.end() ? nullptr : &*best;
}

}  // namespace

Bf16Products::Bf16Products() {
  const cublasStatus_t status = cublas_library().create(&handle_);
  check(status == CUBLAS_STATUS_SUCCESS, "cuda", "opening cuBLASLt: {}", cublas_library().get_status_string(status));
}

Bf16Products::~Bf16Products() { static_cast<void>(cublas_library().destroy(handle_)); }

std::optional<Bf16Products::Plan> Bf16Products::make_plan(const Bf16Product& product) const {
  Description description(product);
  const auto plan_within = [&](uint64_t workspace_bytes) -> std::optional<Plan> {
    Preference preference(product, workspace_bytes);
    if (description.status() != CUBLAS_STATUS_SUCCESS || preference.status() != CUBLAS_STATUS_SUCCESS) return {};
    std::array<Proposal, kMostProposals> found = {};
    int count = 0;
    const cublasStatus_t status = cublas_library().matmul_algo_get_heuristic(
        handle_, description.operation(), description.b(), description.a(), description.c(), description.c(),
        preference.get(), kMostProposals, found.data(), &count);
    if (status != CUBLAS_STATUS_SUCCESS) return {};
    const Proposal* const best = best_of(product, std::span(found).first(static_cast<size_t>(count)));
    if (best == nullptr) return {};
    return Plan{best->algo, best->workspaceSize};
  };
  std::optional<Plan> plan = plan_within(kMostWorkspace);
  // A few bytes are a counter, which the library clears in front of each product: 4 us on an H200. The same tiles
  // without one take as long.
  if (plan && plan->workspace_bytes > 0 && plan->workspace_bytes <= kCounterBytes) {
    if (const std::optional<Plan> other = plan_within(0)) plan = other;
  }
  return plan;
}

const Bf16Products::Plan* Bf16Products::plan(const Bf16Product& product) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    auto at = plans_.find(product);
    if (at == plans_.end()) at = plans_.emplace(product, make_plan(product)).first;
    return at->second ? &*at->second : nullptr;
  } catch (...) {
    return nullptr;  // no memory to remember it
  }
}

cublasStatus_t Bf16Products::launch(const Bf16Product& product, const Plan& plan, const void* a, const void* b, void* c,
                                    float alpha, bool accumulate, void* workspace, cudaStream_t stream) const noexcept {
  Description description(product);
  if (description.status() != CUBLAS_STATUS_SUCCESS) return description.status();
  const float beta = accumulate ? 1.0f : 0.0f;
  return cublas_library().matmul(handle_, description.operation(), &alpha, b, description.b(), a, description.a(),
                                 &beta, c, description.c(), c, description.c(), &plan.algorithm, workspace,
                                 plan.workspace_bytes, stream);
}

void keep_status(const Exec& exec, cublasStatus_t status, const char* kernel) noexcept {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const cudaError_t error = cudaGetLastError();
  keep_error(exec, error == cudaSuccess ? cudaErrorUnknown : error, kernel);
}

}  // namespace tern::cuda
