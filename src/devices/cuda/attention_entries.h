// SPDX-License-Identifier: Apache-2.0
// The entries of kAttention (device/kernels.h says what each does).
#pragma once

#include "device/kernels.h"

namespace tern::cuda {

void attention(const Exec& exec, const AttentionArgs& args) noexcept;
void attention_backward(const Exec& exec, const AttentionBackwardArgs& args) noexcept;
void kv_append(const Exec& exec, const KvAppendArgs& args) noexcept;
void paged_attention(const Exec& exec, const PagedAttentionArgs& args) noexcept;

}  // namespace tern::cuda
