// SPDX-License-Identifier: Apache-2.0
// Stores keys and values in pages: a warp for each token, head, and key or value.
#include "devices/cuda/attention_entries.h"
#include "devices/cuda/kv_write.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 128;

template <KvType type>
__global__ void __launch_bounds__(kThreads) append(const __grid_constant__ KvAppendArgs args) {
  const int64_t heads = args.kv.kv_heads, tasks = args.batch.rows * heads * 2;
  constexpr int64_t kWarps = kThreads / kWarp;
  for (int64_t task = blockIdx.x * kWarps + threadIdx.x / kWarp; task < tasks; task += gridDim.x * kWarps) {
    const bool values = task % 2 != 0;
    const int64_t row = task / 2 / heads, head = task / 2 % heads;
    append_head<type>(args.kv, args.batch, values ? args.v : args.k, sequence_of_row(args.batch, row), row, head,
                      values);
  }
}

}  // namespace

void kv_append(const Exec& exec, const KvAppendArgs& args) noexcept {
  const int64_t tasks = args.batch.rows * args.kv.kv_heads * 2;
  if (tasks == 0) return;
  with_kv_type(args.kv.type, [&](auto type) {
    append<decltype(type)::value><<<blocks_for(tasks, kThreads / kWarp), kThreads, 0, stream_of(exec)>>>(args);
    launched(exec, "kv_append");
  });
}

}  // namespace tern::cuda
