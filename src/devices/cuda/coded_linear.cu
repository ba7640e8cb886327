// SPDX-License-Identifier: Apache-2.0
// Products with coded weights, and bounds on the exact ones. The warps of a block share a group of 32 weight rows, one
// to each lane, and take its blocks of 64 columns in turns, with up to four rows of activations, which all lanes read
// together. Dot products within blocks are of bytes; one warp for each row of activations then adds them up in chain
// order, so that y has the CPU's bits for equal codes.
#include "devices/cuda/aligned_bytes.h"
#include "devices/cuda/coded_entries.h"
#include "devices/cuda/coded_layout.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

constexpr int kWarps = 4;  // of a block

// γ(n) of the roundings that y and linear make, with u = 2^-24 and γ(n) = n·u / (1 - n·u).
struct Rounding {
  double coded, exact;
};

double gamma(int64_t roundings) {
  const double sum = static_cast<double>(roundings) * 0x1p-24;
  return sum / (1.0 - sum);
}

constexpr int64_t kSplitRoundings = 1728;

Rounding rounding_of(int64_t k) { return {gamma(coded_blocks(k) + 16), gamma(k / 16 + 16 + kSplitRoundings)}; }

// What |y - l| is at most, for the exact product l of CodedLinearArgs: from_error·w_error[j] + from_norm·w_norm[j].
//
// With X = ‖x‖, D = ‖x - x̂‖, N = ‖w‖, E = ‖w - ŵ‖ (so ‖x̂‖ <= X + D, ‖ŵ‖ <= N + E):
//   coding      x·w - x̂·ŵ = x·(w - ŵ) + (x - x̂)·ŵ, at most X·E + D·(N + E) by Cauchy and Schwarz;
//   y           each block's term takes at most blocks + 4 roundings (float(I), float(multiple)·scale, one fma for
//               itself and each block after it, ·factor): off by at most γ(blocks + 4)·(X + D)·(N + E);
//   linear      each product takes at most k/32 + 4 fma's and 5 additions (linear.cu), which is at most k/16 + 12 in
//               whole numbers: off by at most γ(k/16 + 12)·X·N; or, with weights in bf16, 48 instructions of tensor
//               cores for a span of 256 columns and k/256 + 1 additions (split_bf16.cuh). Of an instruction we take
//               that it cuts each of its 17 addends, and their sum, to the 24 leading bits of the greatest at least:
//               off by at most 18·2u times the span's share of X·N, 1728·u·X·N over all;
//   low, high   one rounding of y ∓ ε, at most u·(|y| + ε), and three in ε itself: four more roundings to each of the
//               above, and 4·u·(X + D)·(N + E) for |y|.
// Products of the small integers never underflow, being multiples of a scale; the last product and linear's may, by
// 2^-149 each: 2^-100 covers them for k < 2^24; and what splits of activations lose below 2^-133, or below 2^-126 where
// tensor cores pass over subnormal numbers, 2^-110·N covers. Partial sums of linear, in any order, are at most X·N·(1 +
// γ): it overflows only where 4·X·N does.
struct Bound {
  float from_error, from_norm, from_overflow;
};

__device__ float rounded_up(double x) { return static_cast<float>(x) * (1.0f + 0x1p-22f); }

__device__ Bound bound_of(double norm, double error, const Rounding& rounding) {
  constexpr double kSlack = 1.0 + 8 * 0x1p-24;
  const double coded = rounding.coded * (norm + error);
  return {rounded_up((norm + error + coded) * kSlack),
          rounded_up((error + coded + rounding.exact * norm) * kSlack + 0x1p-110), rounded_up(4.0 * norm)};
}

