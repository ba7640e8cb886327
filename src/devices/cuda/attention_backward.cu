// SPDX-License-Identifier: Apache-2.0
// Gradients of attention.cu, for any head and GPU; attention_backward_wgmma.cu has what compute capability 9.0 does for
// heads of up to 128. One kernel for dq, one for dk and dv. A block owns 64 queries of a head, or 64 keys of a key
// head, and walks what they meet 64 rows at a time in ascending order: keys; or, head by head of the group, queries.
// With lse and D known, a meeting of 64 by 64 needs nothing of the others, and no two blocks add to the same sums.
#include <cstddef>

#include "devices/cuda/attention_backward.h"
#include "devices/cuda/attention_entries.h"
#include "devices/cuda/attention_panels.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kOwnRows = kPanelRows * kPanelThreads / kThreads;  // of a thread
constexpr int kSlice = 64;                                       // columns of a panel
constexpr int kRow = kSlice + kPanelPadding;
constexpr int kColumns = kSlice / kPanelThreads;  // of a thread

using Panel = float[kPanelRows * kRow];
using Products = float[kOwnRows][kThreadRows];
using Sums = float[kOwnRows][kColumns];

struct BackwardPass {
  AttentionBackwardArgs args;
  const float* delta;  // D, [batch, heads, tokens]
};

__global__ void __launch_bounds__(kThreads)
    sum_deltas(const __grid_constant__ AttentionBackwardArgs args, float* delta) {
  const int64_t rows = args.batch * args.tokens * args.heads;
  constexpr int64_t kWarps = kThreads / kWarp;
  for (int64_t row = blockIdx.x * kWarps + threadIdx.x / kWarp; row < rows; row += gridDim.x * kWarps) {
    float sum = 0.0f;
    for (int64_t i = threadIdx.x % kWarp; i < args.dim; i += kWarp) {
      sum = fmaf(args.d_out[row * args.dim + i], args.out[row * args.dim + i], sum);
    }
    sum = sum_of_lanes(sum);
    const int64_t entry = row / (args.tokens * args.heads), token = row / args.heads % args.tokens;
    if (threadIdx.x % kWarp == 0) delta[(entry * args.heads + row % args.heads) * args.tokens + token] = sum;
  }
}

// Queries with their results' gradients, or keys with values: what meets in scores and what meets in score gradients.
// Rows of one head, `stride` apart.
struct Side {
  const float *of_scores, *of_gradients;
  int64_t stride;
};

// Where the sums of a block go, [*, dim] with rows `stride` apart.
struct Target {
  float* rows;
  int64_t stride;
};

struct MeetingMemory {
  alignas(16) Panel own, other;
  alignas(16) Panel gradients, weights;  // [other row, own row]; the weights last, for only blocks of keys need them
};

// kOfKeys: the block owns keys. kSlices: of the columns, whose sums are in registers; the rows can be read in quads.
// 0: any rows and columns, the sums are in memory.
template <bool kOfKeys, int kSlices>
class GradientTile {
 public:
  static constexpr size_t kBytes = sizeof(MeetingMemory) - (kOfKeys ? 0 : sizeof(Panel));

  __device__ GradientTile(MeetingMemory& memory, const BackwardPass& pass, int64_t entry, int64_t kv_head, int64_t tile)
      : memory_(memory),
        pass_(pass),
        args_(pass.args),
        entry_(entry),
        kv_head_(kv_head),
        begin_(tile * kPanelRows),
        dim_(static_cast<int>(args_.dim)),
        thread_(static_cast<int>(threadIdx.x)) {}

  __device__ void run_queries(int64_t head) {
    static_assert(!kOfKeys);
    sums_.target = {args_.dq + offset(head, args_.heads), args_.heads * args_.dim};
    meet(queries(head), keys(), head, 0, begin_ + kPanelRows, true);
    keep(sums_);
  }

