// SPDX-License-Identifier: Apache-2.0
// The entries of kTernary (device/kernels.h says what each does) and the ways of the product.
#pragma once

#include "device/kernels.h"
#include "device/mixed_kernels.h"

namespace tern::cuda {

size_t ternary_packed_bytes(TernaryLayout layout, int64_t rows, int64_t cols) noexcept;
void ternary_pack(const Exec& exec, const TernaryPackArgs& args) noexcept;
void ternary_unpack(const Exec& exec, const TernaryUnpackArgs& args) noexcept;
void ternary_quantize(const Exec& exec, const TernaryQuantizeArgs& args) noexcept;

// The ways take any sizes with rows > 0 and Σ n > 0, and want q on 16 bytes. They give the same bits. A block of
// theirs has 16 outputs or more, so those that any memory holds are fewer than a grid's x can count.

// Few rows of activations: bound by reading the weights. Passes of up to kMostGemvRows rows.
inline constexpr int64_t kMostGemvRows = 32;
void ternary_gemv(const Exec& exec, const TernaryMatmulArgs& args) noexcept;

// Rows up to which norm_ternary_matmul costs less than norm_quantize and ternary_matmul, which it calls beyond, and for
// rows that are too long for it or do not lie on 16 bytes.
inline constexpr int64_t kMostNormTernaryRows = 4;
void norm_ternary_matmul(const Exec& exec, const NormTernaryArgs& args) noexcept;
void norm_gated_ternary_matmul(const Exec& exec, const NormTernaryArgs& args) noexcept;

// Many rows: bound by arithmetic. The blocks it would run at the least are what tells whether they fill the device.
int64_t ternary_gemm_blocks(const TernaryMatmulArgs& args) noexcept;
void ternary_gemm(const Exec& exec, const TernaryMatmulArgs& args) noexcept;

// Many rows where is_hopper(exec), k > 0.
void ternary_wgmma(const Exec& exec, const TernaryMatmulArgs& args) noexcept;

// relu(gate)²·up of two products, of n columns each, to part[0].y, where is_hopper(exec), rows and n > 0. False where k
// is too long for it: then nothing was done.
bool ternary_wgmma_gate(const Exec& exec, const TernaryMatmulArgs& args) noexcept;

// The same product with the results of `results`, of which `product` has the operands. False where it is not for this
// way, being too small for the device or too long in k: then nothing was done.
bool ternary_wgmma_to_bf16(const Exec& exec, const TernaryMatmulArgs& product,
                           const MixedTernaryArgs& results) noexcept;
// Whether it rotates the parts that are to be rotated so, too.
bool ternary_wgmma_rotates(const MixedRotation& rotation) noexcept;

}  // namespace tern::cuda
