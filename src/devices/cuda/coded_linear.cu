// SPDX-License-Identifier: Apache-2.0
// Products with coded weights, and bounds on the exact ones. A warp takes a group of 32 weight rows, one to each lane,
// block of columns after block, with up to eight rows of activations, which the warps of a block share. Dot products
// within blocks are of bytes; a lane adds them up in chain order, so that y has the CPU's bits for equal codes.
#include <algorithm>

#include "devices/cuda/activation_codes.cuh"
#include "devices/cuda/aligned_bytes.h"
#include "devices/cuda/coded_entries.h"
#include "devices/cuda/coded_layout.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/score_bits.cuh"
#include "devices/cuda/tables.h"
#include "devices/cuda/warp.cuh"

namespace tern::cuda {
namespace {

constexpr int kWarps = 8, kThreads = kWarp * kWarps;  // of a block for several rows
constexpr int kMostWarps = 32;                        // of one for a single row

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

// x's norm and that of what its codes lose, at least.
struct RowNorms {
  double value, error;
};

// Stores one element: y, and bounds where they are asked for, which it returns.
__device__ LeadingBound finish(const CodedLinearArgs& args, const Rounding& rounding, const RowNorms& norms,
                               int64_t row, int64_t column, float y) {
  const int64_t at = row * args.n + column;
  if (args.y) args.y[at] = y;
  if (!args.low && !args.high) return {};
  const Bound bound = bound_of(norms.value, norms.error, rounding);
  const float norm = args.w_norm[column];
  float margin = fmaf(norm, bound.from_norm, 0x1p-100f);
  margin = fmaf(args.w_error[column], bound.from_error, margin);
  // Makes it NaN where y did, or linear may, overflow.
  margin = fmaf(norm * bound.from_overflow, 0.0f, margin);
  margin = fmaf(y, 0.0f, margin);
  const LeadingBound both = {y - margin, y + margin, static_cast<int32_t>(column)};
  if (args.low) args.low[at] = both.low;
  if (args.high) args.high[at] = both.high;
  return both;
}

__device__ int32_t dot_block(const uint32_t (&quads)[kCodedQuads], const uint4 (&q)[kCodedBlock / 16]) {
  int32_t sum = 0;
#pragma unroll
  for (int i = 0; i < kCodedQuads; i += 4) {
    const uint4 four = q[i / 4];
    sum = __dp4a(static_cast<int>(quads[i]), static_cast<int>(four.x), sum);
    sum = __dp4a(static_cast<int>(quads[i + 1]), static_cast<int>(four.y), sum);
    sum = __dp4a(static_cast<int>(quads[i + 2]), static_cast<int>(four.z), sum);
    sum = __dp4a(static_cast<int>(quads[i + 3]), static_cast<int>(four.w), sum);
  }
  return sum;
}

// Some blocks of columns of the rows of activations, in shared memory.
template <int kPlanes, int kRows>
struct Activations {
  static constexpr int kBlocks = kRows <= 4 ? 64 : 32;

  uint4 q[kRows][kPlanes][kBlocks][kCodedBlock / 16];
  float scale[kRows][kBlocks];
  int32_t sums[kRows][kBlocks];  // of q

  // Those from block `first` on, by all of a block. Rows beyond the last repeat it.
  __device__ void bring(const CodedLinearArgs& args, int64_t first_row, int first, int blocks) {
    const int count = min(blocks - first, kBlocks);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const int64_t row = min(first_row + r, args.rows - 1);
#pragma unroll
      for (int plane = 0; plane < kPlanes; ++plane) {
        const auto* const from =
            reinterpret_cast<const uint4*>(args.q + (row * kPlanes + plane) * args.q_stride + first * kCodedBlock);
        uint4* const to = q[r][plane][0];
        for (int i = threadIdx.x; i < count * (kCodedBlock / 16); i += kThreads) to[i] = from[i];
      }
      for (int i = threadIdx.x; i < count; i += kThreads) {
        scale[r][i] = args.scale[row * blocks + first + i];
        sums[r][i] = args.sums[row * blocks + first + i];
      }
    }
  }