// Stores one element: y, and bounds where they are asked for.
__device__ void finish(const CodedLinearArgs& args, const Rounding& rounding, int64_t row, int64_t column, float y) {
  const int64_t at = row * args.n + column;
  if (args.y) args.y[at] = y;
  if (!args.low && !args.high) return;
  const Bound bound = bound_of(static_cast<double>(args.x_norm[row]), static_cast<double>(args.x_error[row]), rounding);
  const float norm = args.w_norm[column];
  float margin = fmaf(norm, bound.from_norm, 0x1p-100f);
  margin = fmaf(args.w_error[column], bound.from_error, margin);
  // Makes it NaN where y did, or linear may, overflow.
  margin = fmaf(norm * bound.from_overflow, 0.0f, margin);
  margin = fmaf(y, 0.0f, margin);
  if (args.low) args.low[at] = y - margin;
  if (args.high) args.high[at] = y + margin;
}

// This lane's row of a block, numbered through all groups, as it is packed. Each weight is read once: not to be kept.
template <int kBits>
__device__ void load_words(const uint32_t* words, int64_t block, int lane, uint32_t (&packed)[coded_words(kBits)]) {
#pragma unroll
  for (int piece = 0; piece < coded_pieces(kBits); ++piece) {
    const uint4 four = __ldcs(reinterpret_cast<const uint4*>(words + coded_piece_at(kBits, block, piece, lane)));
    packed[4 * piece] = four.x;
    packed[4 * piece + 1] = four.y;
    packed[4 * piece + 2] = four.z;
    packed[4 * piece + 3] = four.w;
  }
}

__device__ int32_t dot_block(const uint32_t (&quads)[kCodedQuads], const int8_t* q) {
  int32_t sum = 0;
#pragma unroll
  for (int i = 0; i < kCodedQuads; i += 4) {
    const uint4 four = __ldg(reinterpret_cast<const uint4*>(q + i * 4));
    sum = __dp4a(static_cast<int>(quads[i]), static_cast<int>(four.x), sum);
    sum = __dp4a(static_cast<int>(quads[i + 1]), static_cast<int>(four.y), sum);
    sum = __dp4a(static_cast<int>(quads[i + 2]), static_cast<int>(four.z), sum);
    sum = __dp4a(static_cast<int>(quads[i + 3]), static_cast<int>(four.w), sum);
  }
  return sum;
}

// Blocks of columns that the warps take between two barriers.
constexpr int kTurn = 8 * kWarps;

// A block's term of a sum: Σ q·(2u + 1 - 2^bits), and what it is in units of.
struct Term {
  float products, unit;
};

// A tile is one group by kRows rows of activations. Tiles of the same group follow each other, so that its codes come
// from memory once. Rows beyond the last repeat it.
template <int kBits, int kPlanes, int kRows>
__global__ void __launch_bounds__(32 * kWarps) coded_tiles(CodedLinearArgs args, CodedParts<const uint8_t> parts,
                                                           Rounding rounding, int64_t row_tiles, int64_t tiles) {
  static_assert(kRows <= kWarps);
  constexpr int kAtOnce = kRows > 1 ? 1 : 2;  // blocks that a warp has on their way
  __shared__ Term terms[kRows][kTurn][kCodedRows];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int64_t blocks = coded_blocks(args.k);
  for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const int64_t group = tile / row_tiles, first_row = tile % row_tiles * kRows;
    int64_t row_blocks[kRows];  // the number of a row's first block, counted through all rows
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      row_blocks[r] = (first_row + r < args.rows ? first_row + r : args.rows - 1) * blocks;
    }
    float sum = 0.0f;  // of this warp's row
    for (int64_t first = 0; first < blocks; first += kTurn) {
      const int count = static_cast<int>(blocks - first < kTurn ? blocks - first : kTurn);
      for (int begin = warp; begin < count; begin += kAtOnce * kWarps) {
        uint32_t packed[kAtOnce][coded_words(kBits)];
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j) {
          const int i = begin + j * kWarps;
          if (i < count) load_words<kBits>(parts.words, group * blocks + first + i, lane, packed[j]);
        }
#pragma unroll
        for (int j = 0; j < kAtOnce; ++j) {
          const int i = begin + j * kWarps;
          if (i >= count) break;
          const int64_t b = first + i;
          uint32_t quads[kCodedQuads];
          unpack_quads<kBits>(packed[j], quads);
          const auto multiple = static_cast<float>(parts.multiples[(group * blocks + b) * kCodedRows + lane]);
#pragma unroll
          for (int r = 0; r < kRows; ++r) {
            const int64_t at = row_blocks[r] + b;
            const int8_t* const q = args.q + (row_blocks[r] * kPlanes + b) * kCodedBlock;
            int32_t total = dot_block(quads, q);
            if constexpr (kPlanes == 2) total = 128 * total + dot_block(quads, q + args.q_stride);
            total = 2 * total + coded_offset(kBits) * args.sums[at];
            terms[r][i][lane] = {static_cast<float>(total), multiple * args.scale[at]};
          }
        }
      }
      __syncthreads();
      if (warp < kRows) {
#pragma unroll 8
        for (int i = 0; i < count; ++i) sum = fmaf(terms[warp][i][lane].products, terms[warp][i][lane].unit, sum);
      }
      __syncthreads();
    }
    const int64_t row = first_row + warp, column = group * kCodedRows + lane;
    if (warp < kRows && row < args.rows && column < args.n) {
      finish(args, rounding, row, column, parts.factors[column] * sum);
    }
  }
}

