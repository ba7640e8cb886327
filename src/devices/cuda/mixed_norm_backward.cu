// SPDX-License-Identifier: Apache-2.0
// The gradient of a normalization, of rows of bf16. Threads keep the sums of their columns over all rows that they
// take; those of a block are added in shared memory, those of all blocks by a second kernel, always in the same order.
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/mixed_ratio.cuh"
#include "devices/cuda/row_groups.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "mixed_norm_backward";

// What the elements of a row are multiplied by.
struct RowFactors {
  float inv, z, add, e;

  __device__ RowFactors(const MixedNormBackwardArgs& args, int64_t row) : inv(0.0f), z(1.0f), add(1.0f), e(1.0f) {
    if (row >= args.rows) return;
    inv = args.inv_rms[row];
    if (args.q_scale) z = args.q_scale[row];
    if (args.add_q_scale) add = args.add_q_scale[row];
    if (args.e_q_scale) e = args.e_q_scale[row];
  }
  // Apart from the loads of the row's numbers, so that these can be under way meanwhile.
  __device__ void divide(const MixedNormBackwardArgs& args) {
    z = number_at(args.weight_scale) * z;
    if (args.e_q_scale) e = 1.0f / e;
  }
};

// The matrices that are read, by number.
constexpr int kX = 0, kZ = 1, kAdd = 2, kGate = 2, kMatrices = 3;

__device__ float4* quads_of(float* row, int octet) { return reinterpret_cast<float4*>(row + int64_t{kOctet} * octet); }

__device__ void put_floats(float* row, int octet, const Octet& x) {
  quads_of(row, octet)[0] = {x.at[0], x.at[1], x.at[2], x.at[3]};
  quads_of(row, octet)[1] = {x.at[4], x.at[5], x.at[6], x.at[7]};
}