  __device__ void run_keys() {
    static_assert(kOfKeys);
    const int64_t group = args_.heads / args_.kv_heads, at = offset(kv_head_, args_.kv_heads);
    sums_.target = {args_.dk + at, args_.kv_heads * args_.dim};
    value_sums_.target = {args_.dv + at, args_.kv_heads * args_.dim};
    for (int64_t i = 0; i < group; ++i) {
      const int64_t head = kv_head_ * group + i;
      meet(keys(), queries(head), head, begin_, args_.tokens, i == 0);
    }
    keep(sums_);
    keep(value_sums_);
  }

 private:
  struct SliceSums {
    Sums held[kSlices > 0 ? kSlices : 1] = {};
    Target target;
  };

  __device__ int panel_thread() const { return thread_ % kPanelThreads; }
  __device__ int own_row() const { return thread_ / kPanelThreads * kOwnRows; }

  __device__ int64_t offset(int64_t head, int64_t heads) const {
    return (entry_ * args_.tokens * heads + head) * args_.dim;
  }
  __device__ Side queries(int64_t head) const {
    const int64_t at = offset(head, args_.heads);
    return {args_.q + at, args_.d_out + at, args_.heads * args_.dim};
  }
  __device__ Side keys() const {
    const int64_t at = offset(kv_head_, args_.kv_heads);
    return {args_.k + at, args_.v + at, args_.kv_heads * args_.dim};
  }

  // The rows of `other` in [begin, end), begin a multiple of 64. `fresh`: nothing was met before.
  __device__ void meet(const Side& own, const Side& other, int64_t head, int64_t begin, int64_t end, bool fresh) {
    for (int64_t first = begin; first < end; first += kPanelRows) {
      const int64_t query_row = (entry_ * args_.heads + head) * args_.tokens;
      weigh(own, other, first, args_.lse + query_row);
      derive(own, other, first, pass_.delta + query_row);
      const bool first_sums = fresh && first == begin;
      add_rows(other.of_scores, other.stride, first, memory_.gradients, sums_, first_sums);
      if constexpr (kOfKeys) {
        add_rows(other.of_gradients, other.stride, first, memory_.weights, value_sums_, first_sums);
      }
    }
  }

  // 64 rows of a slice, zeros where there are none.
  __device__ void load_panel(const float* rows, int64_t stride, int64_t first, int column, Panel& panel) const {
    constexpr int kQuads = kSlice / 4, kAll = kPanelRows * kQuads / kThreads;
    float4 quads[kAll];
#pragma unroll
    for (int b = 0; b < kAll; ++b) {
      const int i = b * kThreads + thread_, at = column + i % kQuads * 4;
      const int64_t row = first + i / kQuads;
      quads[b] =
          row < args_.tokens && at < dim_ ? row_quad<(kSlices > 0)>(rows + row * stride, at, dim_) : float4{0, 0, 0, 0};
    }
#pragma unroll
    for (int b = 0; b < kAll; ++b) {
      const int i = b * kThreads + thread_;
      *reinterpret_cast<float4*>(panel + i / kQuads * kRow + i % kQuads * 4) = quads[b];
    }
  }

  __device__ void add_products(const float* own, int64_t own_stride, const float* other, int64_t other_stride,
                               int64_t first, Products& sums) {
    for (int column = 0; column < dim_; column += kSlice) {
      load_panel(own, own_stride, begin_, column, memory_.own);
      load_panel(other, other_stride, first, column, memory_.other);
      __syncthreads();
      add_dots(memory_.own + own_row() * kRow, kRow, memory_.other + panel_thread() * kRow, kRow,
               (min(kSlice, dim_ - column) + 3) / 4, sums);
      __syncthreads();
    }
  }

  // The thread's part of [other row, own row].
  __device__ float* factors_of(Panel& panel, int j) const {
    return panel + (panel_thread() + kPanelThreads * j) * kRow + own_row();
  }
  // Where weights are until score gradients are known, or for good.
  __device__ Panel& weights() const { return kOfKeys ? memory_.weights : memory_.gradients; }

  // An element of a query's head, for own row i and the thread's other row j; any for queries that there are not.
  __device__ float of_query(const float* x, int64_t first, int i, int j) const {
    const int64_t query = kOfKeys ? first + panel_thread() + kPanelThreads * j : begin_ + own_row() + i;
    return query < args_.tokens ? __ldg(x + query) : 0.0f;
  }