  // Codes them in place of code_activations. Adds the thread's squares.
  __device__ void code(const CodedLinearArgs& args, int64_t row, int first, int blocks, SquareSums& squares) {
    static_assert(kRows == 1);
    const int count = min(blocks - first, kBlocks), in_block = static_cast<int>(threadIdx.x) % kCodedQuads;
    const bool lines = args.k % kQuad == 0 && reinterpret_cast<uintptr_t>(args.x) % sizeof(float4) == 0;
    const auto at_once = static_cast<int>(blockDim.x) / kCodedQuads;
    for (int begin = 0; begin < count; begin += at_once) {
      const int b = begin + static_cast<int>(threadIdx.x) / kCodedQuads;
      const int64_t col = int64_t{first + b} * kCodedBlock + in_block * kQuad;
      float values[kQuad] = {};
      if (b < count) {
        if (lines && col < args.k) {
          const float4 line = *reinterpret_cast<const float4*>(args.x + row * args.k + col);
          values[0] = line.x, values[1] = line.y, values[2] = line.z, values[3] = line.w;
        } else {
          load_quad(args.x + row * args.k, col, args.k, values);
        }
      }
      const float block_scale = block_maximum(values) / code_limit(kPlanes);
      const QuadCodes codes = code_activation_quad(values, kPlanes, block_scale, squares);
      const int32_t sum = sum_of_lanes<kCodedQuads>(codes.sum);
      if (b >= count) continue;
#pragma unroll
      for (int plane = 0; plane < kPlanes; ++plane) {
        reinterpret_cast<uint32_t*>(q[0][plane][b])[in_block] = codes.plane[plane];
      }
      if (in_block == 0) {
        scale[0][b] = block_scale;
        sums[0][b] = sum;
      }
    }
  }

  // Σ q·(2u + 1 - 2^bits) of a block.
  template <int kBits>
  __device__ float products(const uint32_t (&quads)[kCodedQuads], int row, int block) const {
    int32_t total = dot_block(quads, q[row][0][block]);
    if constexpr (kPlanes == 2) total = 128 * total + dot_block(quads, q[row][1][block]);
    return static_cast<float>(2 * total + coded_offset(kBits) * sums[row][block]);
  }
};

// A lane's row of a block of columns, as it is packed.
template <int kBits>
struct PackedBlock {
  uint32_t words[coded_words(kBits)];
  int8_t multiple;
};

// A lane's row, block after block.
template <int kBits>
class PackedRow {
 public:
  __device__ PackedRow(const CodedParts<const uint8_t>& parts, int64_t first_block, int lane)
      : words_(reinterpret_cast<const uint4*>(parts.words + coded_piece_at(kBits, first_block, 0, lane))),
        multiples_(parts.multiples + first_block * kCodedRows + lane) {}

  // Asks for the next. Each is read once: not to be kept.
  __device__ void load(PackedBlock<kBits>& to) {
#pragma unroll
    for (int piece = 0; piece < coded_pieces(kBits); ++piece) {
      const uint4 four = __ldcs(words_ + piece * kCodedRows);
      to.words[4 * piece] = four.x;
      to.words[4 * piece + 1] = four.y;
      to.words[4 * piece + 2] = four.z;
      to.words[4 * piece + 3] = four.w;
    }
    to.multiple = __ldcs(multiples_);
    words_ += coded_pieces(kBits) * kCodedRows;
    multiples_ += kCodedRows;
  }

 private:
  const uint4* words_;
  const int8_t* multiples_;
};

// Squares of a row that a block codes, the sums of its warps.
using SquaresOfWarps = double2[kMostWarps];

// By all of a block, before a barrier.
__device__ void leave_squares(SquaresOfWarps& of_warps, SquareSums squares) {
  squares.fold();
  if (threadIdx.x % kWarp == 0) of_warps[threadIdx.x / kWarp] = {squares.value, squares.error};
}

// After it, by all of a warp.
__device__ RowNorms norms_of(const SquaresOfWarps& of_warps) {
  SquareSums all;
  const unsigned lane = threadIdx.x % kWarp;
  if (lane < blockDim.x / kWarp) all = {of_warps[lane].y, of_warps[lane].x};
  all.fold();
  return {norm_above(all.value), norm_above(all.error)};
}

// The leaders of what a block has, one of each row.
template <int kRows>
class Leaders {
 public:
  struct Memory {
    LeadingBound of_warp[kRows][kMostWarps];
  };