template <int kBits, int kPlanes, int kRows>
void launch(const Exec& exec, const CodedLinearArgs& args) {
  const CodedParts<const uint8_t> parts(args.packed, args.n, args.k, kBits);
  const int64_t row_tiles = ceil_div(args.rows, kRows), tiles = row_tiles * coded_groups(args.n);
  coded_tiles<kBits, kPlanes, kRows>
      <<<blocks_for(tiles, 1), 32 * kWarps, 0, stream_of(exec)>>>(args, parts, rounding_of(args.k), row_tiles, tiles);
  launched(exec, "coded_linear");
}

template <int kBits, int kPlanes>
void launch(const Exec& exec, const CodedLinearArgs& args) {
  if (args.rows == 1) {
    launch<kBits, kPlanes, 1>(exec, args);
  } else {
    launch<kBits, kPlanes, 4>(exec, args);
  }
}

template <int kBits>
void launch(const Exec& exec, const CodedLinearArgs& args) {
  if (args.planes == 2) {
    launch<kBits, 2>(exec, args);
  } else {
    launch<kBits, 1>(exec, args);
  }
}

// With q where loads of 16 bytes may read it.
void launch_aligned(const Exec& exec, const CodedLinearArgs& args) {
  switch (args.bits) {
    case 4:
      return launch<4>(exec, args);
    case 6:
      return launch<6>(exec, args);
    default:
      return launch<8>(exec, args);
  }
}

}  // namespace

void coded_linear(const Exec& exec, const CodedLinearArgs& args) noexcept {
  if (args.rows == 0 || args.n == 0) return;
  const AlignedBytes q(exec, args.q, args.rows * args.planes * args.q_stride, "coded_linear");
  if (!q) return;
  CodedLinearArgs aligned = args;
  aligned.q = q.get();
  launch_aligned(exec, aligned);
}

namespace {

// A block of 1536 bytes of 6-bit codes takes a multiprocessor about 100 cycles to read at the full bandwidth of its
// memory, and one plane of one row 8 cycles of byte products: two planes hide behind the reading. linear reads 4096
// bytes for it in bf16, so bounds cost less up to about a dozen rows; 8 leaves room for what they write besides.
constexpr CodedKernels kTable = {.screen_planes = 2,
                                 .screen_rows = 8,
                                 .coded_bytes = coded_bytes,
                                 .code_rows = code_rows,
                                 .code_activations = code_activations,
                                 .coded_linear = coded_linear};
static_assert(complete(kTable));

}  // namespace

const CodedKernels kCoded = kTable;

}  // namespace tern::cuda