  // Weights of all pairs, even of those that do not see each other: nobody asks for these.
  __device__ void weigh(const Side& own, const Side& other, int64_t first, const float* lse) {
    Products scores = {};
    add_products(own.of_scores, own.stride, other.of_scores, other.stride, first, scores);
#pragma unroll
    for (int j = 0; j < kThreadRows; ++j) {
      float factors[kOwnRows];
#pragma unroll
      for (int i = 0; i < kOwnRows; ++i) factors[i] = expf(scores[i][j] * args_.scale - of_query(lse, first, i, j));
      store_floats(factors, factors_of(weights(), j));
    }
  }

  // From weights to score gradients; each thread reads what it wrote.
  __device__ void derive(const Side& own, const Side& other, int64_t first, const float* delta) {
    Products gradients = {};
    add_products(own.of_gradients, own.stride, other.of_gradients, other.stride, first, gradients);
#pragma unroll
    for (int j = 0; j < kThreadRows; ++j) {
      float factors[kOwnRows];
      load_floats(factors_of(weights(), j), factors);
#pragma unroll
      for (int i = 0; i < kOwnRows; ++i) {
        factors[i] = factors[i] * (gradients[i][j] - of_query(delta, first, i, j)) * args_.scale;
      }
      store_floats(factors, factors_of(memory_.gradients, j));
    }
  }

  // Whether a query sees a key, by their rows in panels that begin with the same token. Of two other panels that meet,
  // every query sees every key.
  __device__ static bool sees(int own, int other) { return kOfKeys ? own <= other : other <= own; }

  // sums += Σ factors[other row] · other row.
  __device__ void add_rows(const float* rows, int64_t stride, int64_t first, const Panel& factors, SliceSums& sums,
                           bool fresh) {
    if constexpr (kSlices > 0) {
#pragma unroll
      for (int slice = 0; slice < kSlices; ++slice) {
        if (slice * kSlice < dim_) add_slice(rows, stride, first, slice, factors, sums.held[slice]);
      }
    } else {
      for (int slice = 0; slice * kSlice < dim_; ++slice) {
        Sums now = {};
        if (!fresh) for_target(sums.target, slice, [&](float& sum, int i, int c) { now[i][c] = sum; });
        add_slice(rows, stride, first, slice, factors, now);
        for_target(sums.target, slice, [&](float& sum, int i, int c) { sum = now[i][c]; });
      }
    }
  }

  __device__ void add_slice(const float* rows, int64_t stride, int64_t first, int slice, const Panel& factors,
                            Sums& sums) {
    load_panel(rows, stride, first, slice * kSlice, memory_.other);
    __syncthreads();
    const int count = static_cast<int>(min(int64_t{kPanelRows}, args_.tokens - first));
    if (first == begin_) {
      add_panel<false>(count, factors, sums);
    } else {
      add_panel<true>(count, factors, sums);
    }
    __syncthreads();
  }

  // What a row does not see, or is not seen by, may be anything: it must not meet its sums even with a factor of 0.
  template <bool all_seen>
  __device__ void add_panel(int count, const Panel& factors, Sums& sums) const {
#pragma unroll 4
    for (int other = 0; other < count; ++other) {
      float of_row[kOwnRows], columns[kColumns];
      load_floats(factors + other * kRow + own_row(), of_row);
      load_floats(memory_.other + other * kRow + panel_thread() * kColumns, columns);
#pragma unroll
      for (int i = 0; i < kOwnRows; ++i) {
#pragma unroll
        for (int c = 0; c < kColumns; ++c) {
          if (all_seen || sees(own_row() + i, other)) sums[i][c] = fmaf(of_row[i], columns[c], sums[i][c]);
        }
      }
    }
  }