  __device__ explicit Leaders(Memory& memory) : memory_(memory), warp_(threadIdx.x / kWarp) {
    if (threadIdx.x % kWarp < kRows) memory_.of_warp[threadIdx.x % kWarp][warp_].column = -1;
    __syncwarp();
  }

  // By all of a warp: lanes without a column have one of -1.
  __device__ void add(int r, const LeadingBound& of_lane) {
    LeadingBound& best = memory_.of_warp[r][warp_];
    const LeaderKey key = leader_key(of_lane), greatest = greatest_of_lanes(key);
    const bool is_better = key == greatest && key > leader_key(best);
    __syncwarp();
    if (is_better) best = of_lane;
    __syncwarp();
  }

  // By all of a block, at the end: leaders [rows, kLeadingBounds].
  __device__ void store(int64_t rows, LeadingBound* leaders) const {
    __syncthreads();
    for (int64_t row = warp_; row < rows; row += blockDim.x / kWarp) {
      const unsigned lane = threadIdx.x % kWarp;
      const LeadingBound none = {-INFINITY, -INFINITY, -1};
      const LeadingBound of_lane = lane < blockDim.x / kWarp ? memory_.of_warp[row][lane] : none;
      const LeaderKey key = leader_key(of_lane), greatest = greatest_of_lanes(key);
      LeadingBound* const to = leaders + row * kLeadingBounds;
      if (greatest == 0 ? lane == 0 : key == greatest) to[blockIdx.x] = greatest == 0 ? none : of_lane;
      for (int64_t i = blockIdx.x + (lane + 1) * gridDim.x; i < kLeadingBounds; i += kWarp * gridDim.x) to[i] = none;
    }
  }

 private:
  Memory& memory_;
  const unsigned warp_;
};

// How the work is shared: tiles have as many groups each, the first ones one more. Tiles of the same groups follow each
// other, so that their codes come from memory once.
struct CodedPlan {
  int64_t row_tiles, group_tiles;
  int groups, more_groups;  // of a tile, and how many tiles have one more

  CodedPlan(int64_t of_rows, int64_t of_groups, int64_t all_groups)
      : row_tiles(of_rows),
        group_tiles(of_groups),
        groups(static_cast<int>(all_groups / of_groups)),
        more_groups(static_cast<int>(all_groups % of_groups)) {}

