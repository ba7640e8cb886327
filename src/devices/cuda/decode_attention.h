// SPDX-License-Identifier: Apache-2.0
// Attention of the passes that have one row of each of a few sequences.
#pragma once

#include "device/kernels.h"

namespace tern::cuda {

// Whether paged_attention(args) was left to decode_attention.cu: the same bits, sooner.
bool decode_attention(const Exec& exec, const PagedAttentionArgs& args) noexcept;

}  // namespace tern::cuda