  // Calls act(element, i, c) for the thread's elements of a slice.
  template <class Act>
  __device__ void for_target(const Target& target, int slice, const Act& act) const {
#pragma unroll
    for (int i = 0; i < kOwnRows; ++i) {
      const int64_t row = begin_ + own_row() + i;
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        const int column = slice * kSlice + panel_thread() * kColumns + c;
        if (row < args_.tokens && column < dim_) act(target.rows[row * target.stride + column], i, c);
      }
    }
  }

  __device__ void keep(const SliceSums& sums) const {
#pragma unroll
    for (int slice = 0; slice < kSlices; ++slice) {
      for_target(sums.target, slice, [&](float& sum, int i, int c) { sum = sums.held[slice][i][c]; });
    }
  }

  MeetingMemory& memory_;
  const BackwardPass& pass_;
  const AttentionBackwardArgs& args_;
  const int64_t entry_, kv_head_, begin_;
  const int dim_, thread_;
  SliceSums sums_, value_sums_;  // of dq, or of dk and dv
};

// Blocks with more to do start first: late queries, early keys.
template <bool kOfKeys, int kSlices>
__global__ void __launch_bounds__(kThreads, kSlices <= 2 ? 2 : 1)
    add_gradients(const __grid_constant__ BackwardPass pass) {
  extern __shared__ uint4 shared_memory[];
  MeetingMemory& memory = *reinterpret_cast<MeetingMemory*>(shared_memory);
  const AttentionBackwardArgs& args = pass.args;
  const int64_t heads = kOfKeys ? args.kv_heads : args.heads, tiles = ceil_div(args.tokens, kPanelRows);
  for (int64_t i = blockIdx.x; i < args.batch * heads * tiles; i += gridDim.x) {
    const int64_t head = i % heads, entry = i / heads % args.batch, tile = i / heads / args.batch;
    if constexpr (kOfKeys) {
      GradientTile<true, kSlices>(memory, pass, entry, head, tile).run_keys();
    } else {
      const int64_t kv_head = head / (args.heads / args.kv_heads);
      GradientTile<false, kSlices>(memory, pass, entry, kv_head, tiles - 1 - tile).run_queries(head);
    }
  }
}

template <bool kOfKeys, int kSlices>
void launch(const Exec& exec, const BackwardPass& pass, const char* name) {
  const AttentionBackwardArgs& args = pass.args;
  const auto kernel = add_gradients<kOfKeys, kSlices>;
  constexpr size_t kBytes = GradientTile<kOfKeys, kSlices>::kBytes;
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int{kBytes}), name);
  const int64_t blocks = args.batch * (kOfKeys ? args.kv_heads : args.heads) * ceil_div(args.tokens, kPanelRows);
  kernel<<<blocks_for(blocks, 1), kThreads, kBytes, stream_of(exec)>>>(pass);
  launched(exec, name);
}

template <int kSlices>
void launch_both(const Exec& exec, const BackwardPass& pass, const char* name) {
  launch<false, kSlices>(exec, pass, name);
  launch<true, kSlices>(exec, pass, name);
}

}  // namespace

void attention_backward(const Exec& exec, const AttentionBackwardArgs& args) noexcept {
  constexpr const char* kName = "attention_backward";
  const int64_t rows = args.batch * args.tokens * args.heads;
  if (rows == 0) return;
  if (is_hopper(exec) && args.dim <= kWidestWgmmaHead) return attention_backward_wgmma(exec, args);
  const Room delta(exec, static_cast<size_t>(rows) * sizeof(float), kName);
  if (!delta) return;
  sum_deltas<<<blocks_for(rows, kThreads / kWarp), kThreads, 0, stream_of(exec)>>>(args, delta.as<float>());
  launched(exec, kName);
  const BackwardPass pass = {args, delta.as<float>()};
  if (args.dim > 4 * kSlice || !in_quads(args.dim, 0, args.q, args.k, args.v, args.d_out)) {
    launch_both<0>(exec, pass, kName);
  } else if (args.dim <= kSlice) {
    launch_both<1>(exec, pass, kName);
  } else if (args.dim <= 2 * kSlice) {
    launch_both<2>(exec, pass, kName);
  } else {
    launch_both<4>(exec, pass, kName);
  }
}

}  // namespace tern::cuda
