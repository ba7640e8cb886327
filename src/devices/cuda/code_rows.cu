// SPDX-License-Identifier: Apache-2.0
// Coding weights and activations, with the norms of what that loses. Sixteen lanes code a block, four columns each; the
// formulas of codes, multiples and scales are the CPU's, so that equal inputs get equal codes.
#include "devices/cuda/activation_codes.cuh"
#include "devices/cuda/coded_entries.h"
#include "devices/cuda/coded_layout.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/warp.cuh"
#include "devices/cuda/weight_elements.cuh"

namespace tern::cuda {
namespace {

constexpr int kWarps = 8;  // of a block that codes weights
constexpr int kThreads = kWarp * kWarps;
constexpr int kRowWarps = 32, kRowThreads = kWarp * kRowWarps;  // of one that codes a row of activations

// The least multiple of the row's step with which 2^bits codes reach a block's maximum.
__device__ int multiple_above(float maximum, float unit) {
  if (!(maximum > 0.0f) || !(unit > 0.0f)) return 0;
  const float ratio = maximum / unit;
  const int whole = static_cast<int>(ratio < 127.0f ? ratio : 127.0f);
  return static_cast<float>(whole) < ratio && whole < 127 ? whole + 1 : whole;
}

// Codes a quad of a row whose columns left from here are `left`: c = round(w / step - 1/2), step = 2·multiple·factor;
// ŵ = factor·(multiple·(2c + 1)). Returns its stored bytes.
template <int kBits>
__device__ uint32_t code_quad(const float (&w)[kQuad], int64_t left, float factor, float multiple, SquareSums& sums) {
  constexpr float kHalf = 1 << (kBits - 1);
  const float step = 2.0f * multiple * factor;
  const float inverse = step > 0.0f ? 1.0f / step : 0.0f;
  uint32_t quad = 0;
#pragma unroll
  for (int i = 0; i < kQuad; ++i) {
    const int code = round_clamped(fmaf(w[i], inverse, -0.5f), -kHalf, kHalf - 1.0f);
    const float number = fmaf(static_cast<float>(code), 2.0f * multiple, multiple);  // exact: at most 127·255
    if (i < left) sums.add(w[i], fmaf(-factor, number, w[i]));
    quad |= (static_cast<uint32_t>(stored_code(kBits, code)) & 0xffu) << (8 * i);
  }
  return quad;
}

// A warp codes a row, two blocks at a time. Rows beyond the matrix, up to `rows`, are rows of no columns: zeros.
template <int kBits, class T>
__global__ void __launch_bounds__(kThreads)
    code_weights(CodeRowsArgs args, const T* w, CodedParts<uint8_t> parts, int64_t rows) {
  const int lane = threadIdx.x % kWarp, in_block = lane % kCodedQuads;
  const int64_t blocks = coded_blocks(args.cols), warps = int64_t{gridDim.x} * kWarps;
  for (int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp; row < rows; row += warps) {
    const bool real = row < args.rows;
    const int64_t cols = real ? args.cols : 0, group = row / kCodedRows;
    const int row_lane = static_cast<int>(row % kCodedRows);
    const T* const from = w + (real ? row : 0) * args.cols;
    float greatest = 0.0f;
    for (int64_t col = lane; col < cols; col += kWarp) greatest = fmaxf(greatest, fabsf(number_of(from[col])));
    const float factor = max_of_lanes(greatest) / static_cast<float>(127 << kBits);
    SquareSums sums;
    for (int64_t pair = 0; pair < blocks; pair += 2) {
      const int64_t b = pair + lane / kCodedQuads, col = b * kCodedBlock + in_block * kQuad;
      float values[kQuad];
      load_quad(from, col, cols, values);
      const int multiple = multiple_above(block_maximum(values), factor * static_cast<float>(1 << kBits));
      const uint32_t quad = code_quad<kBits>(values, cols - col, factor, static_cast<float>(multiple), sums);
      const uint32_t word = packed_word<kBits>(quad, in_block);
      if (b >= blocks) continue;
      const int64_t block = group * blocks + b;
      if (in_block < coded_words(kBits)) {
        parts.words[coded_piece_at(kBits, block, in_block / 4, row_lane) + in_block % 4] = word;
      }
      if (in_block == 0) parts.multiples[block * kCodedRows + row_lane] = static_cast<int8_t>(multiple);
    }
    sums.fold();
    if (lane == 0) {
      parts.factors[row] = factor;
      if (real) {
        args.error[row] = norm_above(sums.error);
        args.norm[row] = norm_above(sums.value);
      }
    }
  }
}

template <class T>
void code_weights_of(const Exec& exec, const CodeRowsArgs& args, const T* w) {
  const CodedParts<uint8_t> parts(args.packed, args.rows, args.cols, args.bits);
  const int64_t rows = coded_groups(args.rows) * kCodedRows;
  const auto kernel = args.bits == 4 ? code_weights<4, T> : args.bits == 6 ? code_weights<6, T> : code_weights<8, T>;
  kernel<<<blocks_for(rows, kWarps), kThreads, 0, stream_of(exec)>>>(args, w, parts, rows);
  launched(exec, "code_rows");
}

// Adds the sums of a block's warps; those of the first warp have the total.
__device__ void fold_block(SquareSums& sums) {
  __shared__ double error[kRowWarps], value[kRowWarps];
  sums.fold();
  __syncthreads();  // the sums of the row before have been read
  if (threadIdx.x % kWarp == 0) {
    error[threadIdx.x / kWarp] = sums.error;
    value[threadIdx.x / kWarp] = sums.value;
  }
  __syncthreads();
  if (threadIdx.x >= kWarp) return;
  sums.error = error[threadIdx.x];
  sums.value = value[threadIdx.x];
  sums.fold();
}

// A block codes a row, as many blocks of columns at a time as it has groups of 16 lanes.
__global__ void __launch_bounds__(kRowThreads) code_activation_rows(CodeActivationsArgs args) {
  constexpr int kAtOnce = kRowThreads / kCodedQuads;
  const int in_block = threadIdx.x % kCodedQuads;
  const int64_t blocks = args.q_stride / kCodedBlock;
  const float limit = code_limit(args.planes);
  let_next_start();
  wait_for_inputs();
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    SquareSums sums;
    for (int64_t first = 0; first < blocks; first += kAtOnce) {
      const int64_t b = first + threadIdx.x / kCodedQuads, col = b * kCodedBlock + in_block * kQuad;
      float values[kQuad];
      load_quad(args.x + row * args.cols, col, args.cols, values);
      const float scale = block_maximum(values) / limit;
      const QuadCodes codes = code_activation_quad(values, args.planes, scale, sums);
      if (b < blocks) {
        for (int plane = 0; plane < args.planes; ++plane) {
          int8_t* const q = args.q + (row * args.planes + plane) * args.q_stride + col;
#pragma unroll
          for (int i = 0; i < kQuad; ++i) q[i] = static_cast<int8_t>(codes.plane[plane] >> (8 * i));
        }
      }
      const int32_t total = sum_of_lanes<kCodedQuads>(codes.sum);
      if (b < blocks && in_block == 0) {
        args.scale[row * blocks + b] = scale;
        args.sums[row * blocks + b] = total;
      }
    }
    fold_block(sums);
    if (threadIdx.x == 0) {
      args.error[row] = norm_above(sums.error);
      args.norm[row] = norm_above(sums.value);
    }
  }
}

}  // namespace

void code_rows(const Exec& exec, const CodeRowsArgs& args) noexcept {
  if (args.rows == 0) return;
  with_weights(args.w_dtype, args.w, [&](const auto* w) { code_weights_of(exec, args, w); });
}

void code_activations(const Exec& exec, const CodeActivationsArgs& args) noexcept {
  if (args.rows == 0) return;
  launch_early(exec, "code_activations", code_activation_rows, blocks_for(args.rows, 1), kRowThreads, 0, args);
}

}  // namespace tern::cuda