  int64_t tiles() const { return row_tiles * group_tiles; }
  unsigned warps() const { return static_cast<unsigned>(groups + (more_groups > 0 ? 1 : 0)); }
};

// A tile is up to a group for each warp by kRows rows of activations. A single row is coded here.
//
// 128256 x 2560 in 6 bits take 60 us on an H200, where reading them takes 55. With four warps for a group, each with
// blocks of columns of its own and their terms added up by one of them behind a barrier, it was 69; with three or four
// blocks on their way to the registers of fewer warps 77 and 65; with two or three on their way to shared memory 62
// and 64.
template <int kBits, int kPlanes, int kRows>
__global__ void __launch_bounds__(kRows == 1 ? kWarp * kMostWarps : kThreads, kRows == 1 ? 1 : 2)
    coded_products(const __grid_constant__ CodedLinearArgs args, CodedParts<const uint8_t> parts, Rounding rounding,
                   CodedPlan plan, int64_t tiles) {
  using Rows = Activations<kPlanes, kRows>;
  constexpr bool kSelf = kRows == 1;
  constexpr int kStages = kSelf && kBits == 8 ? 1 : 2;  // blocks that a warp has on their way, as registers have room
  __shared__ Rows rows;
  __shared__ SquaresOfWarps squares_of_warps;
  __shared__ typename Leaders<kRows>::Memory leader_memory;
  Leaders<kRows> leaders(leader_memory);
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int blocks = static_cast<int>(coded_blocks(args.k));
  let_next_start();
  for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
    const int64_t group_tile = plan.row_tiles == 1 ? tile : tile / plan.row_tiles;
    const int64_t first_row = (tile - group_tile * plan.row_tiles) * kRows;
    const int group =
        static_cast<int>(group_tile) * plan.groups + min(static_cast<int>(group_tile), plan.more_groups) + warp;
    const bool has_group = warp < plan.groups + (group_tile < plan.more_groups ? 1 : 0);
    const int own_blocks = has_group ? blocks : 0;
    PackedRow<kBits> row(parts, int64_t{group} * blocks, lane);
    PackedBlock<kBits> packed[kStages];
#pragma unroll
    for (int s = 0; s < kStages; ++s) {
      if (s < own_blocks) row.load(packed[s]);
    }
    if (tile == blockIdx.x) wait_for_inputs();
    float sums[kRows] = {};
    SquareSums squares;
    for (int first = 0; first < blocks; first += Rows::kBlocks) {
      __syncthreads();  // all are done with the activations before
      if constexpr (kSelf) {
        rows.code(args, first_row, first, blocks, squares);
        if (first + Rows::kBlocks >= blocks) leave_squares(squares_of_warps, squares);
      } else {
        rows.bring(args, first_row, first, blocks);
      }
      __syncthreads();
      const int count = min(own_blocks - first, Rows::kBlocks);
      for (int begin = 0; begin < count; begin += kStages) {
#pragma unroll
        for (int s = 0; s < kStages; ++s) {
          const int i = begin + s;
          if (i >= count) break;
          uint32_t quads[kCodedQuads];
          unpack_quads<kBits>(packed[s].words, quads);
          const auto multiple = static_cast<float>(packed[s].multiple);
          if (first + i + kStages < blocks) row.load(packed[s]);
#pragma unroll
          for (int r = 0; r < kRows; ++r) {
            sums[r] = fmaf(rows.template products<kBits>(quads, r, i), multiple * rows.scale[r][i], sums[r]);
          }
        }
      }
    }
    const int64_t column = int64_t{group} * kCodedRows + lane;
    const bool has_column = has_group && column < args.n;
    RowNorms norms = {};
    if (kSelf && blocks > 0) norms = norms_of(squares_of_warps);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const int64_t row_of_x = first_row + r;
      if (row_of_x >= args.rows) break;
      if (!kSelf) norms = {args.x_norm[row_of_x], args.x_error[row_of_x]};
      LeadingBound bounds = {0.0f, 0.0f, -1};
      if (has_column) bounds = finish(args, rounding, norms, row_of_x, column, parts.factors[column] * sums[r]);
      if (args.leaders) leaders.add(r, bounds);
    }
  }
  if (args.leaders) leaders.store(args.rows, args.leaders);
}

// One row: the groups are spread over the multiprocessors as evenly as they come, a block for each with all of its own.
template <int kBits, int kPlanes>
void launch_row(const Exec& exec, const CodedLinearArgs& args) {
  const CodedParts<const uint8_t> parts(args.packed, args.n, args.k, kBits);
  const int64_t groups = coded_groups(args.n), device = multiprocessors(exec);
  const CodedPlan plan(1, std::min(groups, device * ceil_div(groups, device * kMostWarps)), groups);
  launch_early(exec, "coded_linear", coded_products<kBits, kPlanes, 1>,
               static_cast<unsigned>(std::min(plan.tiles(), device)), kWarp * plan.warps(), 0, args, parts,
               rounding_of(args.k), plan, plan.tiles());
}

template <int kBits, int kPlanes, int kRows>
void launch(const Exec& exec, const CodedLinearArgs& args) {
  const CodedParts<const uint8_t> parts(args.packed, args.n, args.k, kBits);
  const int64_t groups = coded_groups(args.n);
  const CodedPlan plan(ceil_div(args.rows, kRows), ceil_div(groups, kWarps), groups);
  const int64_t blocks = args.leaders ? std::min(plan.tiles(), kLeadingBounds) : plan.tiles();
  launch_early(exec, "coded_linear", coded_products<kBits, kPlanes, kRows>, blocks_for(blocks, 1), kThreads, 0, args,
               parts, rounding_of(args.k), plan, plan.tiles());
}

template <int kBits, int kPlanes>
void launch(const Exec& exec, const CodedLinearArgs& args) {
  if (args.x) {
    launch_row<kBits, kPlanes>(exec, args);
  } else if (args.rows <= 4) {
    launch<kBits, kPlanes, 4>(exec, args);
  } else {
    launch<kBits, kPlanes, 8>(exec, args);
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
                                 .coded_linear = coded_linear,
                                 .self_coded_rows = 1};
static_assert(complete(kTable));

}  // namespace

const CodedKernels kCoded = kTable;

}  // namespace tern::cuda
