// SPDX-License-Identifier: Apache-2.0
// The ternary products of mixed-precision training: results in bf16 with an optional residual, written by the product
// itself where it has many rows on Hopper, else made of its integer sums in a pass. Heads that it cannot rotate are
// rotated in a pass over them.
#include <algorithm>

#include "devices/cuda/bf16_rotation.cuh"
#include "devices/cuda/convert.cuh"
#include "devices/cuda/divisor.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/mixed_entries.h"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/tables.h"
#include "devices/cuda/ternary.h"
#include "devices/cuda/ternary_parts.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "mixed_ternary_matmul";
constexpr int kPack = 8;             // bf16 of 16 bytes, to which all rows lie
constexpr int64_t kMostRows = 4096;  // of sums at a time

// What both ways multiply, without a place for results and the scales of the weights.
TernaryMatmulArgs product_of(const MixedTernaryArgs& args) {
  TernaryMatmulArgs product = {};
  product.rows = args.rows;
  product.k = args.k;
  product.q_stride = args.q_stride;
  product.q = args.q;
  product.q_scale = args.q_scale;
  product.sums = args.sums;
  product.parts = args.parts;
  for (int i = 0; i < args.parts; ++i) {
    const MixedTernaryPart& part = args.part[i];
    product.part[i].packed = part.packed;
    product.part[i].n = part.n;
  }
  return product;
}

// acc [rows, n], to y.
struct Rounding {
  int64_t packs;
  Divisor packs_of_row;
  const int32_t* acc;
  const float *q_scale, *weight_scale;
  const bf16* residual;
  bf16* y;
  int64_t y_stride;
};

__global__ void __launch_bounds__(kPackThreads) round_rows(const __grid_constant__ Rounding rounding) {
  const float weight_scale = *rounding.weight_scale;
  for (int64_t i = thread_of_grid(); i < rounding.packs; i += threads_of_grid()) {
    const int64_t row = rounding.packs_of_row.quotient(i), column = (i - row * rounding.packs_of_row.divisor()) * kPack;
    const float factor = weight_scale / rounding.q_scale[row];
    auto x = map_pack<kPack>([factor](int32_t acc) { return static_cast<float>(acc) * factor; },
                             load_pack<kPack>(rounding.acc + i * kPack));
    if (rounding.residual) {
      const auto residual = load_pack<kPack>(rounding.residual + i * kPack);
#pragma unroll
      for (int l = 0; l < kPack; ++l) x.at[l] = number_of(residual.at[l]) + x.at[l];
    }
    store_pack(rounding.y + row * rounding.y_stride + column,
               map_pack([](float value) { return element_of<bf16>(value); }, x));
  }
}

// Of `rows` rows from `first` on, whose sums are in `room`.
void multiply_through_sums(const Exec& exec, const MixedTernaryArgs& args, TernaryMatmulArgs product, int64_t first,
                           int64_t rows, int32_t* room) {
  product.rows = rows;
  product.q += first * args.q_stride;
  product.q_scale += first;
  product.sums += first;
  int32_t* acc = room;
  for (int i = 0; i < args.parts; ++i) {
    product.part[i].acc = acc;
    acc += rows * product.part[i].n;
  }
  kTernary.ternary_matmul(exec, product);
  for (int i = 0; i < args.parts; ++i) {
    const MixedTernaryPart& part = args.part[i];
    if (part.n == 0) continue;
    const Rounding rounding = {.packs = rows * part.n / kPack,
                               .packs_of_row = Divisor(part.n / kPack),
                               .acc = product.part[i].acc,
                               .q_scale = product.q_scale,
                               .weight_scale = part.weight_scale,
                               .residual = part.residual ? part.residual + first * part.n : nullptr,
                               .y = part.y + first * part.y_stride,
                               .y_stride = part.y_stride};
    round_rows<<<blocks_for(rounding.packs, kPackThreads), kPackThreads, 0, stream_of(exec)>>>(rounding);
    launched(exec, kName);
  }
}

void multiply_through_sums(const Exec& exec, const MixedTernaryArgs& args, const TernaryMatmulArgs& product) {
  int64_t columns = 0;
  for (int i = 0; i < args.parts; ++i) columns += args.part[i].n;
  const int64_t rows_at_once = std::min(args.rows, kMostRows);
  const Room room(exec, static_cast<size_t>(rows_at_once * columns) * sizeof(int32_t), kName);
  if (!room) return;
  for (int64_t first = 0; first < args.rows; first += rows_at_once) {
    multiply_through_sums(exec, args, product, first, std::min(rows_at_once, args.rows - first), room.as<int32_t>());
  }
}

// Of n columns, whose heads are rotated where they are.
struct HeadsInPlace {
  MixedRotation rotation;
  int64_t rows;
  Divisor eights_of_row, eights_of_half;  // the low halves'
  bf16* y;
  int64_t y_stride;
};

__global__ void __launch_bounds__(kPackThreads) rotate_heads(const __grid_constant__ HeadsInPlace heads) {
  const int64_t count = heads.rows * heads.eights_of_row.divisor(), half = heads.rotation.dim / 2;
  for (int64_t i = thread_of_grid(); i < count; i += threads_of_grid()) {
    const int64_t row = heads.eights_of_row.quotient(i), in_row = i - row * heads.eights_of_row.divisor();
    const int64_t head = heads.eights_of_half.quotient(in_row);
    const int64_t column = (in_row - head * heads.eights_of_half.divisor()) * 8;
    bf16* const at = heads.y + row * heads.y_stride + head * heads.rotation.dim + column;
    Eight low = {*reinterpret_cast<const uint4*>(at)}, high = {*reinterpret_cast<const uint4*>(at + half)};
    const int64_t turn = row % heads.rotation.tokens * half + column;
    Turns8 turns;
    turns.load(heads.rotation.cos + turn, heads.rotation.sin + turn);
    turns.rotate(low, high);
    *reinterpret_cast<uint4*>(at) = low.vector;
    *reinterpret_cast<uint4*>(at + half) = high.vector;
  }
}

void rotate_parts(const Exec& exec, const MixedTernaryArgs& args) {
  for (int i = 0; i < args.parts; ++i) {
    const MixedTernaryPart& part = args.part[i];
    if (!part.rotated || part.n == 0) continue;
    const HeadsInPlace heads = {args.rotation, args.rows,    Divisor(part.n / 16), Divisor(args.rotation.dim / 16),
                                part.y,        part.y_stride};
    rotate_heads<<<blocks_for(args.rows * (part.n / 16), kPackThreads), kPackThreads, 0, stream_of(exec)>>>(heads);
    launched(exec, kName);
  }
}

}  // namespace

void mixed_ternary_matmul(const Exec& exec, const MixedTernaryArgs& args) noexcept {
  const TernaryMatmulArgs product = product_of(args);
  if (args.rows == 0 || column_blocks(product, kTileRows) == 0) return;
  const bool is_done = is_hopper(exec) && args.k > 0 && ternary_wgmma_to_bf16(exec, product, args);
  if (!is_done) multiply_through_sums(exec, args, product);
  if (!is_done || !ternary_wgmma_rotates(args.rotation)) rotate_parts(exec, args);
}

}  // namespace tern::cuda
