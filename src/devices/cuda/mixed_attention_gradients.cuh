// SPDX-License-Identifier: Apache-2.0
// What the kernels of the gradients of attention in bf16 share: their operands, products of tiles of 64 tokens, how a
// tile's gradients are written, and launches. compute_90a.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "devices/cuda/mixed_attention.cuh"
#include "devices/cuda/mixed_ratio.cuh"

namespace tern::cuda {

// What products of keys with a tile's queries, and of values with their gradients, begin with: -lse as a score, and -D
// (of FlashAttention, arXiv:2205.14135, algorithm 4). Weights, then, are powers of 2 of the sums, and their gradients
// are weights times sums. Queries beyond the sequence's have weights of 0.
struct alignas(16) Marks {
  float scores[kTileTokens], gradients[kTileTokens];
};

struct BackwardPass {
  MixedAttentionBackwardArgs args;
  Schedule schedule;
  CUtensorMap queries, d_outs, outs, keys, values;
  Marks* marks;      // [entry][head][tiles]
  unsigned* taken;   // of Work
  float power;       // of 2, of a score of 1; not 0
  int tiles, group;  // of a sequence; heads that share a key head
};

// Of a tile that begins within the sequence.
__device__ __forceinline__ int tokens_of(const MixedAttentionBackwardArgs& args, int tile) {
  return static_cast<int>(min(args.tokens - int64_t{tile} * kTileTokens, int64_t{kTileTokens}));
}

// kOwns: buffers for the own tiles of an item.
template <int kPanels_, int kGroups_, int kStages_, int kOwns_>
struct GradientShape {
  static constexpr int kPanels = kPanels_, kGroups = kGroups_, kStages = kStages_, kOwns = kOwns_;
  static constexpr int kThreads = (kGroups + 1) * kGroupThreads;  // one group gives its registers to the others
  static constexpr int kTileBytes = kPanels * kPanelBytes;
  static constexpr bool kTurnsAround = false;  // at each item of a line, as query_tile
};

constexpr int kSums = kPanelColumns / 2;  // of a lane, of a panel
constexpr int kTileDepths = kTileTokens / kProductDepth;

using Products = float[kSums];
template <int kPanels>
using Sums = float[kPanels][kSums];
using Weights = uint32_t[kTileDepths][4];

template <int kPanels>
__device__ __forceinline__ void settle_all(Sums<kPanels>& sums) {
#pragma unroll
  for (auto& panel : sums) settle(panel);
}

template <int kCount>
__device__ __forceinline__ void settle_all(uint32_t (&operands)[kCount][4]) {
#pragma unroll
  for (auto& each : operands) settle(each);
}

// products = rows of a tile, in shared memory or in registers, times those of another one, plus products where `adds`.
template <int kPanels>
__device__ __forceinline__ void multiply(uint64_t own, uint64_t other, bool adds, Products& products) {
#pragma unroll
  for (int depth = 0; depth < kPanels * kPanelColumns / kProductDepth; ++depth) {
    add_row_products(products, columns_of<kTileTokens>(own, depth), columns_of<kTileTokens>(other, depth),
                     depth > 0 || adds);
  }
}

template <int kPanels>
__device__ __forceinline__ void multiply(const RowOperands<kPanels>& own, uint64_t other, bool adds,
                                         Products& products) {
#pragma unroll
  for (int depth = 0; depth < kPanels * kPanelColumns / kProductDepth; ++depth) {
    add_row_products(products, own[depth], columns_of<kTileTokens>(other, depth), depth > 0 || adds);
  }
}

// sums = weights · the tile's rows, plus sums where `adds`.
template <int kPanels>
__device__ __forceinline__ void add_rows(const Weights& weights, uint64_t tile, bool adds, Sums<kPanels>& sums) {
#pragma unroll
  for (int depth = 0; depth < kTileDepths; ++depth) {
#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel) {
      add_weighted_rows(sums[panel], weights[depth], tile + panel * (kPanelBytes / 16) + depth * kRowsStep,
                        depth > 0 || adds);
    }
  }
}