__device__ Octet get_floats(float* row, int octet) {
  const float4 low = quads_of(row, octet)[0], high = quads_of(row, octet)[1];
  return {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
}

// total = Σ of the groups' sums, in their order; sums[i] is of a thread's octet i. By all of the block, whose shared
// memory is free.
template <int kThreads, int kHeld>
__device__ void add_groups(const RowGroup<kThreads>& group, const Octet (&sums)[kHeld], int octets, float* shared,
                           float* total) {
  constexpr int kCols = kThreads * kHeld * kOctet;  // at least as many
  __syncthreads();
  for_octets<kHeld>(group, octets, [&](int i, int at) { put_floats(shared + group.index() * kCols, at, sums[i]); });
  __syncthreads();
  for (int j = static_cast<int>(threadIdx.x); j < octets * kOctet; j += kGroupBlock) {
    float sum = shared[j];
#pragma unroll
    for (int other = 1; other < RowGroup<kThreads>::kGroups; ++other) sum += shared[other * kCols + j];
    total[j] = sum;
  }
}

// `block_sums` [blocks, cols] is for the gradient of the weight; null where that is not asked for.
template <int kThreads, int kHeld, bool kGated>
__global__ void __launch_bounds__(kGroupBlock, 2)
    pull_back(const __grid_constant__ MixedNormBackwardArgs args, int stages, float* block_sums) {
  extern __shared__ uint4 shared[];
  __shared__ typename RowGroup<kThreads>::Slots slots;
  RowGroup<kThreads> group(slots);
  const int64_t cols = args.cols;
  const int octets = static_cast<int>(cols / kOctet);
  const float per_col = 1.0f / static_cast<float>(cols);
  float* const own_sums = block_sums ? block_sums + blockIdx.x * cols : nullptr;
  let_next_start();
  wait_for_inputs();
  using Weights = ColumnWeights<kThreads, kHeld>;
  const RowMatrix matrices[] = {{args.x, cols}, {args.z, args.z_stride}, {kGated ? args.gate : args.add, cols}};
  uint4* const stage_memory = shared + Weights::kPlaces;
  RowReader<kThreads, kHeld, kMatrices> reader(matrices, args.rows, octets, stages, stage_memory);
  const Weights weights(args.weight, octets, reinterpret_cast<float4*>(shared));
  __syncthreads();

  Octet sums[kHeld > 0 ? kHeld : 1] = {};
  if constexpr (kHeld == 0) {
    if (own_sums) for_octets<0>(group, octets, [&](int, int at) { put_floats(own_sums, at, {}); });
  }
  const auto add_to_sums = [&](int i, int at, const Octet& dy, const Octet& normal) {
    if constexpr (kHeld > 0) {
      sums[i] = add_products(sums[i], dy, normal);
    } else if (own_sums) {
      put_floats(own_sums, at, add_products(get_floats(own_sums, at), dy, normal));
    }
  };

  RowFactors ahead(args, group.first_row());
  for (int64_t row = group.first_row(); group.is_left(row, args.rows); row += group.step()) {
    RowFactors by = ahead;
    ahead = RowFactors(args, row + group.step());
    reader.next();
    by.divide(args);
    const bool is_row = row < args.rows;
    const auto h = [&](int i, int at) {
      const Octet x = reader.octet(kX, i, at);
      if constexpr (kGated) return gated(x, reader.octet(kGate, i, at));
      return x;
    };
    const auto dy = [&](int i, int at) {
      return map_pack<kOctet>([by](float z) { return z * by.z; }, reader.octet(kZ, i, at));
    };
    const auto times = [](float a, float b) { return a * b; };
    Octet products = {};
    for_octets<kHeld>(group, octets, [&](int i, int at) {
      const Octet input = h(i, at), slope = dy(i, at);
      products = add_products(products, map_pack<kOctet>(times, slope, weights.octet(at)), input);
      if (is_row) add_to_sums(i, at, slope, map_pack<kOctet>([by](float v) { return v * by.inv; }, input));
    });
    const float c = group.sum(sum_of(products)) * by.inv * by.inv * per_col;
    __syncwarp();  // the row is read from shared memory again: there are no registers for it
    if (!is_row) continue;
    const float x_factor = kGated ? by.e * number_of(args.x_factor) : 1.0f;
    for_octets<kHeld>(group, octets, [&](int i, int at) {
      if (at >= octets) return;
      const Octet dh = map_pack<kOctet>([c, by](float slope, float w, float v) { return by.inv * (slope * w - v * c); },
                                        dy(i, at), weights.octet(at), h(i, at));
      if constexpr (kGated) {
        const Octet x = reader.octet(kX, i, at), gate = reader.octet(kGate, i, at);
        const auto d_gate = [by](float d, float v, float g) { return d * v * (2.0f * relu(g)) * by.e; };
        const auto d_x = [x_factor](float d, float g) {
          const float r = relu(g);
          return d * (r * r) * x_factor;
        };
        put_halves(args.e_gate + row * args.e_stride, at, map_pack<kOctet>(d_gate, dh, x, gate));
        put_halves(args.e_x + row * args.e_stride, at, map_pack<kOctet>(d_x, dh, gate));
      } else {
        const auto sum = [by](float a, float b) { return (a * by.add + b) * by.e; };
        put_halves(args.d + row * cols, at, map_pack<kOctet>(sum, reader.octet(kAdd, i, at), dh));
      }
    });
  }
  if constexpr (kHeld > 0) {
    if (own_sums) add_groups(group, sums, octets, reinterpret_cast<float*>(stage_memory), own_sums);
  }
}

// y[j] = Σ over the blocks of sums[block, j]: a warp adds every 32nd block for 32 columns, then the warps' sums are
// added.
__global__ void __launch_bounds__(1024) add_blocks(const float* sums, int64_t blocks, int64_t cols, float* y) {
  __shared__ float of_warps[kWarp][kWarp + 1];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  let_next_start();
  wait_for_inputs();
  for (int64_t begin = int64_t{kWarp} * blockIdx.x; begin < cols; begin += int64_t{kWarp} * gridDim.x) {
    const int64_t j = begin + lane;
    float sum = 0.0f;
    if (j < cols) {
#pragma unroll 8
      for (int64_t block = warp; block < blocks; block += kWarp) sum += sums[block * cols + j];
    }
    of_warps[warp][lane] = sum;
    __syncthreads();
    sum = sum_of_lanes(of_warps[lane][warp]);
    if (lane == 0 && begin + warp < cols) y[begin + warp] = sum;
    __syncthreads();
  }
}

template <bool kGated>
void launch(const Exec& exec, const MixedNormBackwardArgs& args) {
  const RowShare share = row_share(exec, args.cols, kMatrices);
  const auto bytes = static_cast<size_t>(shared_bytes(share, kMatrices));
  with_share(share, [&](auto threads, auto held) {
    const auto kernel = pull_back<threads(), held(), kGated>;
    const unsigned blocks = resident_blocks(exec, kName, kernel, share, args.rows, bytes);
    const size_t sums = static_cast<size_t>(std::max(blocks, 1u)) * static_cast<size_t>(args.cols);
    const Room room(exec, args.d_weight ? sums * sizeof(float) : 0, kName);
    if (args.d_weight && !room) return;
    if (blocks > 0) launch_early(exec, kName, kernel, blocks, kGroupBlock, bytes, args, share.stages, room.as<float>());
    if (!args.d_weight) return;
    launch_early(exec, kName, add_blocks, blocks_for(args.cols, kWarp), kWarp * kWarp, 0, room.as<float>(),
                 int64_t{blocks}, args.cols, args.d_weight);
  });
}

}  // namespace

void mixed_norm_backward(const Exec& exec, const MixedNormBackwardArgs& args) noexcept {
  if (args.cols == 0) return;
  if (args.gate) return launch<true>(exec, args);
  launch<false>(exec, args);
}

}  // namespace tern::cuda