// Zeros where a query does not see the key, of a tile of keys and of queries that are the same tokens. kOfKeys: rows
// are keys, else queries.
template <bool kOfKeys>
__device__ __forceinline__ void hide(Products& weights) {
  __syncwarp();  // so that a branch around it stays one
#pragma unroll
  for (int i = 0; i < kSums; ++i) {
    const int row = LanePlace::row() + i / 2 % 2 * 8, column = i / 4 * 8 + LanePlace::column() + i % 2;
    if (kOfKeys ? row > column : column > row) weights[i] = 0.0f;
  }
}

// ---------------------------------------------------------------- results

// Calls act(constant) with the constant that dim / 16 is, one of the heads that take kPanels panels.
template <int kPanels, class Act>
__device__ __forceinline__ void with_half_blocks(int dim, const Act& act) {
  [&]<int... kI>(std::integer_sequence<int, kI...>) {
    ((dim == 16 * (4 * kPanels - 3 + kI) ? act(std::integral_constant<int, 4 * kPanels - 3 + kI>{}) : void()), ...);
  }
  (std::make_integer_sequence<int, 4>{});
}

// What gradients of the lane's rows of a tile are multiplied by.
using RowFactors = float[2];

template <int kPanels>
struct Turns {
  static constexpr int kBlocks = kPanels * kPanelColumns / 16;  // of 8 columns, of half a head
  float2 cos[2][kBlocks], sin[2][kBlocks];

  // Of the tokens [first, first + count).
  __device__ __forceinline__ void load(const MixedAttentionBackwardArgs& args, int64_t first, int count) {
    const int half = static_cast<int>(args.dim / 2);
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const int64_t at = (first + min(LanePlace::row() + 8 * row, count - 1)) * half + LanePlace::column();
#pragma unroll
      for (int block = 0; block < kBlocks; ++block) {
        const bool there = 8 * block < half;
        cos[row][block] = there ? *reinterpret_cast<const float2*>(args.cos + at + 8 * block) : float2{};
        sin[row][block] = there ? *reinterpret_cast<const float2*>(args.sin + at + 8 * block) : float2{};
      }
    }
  }
};

// Gradients of rotated heads become those of heads before; of the lane's first or second row.
template <int kPanels>
__device__ __forceinline__ void rotate_row_back(const float2 (&cos)[Turns<kPanels>::kBlocks],
                                                const float2 (&sin)[Turns<kPanels>::kBlocks], int dim, int row,
                                                Sums<kPanels>& sums) {
  with_half_blocks<kPanels>(dim, [&](auto half_blocks) {
    constexpr int kHalf = decltype(half_blocks)::value, kBlocks = kPanelColumns / 8;
#pragma unroll
    for (int block = 0; block < kHalf; ++block) {
      const float2 c = cos[block], s = sin[block];
      float* const low = &sums[block / kBlocks][block % kBlocks * 4 + 2 * row];
      float* const high = &sums[(block + kHalf) / kBlocks][(block + kHalf) % kBlocks * 4 + 2 * row];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const float turn_cos = i == 0 ? c.x : c.y, turn_sin = i == 0 ? s.x : s.y, x = low[i], y = high[i];
        low[i] = x * turn_cos + y * turn_sin;
        high[i] = y * turn_cos - x * turn_sin;
      }
    }
  });
}

template <int kPanels>
__device__ __forceinline__ void rotate_back(const Turns<kPanels>& turns, int dim, Sums<kPanels>& sums) {
#pragma unroll
  for (int row = 0; row < 2; ++row) rotate_row_back<kPanels>(turns.cos[row], turns.sin[row], dim, row, sums);
}

// Rows from `first` on, of which there are `count`, times `by`.
template <int kPanels>
__device__ __forceinline__ void keep_rows(const Sums<kPanels>& sums, const MixedAttentionBackwardArgs& args, bf16* to,
                                          int64_t first, int count, int64_t column_of_head, const RowFactors& by) {
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    if (LanePlace::row() + 8 * row >= count) continue;
    bf16* const head = to + (first + LanePlace::row() + 8 * row) * args.d_stride + column_of_head;
#pragma unroll
    for (int i = 2 * row; i < kPanels * kSums; i += 4) {
      const int column = i / 4 * 8 + LanePlace::column();
      const float* const pair = &sums[i / kSums][i % kSums];
      if (column < args.dim)
        *reinterpret_cast<uint32_t*>(head + column) = bf16_pair(pair[0] * by[row], pair[1] * by[row]);
    }
  }
}

template <int kPanels>
__device__ __forceinline__ void scale_all(float factor, Sums<kPanels>& sums) {
#pragma unroll
  for (auto& panel : sums) {
#pragma unroll
    for (float& sum : panel) sum *= factor;
  }
}

// ---------------------------------------------------------------- blocks

// By one thread: barriers of rings that a thread fills, with a warp the own tiles, which `owners` groups empty, and
// kGroups groups the others. At those of what threads read and write themselves each one arrives, elsewhere one of a
// warp.
template <class Shape, class Shared>
__device__ void init_rings(Shared& shared, int owners, int emptiers_of_group) {
  const auto init = [](auto& full, auto& empty, int bringers, int emptiers) {
    for (Barrier& each : full) each.init(bringers);
    for (Barrier& each : empty) each.init(emptiers);
  };
  for (Barrier& known : shared.known) known.init(1);
  init(shared.own_full, shared.own_empty, 1 + kWarp, owners * kGroupThreads);
  init(shared.full, shared.empty, 1, Shape::kGroups * emptiers_of_group);
  publish_barriers();
}

// The next item to all, by the thread that brings its own tiles, which then arrives at the barrier that it gets.
template <class Shared, int kOwns>
__device__ __forceinline__ Barrier& announce(Shared& shared, const Turn<kOwns>& own_turn, const Item& item) {
  shared.own_empty[own_turn.at].wait(own_turn.parity() ^ 1);
  shared.items[own_turn.at] = item;
  shared.known[own_turn.at].arrive();
  return shared.own_full[own_turn.at];
}

// ---------------------------------------------------------------- launches

inline BackwardPass backward_pass(const Exec& exec, const char* name, const MixedAttentionBackwardArgs& args,
                                  Marks* marks, unsigned* taken) {
  const auto map = [&](const bf16* rows, int64_t heads, int64_t stride) {
    return map_of_heads(exec, name, rows, args.batch, heads, args.tokens, args.dim, stride, kTileTokens);
  };
  BackwardPass pass;
  pass.args = args;
  pass.queries = map(args.q, args.heads, args.q_stride);
  pass.d_outs = map(args.d_out, args.heads, args.heads * args.dim);
  pass.outs = map(args.out, args.heads, args.heads * args.dim);
  pass.keys = map(args.k, args.kv_heads, args.k_stride);
  pass.values = map(args.v, args.kv_heads, args.v_stride);
  pass.marks = marks;
  pass.taken = taken;
  constexpr float kLeastPower = 0x1p-60f;  // below it scores are nothing beside an lse
  pass.power = args.scale * kLog2E;
  if (std::abs(pass.power) < kLeastPower) pass.power = kLeastPower;
  pass.tiles = static_cast<int>(ceil_div(args.tokens, kTileTokens));
  pass.group = static_cast<int>(args.heads / args.kv_heads);
  return pass;
}

// Blocks that take the pass's items, one for each multiprocessor.
template <class Shape, class Shared, class Pass>
void launch_pass(const Exec& exec, const char* name, void (*kernel)(Pass), const Pass& pass) {
  constexpr int kBytes = kSharedBytes<Shared>;
  static_assert(kBytes <= 227 * 1024);
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kBytes), name);
  const auto blocks = std::min<unsigned>(pass.schedule.items, static_cast<unsigned>(multiprocessors(exec)));
  launch_early(exec, name, kernel, blocks, Shape::kThreads, kBytes, pass);
}

}  // namespace tern::cuda
