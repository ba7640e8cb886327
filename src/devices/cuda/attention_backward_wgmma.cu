// SPDX-License-Identifier: Apache-2.0
// Gradients of attention on GPUs of compute capability 9.0, for heads of up to 128 elements.
//
// First q with d_out, and k with v, become tiles of 64 rows of a head in bf16, as the products want them in shared
// memory, so that a tile comes in one copy, whatever the tensors' alignment: an element is one bf16, or, where products
// are to be as accurate as those of f32, the sum of three.
//
// Then one kernel for dq, one for dk and dv. A block has groups of four warps that own 64 rows each, queries or keys,
// and a warp that brings the tiles that they meet: those of keys, ascending; or, head by head of the group, of queries.
// No two blocks add to the same sums, and what a row's sums are made of, and in which order, depends on nothing but its
// place and the number of tokens. Blocks stay, and take what there is to do in a fixed order.
//
// Rows with elements that are not finite are packed as zeros, for products with weights of 0 must not spoil others. A
// query's lse is packed as NaN instead, also where its D is not finite; from the first token on whose key or value is
// so, gradients are NaN.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "devices/cuda/attention_backward.h"
#include "devices/cuda/bf16_pair.cuh"
#include "devices/cuda/block_memory.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/mbarrier.cuh"
#include "devices/cuda/warp.cuh"
#include "devices/cuda/wgmma_bf16.cuh"

namespace tern::cuda {
namespace {

constexpr int kTileRows = kGroupRows;
constexpr int kPanelBytes = kTileRows * kPanelRowBytes;
constexpr int kPieceBytes = 16, kPieceElements = 8, kPanelPieces = kPanelRowBytes / kPieceBytes;

// A tile: two sides, [planes][panels] each. Queries have q and d_out, keys have k and v: what makes scores and what
// makes their gradients.
template <int kPlanes_, int kPanels_>
struct Packing {
  static constexpr int kPlanes = kPlanes_, kPanels = kPanels_;
  static constexpr int kSideBytes = kPlanes * kPanels * kPanelBytes, kTileBytes = 2 * kSideBytes;
  // Weights are powers of 2, or of e where they have to be accurate.
  static constexpr bool kPowersOfTwo = kPlanes == 1;
};

// Of a query, the lse as the power that weights are divided by.
struct Mark {
  float lse, delta;
};

// Of lines, the heads of all entries; rows of a line are padded to whole tiles.
struct Packed {
  uint8_t *queries, *keys;  // tiles, [line][tile]
  Mark* marks;              // [line of queries][row]
  int* spoiled;             // [line of keys]: how many tokens there are from the first one on that spoils gradients
};

struct BackwardPass {
  AttentionBackwardArgs args;
  Packed packed;
  float power;  // of a score of 1: weights are powers of 2, or of e
  bool pairs;   // gradients can be written two at a time
};

constexpr float kLog2E = 1.44269504f;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

// Planes whose sums are x and y, as far as they go: each has what those before lack.
template <int kPlanes>
__device__ __forceinline__ void split_pair(float x, float y, uint32_t (&planes)[kPlanes]) {
#pragma unroll
  for (int i = 0; i < kPlanes; ++i) {
    planes[i] = bf16_pair(x, y);
    x -= __uint_as_float(planes[i] << 16);
    y -= __uint_as_float(planes[i] & 0xffff0000);
  }
}

// ---------------------------------------------------------------- packing

constexpr int kPackThreads = 256;

using Piece = float[kPieceElements];

// Elements of a row of `dim` from a column on, zeros beyond.
__device__ __forceinline__ void load_piece(const float* row, int column, int dim, bool in_quads, Piece& piece) {
  if (in_quads) {
#pragma unroll
    for (int i = 0; i < kPieceElements; i += 4) {
      const float4 quad = column + i < dim ? __ldg(reinterpret_cast<const float4*>(row + column + i)) : float4{};
      piece[i] = quad.x;
      piece[i + 1] = quad.y;
      piece[i + 2] = quad.z;
      piece[i + 3] = quad.w;
    }
  } else {
#pragma unroll
    for (int i = 0; i < kPieceElements; ++i) piece[i] = column + i < dim ? __ldg(row + column + i) : 0.0f;
  }
}

// Whether all elements are finite in bf16.
__device__ __forceinline__ bool is_finite(const Piece& piece) {
  constexpr float kMost = 0x1.fep127f;
  bool finite = true;
#pragma unroll
  for (float x : piece) finite = finite && fabsf(x) <= kMost;
  return finite;
}

template <class Packing>
__device__ __forceinline__ void store_piece(const Piece& piece, uint8_t* side, int row, int place) {
  uint32_t words[kPieceElements / 2][Packing::kPlanes];
#pragma unroll
  for (int i = 0; i < kPieceElements / 2; ++i) split_pair(piece[2 * i], piece[2 * i + 1], words[i]);
  uint8_t* const to =
      side + place / kPanelPieces * kPanelBytes + row * kPanelRowBytes + (place % kPanelPieces ^ row % 8) * kPieceBytes;
#pragma unroll
  for (int plane = 0; plane < Packing::kPlanes; ++plane) {
    *reinterpret_cast<uint4*>(to + plane * Packing::kPanels * kPanelBytes) = {words[0][plane], words[1][plane],
                                                                              words[2][plane], words[3][plane]};
  }
}

// By a block: tile `tile` of all of the queries or keys.
template <class Packing, bool kOfQueries>
__device__ void pack_tile(const BackwardPass& pass, int64_t tile, int64_t tiles, bool in_quads) {
  constexpr int kRowPieces = Packing::kPanels * kPanelPieces, kRowsAtOnce = kPackThreads / kRowPieces;
  const AttentionBackwardArgs& args = pass.args;
  const int64_t heads = kOfQueries ? args.heads : args.kv_heads, line = tile / tiles;
  const int64_t first = (line / heads * args.tokens * heads + line % heads) * args.dim, stride = heads * args.dim;
  const float* const of_scores = (kOfQueries ? args.q : args.k) + first;
  const float* const of_gradients = (kOfQueries ? args.d_out : args.v) + first;
  uint8_t* const to = (kOfQueries ? pass.packed.queries : pass.packed.keys) + tile * Packing::kTileBytes;
  const int thread = static_cast<int>(threadIdx.x), place = thread % kRowPieces, column = place * kPieceElements;
  const int dim = static_cast<int>(args.dim);
#pragma unroll
  for (int row = thread / kRowPieces; row < kTileRows; row += kRowsAtOnce) {
    const int64_t token = tile % tiles * kTileRows + row;
    const bool there = token < args.tokens;
    Piece scores = {}, gradients = {};
    float delta = 0.0f;
    if (there) {
      load_piece(of_scores + token * stride, column, dim, in_quads, scores);
      load_piece(of_gradients + token * stride, column, dim, in_quads, gradients);
      if constexpr (kOfQueries) {
        Piece out;
        load_piece(args.out + first + token * stride, column, dim, in_quads, out);
#pragma unroll
        for (int i = 0; i < kPieceElements; ++i) delta = fmaf(gradients[i], out[i], delta);
      }
    }
    delta = sum_of_lanes<kRowPieces>(delta);
    const bool finite = fold_lanes<kRowPieces>(is_finite(scores) && is_finite(gradients) && isfinite(delta) ? 1 : 0,
                                               [](int a, int b) { return a & b; }) != 0;
    if (!finite) {
#pragma unroll
      for (int i = 0; i < kPieceElements; ++i) scores[i] = gradients[i] = 0.0f;
    }
    store_piece<Packing>(scores, to, row, place);
    store_piece<Packing>(gradients, to + Packing::kSideBytes, row, place);
    if constexpr (kOfQueries) {
      if (place == 0) {
        Mark mark = {kInfinity, 0.0f};
        if (there) {
          const float lse = args.lse[line * args.tokens + token];
          mark = {finite ? lse * (Packing::kPowersOfTwo ? kLog2E : 1.0f) : kNaN, finite ? delta : 0.0f};
        }
        pass.packed.marks[tile * kTileRows + row] = mark;
      }
    } else if (place == 0 && !finite) {
      atomicMax(pass.packed.spoiled + line, static_cast<int>(args.tokens - token));
    }
  }
}

template <class Packing>
__global__ void __launch_bounds__(kPackThreads) pack(const __grid_constant__ BackwardPass pass, bool in_quads) {
  const AttentionBackwardArgs& args = pass.args;
  const int64_t tiles = ceil_div(args.tokens, kTileRows), of_queries = args.batch * args.heads * tiles;
  const int64_t all = of_queries + args.batch * args.kv_heads * tiles;
  for (int64_t tile = blockIdx.x; tile < all; tile += gridDim.x) {
    if (tile < of_queries) {
      pack_tile<Packing, true>(pass, tile, tiles, in_quads);
    } else {
      pack_tile<Packing, false>(pass, tile - of_queries, tiles, in_quads);
    }
  }
}

// ---------------------------------------------------------------- what blocks do

// kOfKeys: the block owns keys, else queries. Other rows are met kStep at a time.
template <class Packing_, bool kOfKeys_, int kGroups_, int kStep_, int kStages_, int kOwns_>
struct GradientShape {
  using Packing = Packing_;
  static constexpr bool kOfKeys = kOfKeys_;
  static constexpr int kGroups = kGroups_, kStep = kStep_, kStages = kStages_, kOwns = kOwns_;
  static constexpr int kParts = kTileRows / kStep;  // of a tile
  static constexpr int kPartSideBytes = Packing::kSideBytes / kParts;
  // The groups that multiply, and one that gives its registers to them.
  static constexpr int kThreads = (kGroups + 1) * kGroupThreads;
};

template <class Shape>
struct Shared {
  alignas(1024) uint8_t own[Shape::kOwns][Shape::kGroups][Shape::Packing::kTileBytes];
  alignas(1024) uint8_t other[Shape::kStages][2 * Shape::kPartSideBytes];
  alignas(16) Mark marks[Shape::kStages][Shape::kStep];  // of queries that are met
  Barrier own_full[Shape::kOwns], own_empty[Shape::kOwns], full[Shape::kStages], empty[Shape::kStages];
};

template <class Shape>
constexpr int kPartPanelBytes = kPanelBytes / Shape::kParts;

// kGroups neighbouring tiles of a line, and the tiles [begin, end) that they meet of each of other_lines lines.
struct Item {
  int64_t line, other_line;
  int own_tile, begin, end, other_lines;
};

// The items of a block in turn. Those with most to do come first, and blocks take them to and fro, so that all have
// about as much to do.
template <class Shape>
class Work {
 public:
  __device__ explicit Work(const AttentionBackwardArgs& args)
      : tiles_(static_cast<int>(ceil_div(args.tokens, kTileRows))),
        own_tiles_(static_cast<int>(ceil_div(tiles_, Shape::kGroups))),
        group_(static_cast<int>(args.heads / args.kv_heads)),
        lines_(args.batch * (Shape::kOfKeys ? args.kv_heads : args.heads)) {}

  __device__ int tiles() const { return tiles_; }
  __device__ int group() const { return group_; }

  __device__ bool next(Item& item) {
    const int64_t i = round_ * gridDim.x + (round_ % 2 == 0 ? blockIdx.x : gridDim.x - 1 - blockIdx.x);
    if (i >= lines_ * own_tiles_) return false;
    ++round_;
    const int rank = static_cast<int>(i / lines_);
    item.line = i % lines_;
    if constexpr (Shape::kOfKeys) {
      item.own_tile = rank * Shape::kGroups;
      item.begin = item.own_tile;
      item.end = tiles_;
      item.other_line = item.line * group_;
      item.other_lines = group_;
    } else {
      item.own_tile = (own_tiles_ - 1 - rank) * Shape::kGroups;
      item.begin = 0;
      item.end = min(item.own_tile + Shape::kGroups, tiles_);
      item.other_line = item.line / group_;
      item.other_lines = 1;
    }
    return true;
  }

 private:
  const int tiles_, own_tiles_, group_;
  const int64_t lines_;
  int64_t round_ = 0;
};

// Calls act(line, tile, part) for all that an item meets.
template <class Shape, class Act>
__device__ __forceinline__ void for_others(const Item& item, const Act& act) {
  for (int line = 0; line < item.other_lines; ++line) {
    for (int tile = item.begin; tile < item.end; ++tile) {
#pragma unroll 1
      for (int part = 0; part < Shape::kParts; ++part) act(item.other_line + line, tile, part);
    }
  }
}

// The thread that asks for tiles.
template <class Shape>
class Supply {
 public:
  __device__ Supply(Shared<Shape>& shared, const BackwardPass& pass)
      : shared_(shared),
        pass_(pass),
        own_(Shape::kOfKeys ? pass.packed.keys : pass.packed.queries),
        other_(Shape::kOfKeys ? pass.packed.queries : pass.packed.keys) {}

  __device__ void run() {
    Work<Shape> work(pass_.args);
    for (Item item; work.next(item);) {
      bring_own(item, work.tiles());
      for_others<Shape>(item, [&](int64_t line, int tile, int part) { bring(line * work.tiles() + tile, part); });
    }
  }

 private:
  using Packing = typename Shape::Packing;

  __device__ void bring_own(const Item& item, int tiles) {
    const int count = min(Shape::kGroups, tiles - item.own_tile);
    Barrier& full = shared_.own_full[own_turn_.at];
    shared_.own_empty[own_turn_.at].wait(own_turn_.parity() ^ 1);
    full.arrive_expecting(count * Packing::kTileBytes);
    copy_in_bulk(shared_.own[own_turn_.at], own_ + (item.line * tiles + item.own_tile) * Packing::kTileBytes,
                 count * Packing::kTileBytes, full);
    own_turn_.advance();
  }

  __device__ void bring(int64_t tile, int part) {
    constexpr int kPanelsOfTile = 2 * Packing::kPlanes * Packing::kPanels;
    constexpr unsigned kMarkBytes = Shape::kOfKeys ? Shape::kStep * sizeof(Mark) : 0;
    const int at = turn_.at;
    Barrier& full = shared_.full[at];
    shared_.empty[at].wait(turn_.parity() ^ 1);
    full.arrive_expecting(2 * Shape::kPartSideBytes + kMarkBytes);
    const uint8_t* const from = other_ + tile * Packing::kTileBytes;
    if constexpr (Shape::kParts == 1) {
      copy_in_bulk(shared_.other[at], from, Packing::kTileBytes, full);
    } else {
#pragma unroll 1
      for (int i = 0; i < kPanelsOfTile; ++i) {
        copy_in_bulk(shared_.other[at] + i * kPartPanelBytes<Shape>,
                     from + i * kPanelBytes + part * kPartPanelBytes<Shape>, kPartPanelBytes<Shape>, full);
      }
    }
    if constexpr (Shape::kOfKeys) {
      copy_in_bulk(shared_.marks[at], pass_.packed.marks + tile * kTileRows + part * Shape::kStep, kMarkBytes, full);
    }
    turn_.advance();
  }

  Shared<Shape>& shared_;
  const BackwardPass& pass_;
  const uint8_t *const own_, *const other_;
  Turn<Shape::kOwns> own_turn_;
  Turn<Shape::kStages> turn_;
};

// 2^x or e^x.
template <bool kPowersOfTwo>
__device__ __forceinline__ float power_of(float x) {
  if constexpr (kPowersOfTwo) {
    float power;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x));
    return power;
  } else {
    return expf(x);
  }
}

// Calls act(a, b) for the pairs of planes whose products count, the least first.
template <int kPlanes, class Act>
__device__ __forceinline__ void for_planes(const Act& act) {
#pragma unroll
  for (int rank = kPlanes - 1; rank >= 0; --rank) {
#pragma unroll
    for (int a = 0; a <= rank; ++a) act(a, rank - a);
  }
}

// A group's 64 rows and their sums: of dq, or of dk and dv.
template <class Shape>
class GroupGradients {
 public:
  __device__ GroupGradients(Shared<Shape>& shared, const BackwardPass& pass, int group)
      : shared_(shared),
        pass_(pass),
        group_(group),
        lane_(static_cast<int>(threadIdx.x % kWarp)),
        row_(static_cast<int>(threadIdx.x % kGroupThreads / kWarp) * 16 + lane_ / 4),
        column_(lane_ % 4 * 2) {}

  __device__ void run() {
    Work<Shape> work(pass_.args);
    Turn<Shape::kOwns> own_turn;
    Turn<Shape::kStages> turn;
    for (Item item; work.next(item);) {
      const int tile = item.own_tile + group_;
      begin(item.line * work.tiles() + tile, tile < work.tiles());
      shared_.own_full[own_turn.at].wait(own_turn.parity());
      own_ = operand_in_shared(shared_address(shared_.own[own_turn.at][group_]));
      for_others<Shape>(item, [&](int64_t, int other, int part) {
        shared_.full[turn.at].wait(turn.parity());
        if (tile < work.tiles() && (Shape::kOfKeys ? tile <= other : other <= tile)) {
          meet(turn.at, tile == other, part * Shape::kStep);
        } else {
          finish();
          shared_.empty[turn.at].arrive();
        }
        turn.advance();
      });
      finish();
      shared_.own_empty[own_turn.at].arrive();
      own_turn.advance();
      if (tile < work.tiles()) keep(item.line, tile, work.group());
    }
  }

 private:
  using Packing = typename Shape::Packing;
  static constexpr int kPlanes = Packing::kPlanes, kPanels = Packing::kPanels;
  static constexpr int kSums = kPanelColumns / 2, kProducts = Shape::kStep / 2;  // of a lane
  static constexpr int kDepths = Shape::kStep / kProductDepth;
  static constexpr bool kOfKeys = Shape::kOfKeys;
  static constexpr bool kLate = kPlanes == 1;  // products of weights run on beside the next step
  using Sums = float[kPanels][kSums];
  using Products = float[kProducts];
  using Weights = uint32_t[kDepths][4];

  __device__ void begin(int64_t tile, bool there) {
#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel) {
#pragma unroll
      for (int i = 0; i < kSums; ++i) sums_[panel][i] = value_sums_[panel][i] = 0.0f;
    }
    if constexpr (!kOfKeys) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        own_marks_[half] = there ? pass_.packed.marks[tile * kTileRows + row_ + 8 * half] : Mark{};
      }
    }
  }

  // The products that run late.
  __device__ __forceinline__ void finish() {
    if constexpr (kLate) {
      wait_for_products<0>();
      settle_sums();
      if (late_ >= 0) shared_.empty[late_].arrive();
      late_ = -1;
    }
  }

  __device__ __forceinline__ void settle_sums() {
#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel) {
      settle(sums_[panel]);
      if constexpr (kOfKeys) settle(value_sums_[panel]);
    }
  }

  // The rows of a stage, those from `first` on of their tile. `diagonal`: their tile has the same tokens as the own.
  __device__ __forceinline__ void meet(int stage, bool diagonal, int first) {
    const uint64_t other = operand_in_shared(shared_address(shared_.other[stage]));
    constexpr uint64_t kOwnSide = Packing::kSideBytes / 16, kOtherSide = Shape::kPartSideBytes / 16;
    Products weights, gradients;
    if constexpr (!kLate) settle(own_);
    fence_registers();
    multiply(own_, other, weights);
    end_batch();
    multiply(own_ + kOwnSide, other + kOtherSide, gradients);
    end_batch();
    if constexpr (kLate) {
      wait_for_products<2>();
      settle_weights();
      if (late_ >= 0) shared_.empty[late_].arrive();
      late_ = stage;
    }
    wait_for_products<1>();
    settle(weights);
    weigh(stage, weights);
    if (diagonal) hide(first, weights);
    if constexpr (kOfKeys) add_rows(weights, other + kOtherSide, bf16_weights_, value_sums_);
    wait_for_products<kOfKeys && kLate && kPanels == 1 ? 1 : 0>();  // two panels leave no registers for more
    settle(gradients);
    derive(stage, weights, gradients);
    add_rows(gradients, other, bf16_gradients_, sums_);
    if constexpr (!kLate) shared_.empty[stage].arrive();
  }

  // The own rows times the other ones.
  __device__ __forceinline__ static void multiply(uint64_t own, uint64_t other, Products& products) {
    bool adds = false;
    for_planes<kPlanes>([&](int a, int b) {
#pragma unroll
      for (int panel = 0; panel < kPanels; ++panel) {
        const uint64_t of_own = own + (a * kPanels + panel) * (kPanelBytes / 16);
        const uint64_t of_other = other + (b * kPanels + panel) * (kPartPanelBytes<Shape> / 16);
#pragma unroll
        for (int i = 0; i < kPanelColumns / kProductDepth; ++i, adds = true) {
          add_row_products(products, of_own + i * kColumnsStep, of_other + i * kColumnsStep, adds);
        }
      }
    });
  }

  // The mark of product i's query.
  __device__ __forceinline__ Mark mark_of(int stage, int i) const {
    if constexpr (kOfKeys) {
      const float4 two = *reinterpret_cast<const float4*>(&shared_.marks[stage][i / 4 * 8 + column_]);
      return i % 2 == 0 ? Mark{two.x, two.y} : Mark{two.z, two.w};
    } else {
      return own_marks_[i / 2 % 2];
    }
  }

  // From scores to weights.
  __device__ __forceinline__ void weigh(int stage, Products& scores) const {
#pragma unroll
    for (int i = 0; i < kProducts; ++i) {
      scores[i] = power_of<Packing::kPowersOfTwo>(fmaf(scores[i], pass_.power, -mark_of(stage, i).lse));
    }
  }

  // From gradients of weights to those of scores.
  __device__ __forceinline__ void derive(int stage, const Products& weights, Products& gradients) const {
#pragma unroll
    for (int i = 0; i < kProducts; ++i) gradients[i] = weights[i] * (gradients[i] - mark_of(stage, i).delta);
  }

  // Zeros where a query does not see the key.
  __device__ __forceinline__ void hide(int first, Products& products) const {
#pragma unroll
    for (int i = 0; i < kProducts; ++i) {
      const int own = row_ + i / 2 % 2 * 8, other = first + i / 4 * 8 + column_ + i % 2;
      if (kOfKeys ? own > other : other > own) products[i] = 0.0f;
    }
  }

  // sums += weights · other rows. Late, it goes on with `rounded` when this returns. Else each step's products are
  // added up alone, for the tensor cores' own additions do not round to nearest.
  __device__ __forceinline__ static void add_rows(const Products& weights, uint64_t other, Weights& rounded,
                                                  Sums& sums) {
    if constexpr (kLate) {
#pragma unroll
      for (int depth = 0; depth < kDepths; ++depth) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          rounded[depth][i] = bf16_pair(weights[8 * depth + 2 * i], weights[8 * depth + 2 * i + 1]);
        }
        settle(rounded[depth]);
      }
      fence_registers();
#pragma unroll
      for (int depth = 0; depth < kDepths; ++depth) {
#pragma unroll
        for (int panel = 0; panel < kPanels; ++panel) {
          add_weighted_rows(sums[panel], rounded[depth],
                            other + panel * (kPartPanelBytes<Shape> / 16) + depth * kRowsStep, true);
        }
      }
      end_batch();
    } else {
#pragma unroll
      for (int panel = 0; panel < kPanels; ++panel) {
        float fresh[kSums];
        add_split_rows(weights, other + panel * (kPartPanelBytes<Shape> / 16), fresh);
#pragma unroll
        for (int i = 0; i < kSums; ++i) sums[panel][i] += fresh[i];
      }
    }
  }

  __device__ __forceinline__ static void add_split_rows(const Products& weights, uint64_t other,
                                                        float (&fresh)[kSums]) {
    settle(other);
    uint32_t split[2][kPlanes][4];  // of this depth and of the one before, which may still be met
#pragma unroll
    for (int depth = 0; depth < kDepths; ++depth) {
      auto& now = split[depth % 2];
      if (depth >= 2) wait_for_products<1>();
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        uint32_t planes[kPlanes];
        split_pair(weights[8 * depth + 2 * i], weights[8 * depth + 2 * i + 1], planes);
#pragma unroll
        for (int plane = 0; plane < kPlanes; ++plane) now[plane][i] = planes[plane];
      }
#pragma unroll
      for (auto& plane : now) settle(plane);
      fence_registers();
      for_planes<kPlanes>([&](int a, int b) {
        add_weighted_rows(fresh, now[a], other + b * (kPanels * kPartPanelBytes<Shape> / 16) + depth * kRowsStep,
                          depth > 0 || a + b < kPlanes - 1 || a > 0);
      });
      end_batch();
    }
    wait_for_products<0>();
    settle(fresh);
  }

  // Keeps the registers of late products theirs until those are done.
  __device__ __forceinline__ void settle_weights() {
#pragma unroll
    for (int depth = 0; depth < kDepths; ++depth) {
      if constexpr (kOfKeys) settle(bf16_weights_[depth]);
      settle(bf16_gradients_[depth]);
    }
  }

  __device__ void keep(int64_t line, int tile, int group) {
    const AttentionBackwardArgs& args = pass_.args;
    const int spoiled = __ldcg(pass_.packed.spoiled + (kOfKeys ? line : line / group));
    const int64_t heads = kOfKeys ? args.kv_heads : args.heads;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t token = int64_t{tile} * kTileRows + row_ + 8 * half;
      if (token >= args.tokens) continue;
      const int64_t at = ((line / heads * args.tokens + token) * heads + line % heads) * args.dim;
      const bool is_spoiled = args.tokens - token <= spoiled;
      keep_row(sums_, half, is_spoiled ? kNaN : args.scale, (kOfKeys ? args.dk : args.dq) + at);
      if constexpr (kOfKeys) keep_row(value_sums_, half, is_spoiled ? kNaN : 1.0f, args.dv + at);
    }
  }

  __device__ void keep_row(const Sums& sums, int half, float factor, float* to) const {
    if (pass_.pairs) {
      for_pairs(sums, half, factor, [&](int column, const float2& pair) {
        if (column < pass_.args.dim) *reinterpret_cast<float2*>(to + column) = pair;
      });
    } else {
      for_pairs(sums, half, factor, [&](int column, const float2& pair) {
        if (column < pass_.args.dim) to[column] = pair.x;
        if (column + 1 < pass_.args.dim) to[column + 1] = pair.y;
      });
    }
  }

  template <class Act>
  __device__ __forceinline__ void for_pairs(const Sums& sums, int half, float factor, const Act& act) const {
#pragma unroll
    for (int panel = 0; panel < kPanels; ++panel) {
#pragma unroll
      for (int i = 2 * half; i < kSums; i += 4) {
        act(panel * kPanelColumns + i / 4 * 8 + column_, float2{sums[panel][i] * factor, sums[panel][i + 1] * factor});
      }
    }
  }

  Shared<Shape>& shared_;
  const BackwardPass& pass_;
  const int group_, lane_, row_, column_;  // the lane's first row, and its first column of each 8
  uint64_t own_ = 0;
  int late_ = -1;  // the stage whose products run late
  Mark own_marks_[2];
  Sums sums_, value_sums_;
  Weights bf16_weights_ = {}, bf16_gradients_ = {};
};

// The kernel for keys comes last. It needs nothing of the one for queries, which has waited for all before it: it
// starts while that one ends, and waits at its own end, for those that come after it.
template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1) add_gradients(const __grid_constant__ BackwardPass pass) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  auto& shared = shared_of_block<Shared<Shape>>();
  if (threadIdx.x == 0) {
    // Each thread arrives where it is done: those of keys read marks themselves.
    for (int i = 0; i < Shape::kOwns; ++i) {
      shared.own_full[i].init(1);
      shared.own_empty[i].init(Shape::kGroups * kGroupThreads);
    }
    for (int i = 0; i < Shape::kStages; ++i) {
      shared.full[i].init(1);
      shared.empty[i].init(Shape::kGroups * kGroupThreads);
    }
    publish_barriers();
  }
  __syncthreads();
  if constexpr (!Shape::kOfKeys) {
    wait_for_inputs();
    let_next_start();
  }
  const unsigned group = group_of_thread();
  if (group == Shape::kGroups) {
    if constexpr (Shape::kGroups > 1) give_registers<24>();
    if (threadIdx.x % kGroupThreads == 0) Supply<Shape>(shared, pass).run();
  } else {
    if constexpr (Shape::kGroups > 1) take_registers<240>();
    GroupGradients<Shape>(shared, pass, static_cast<int>(group)).run();
    if constexpr (Shape::kOfKeys) wait_for_inputs();
  }
#endif
}

// ---------------------------------------------------------------- launches

constexpr const char* kName = "attention_backward";

template <class Shape>
void launch(const Exec& exec, const BackwardPass& pass) {
  static_assert(kSharedBytes<Shared<Shape>> <= 227 * 1024);
  const AttentionBackwardArgs& args = pass.args;
  const auto kernel = add_gradients<Shape>;
  keep_error(exec, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes<Shared<Shape>>),
             kName);
  const int64_t items =
      args.batch * (Shape::kOfKeys ? args.kv_heads : args.heads) * ceil_div(args.tokens, Shape::kGroups * kTileRows);
  const auto blocks = static_cast<unsigned>(std::min<int64_t>(items, multiprocessors(exec)));
  launch_early(exec, kName, kernel, blocks, Shape::kThreads, kSharedBytes<Shared<Shape>>, pass);
}

// Where `args` are packed in.
struct PackedSizes {
  int64_t query_tiles, key_tiles, query_bytes, key_bytes, mark_bytes, spoiled_bytes;

  PackedSizes(const AttentionBackwardArgs& args, int64_t tile_bytes) {
    const int64_t tiles = ceil_div(args.tokens, kTileRows), key_lines = args.batch * args.kv_heads;
    query_tiles = args.batch * args.heads * tiles;
    key_tiles = key_lines * tiles;
    query_bytes = query_tiles * tile_bytes;
    key_bytes = key_tiles * tile_bytes;
    mark_bytes = query_tiles * kTileRows * static_cast<int64_t>(sizeof(Mark));
    spoiled_bytes = key_lines * static_cast<int64_t>(sizeof(int));
  }

  int64_t all() const { return query_bytes + key_bytes + mark_bytes + spoiled_bytes; }

  Packed lay_out(uint8_t* room) const {
    uint8_t *const keys = room + query_bytes, *const marks = keys + key_bytes, *const spoiled = marks + mark_bytes;
    return {room, keys, reinterpret_cast<Mark*>(marks), reinterpret_cast<int*>(spoiled)};
  }
};

template <class Packing>
BackwardPass pass_of(const AttentionBackwardArgs& args, const Packed& packed) {
  const bool pairs = args.dim % 2 == 0 && is_aligned(args.dq, sizeof(float2)) && is_aligned(args.dk, sizeof(float2)) &&
                     is_aligned(args.dv, sizeof(float2));
  return {args, packed, args.scale * (Packing::kPowersOfTwo ? kLog2E : 1.0f), pairs};
}

template <class Packing>
void launch_pack(const Exec& exec, const BackwardPass& pass, const PackedSizes& sizes) {
  const AttentionBackwardArgs& args = pass.args;
  const auto aligned = [](const float* rows) { return is_aligned(rows, sizeof(float4)); };
  const bool in_quads = args.dim % 4 == 0 && aligned(args.q) && aligned(args.k) && aligned(args.v) &&
                        aligned(args.out) && aligned(args.d_out);
  keep_error(exec, cudaMemsetAsync(pass.packed.spoiled, 0, static_cast<size_t>(sizes.spoiled_bytes), stream_of(exec)),
             kName);
  const unsigned blocks = blocks_for(sizes.query_tiles + sizes.key_tiles, 1);
  pack<Packing><<<blocks, kPackThreads, 0, stream_of(exec)>>>(pass, in_quads);
  launched(exec, kName);
}

// How heads of up to 64 or 128 elements are done, with one or three planes.
template <class Packing_, int kGroups, int kStep, int kStages, int kOwns>
struct Way {
  using Packing = Packing_;
  using Queries = GradientShape<Packing, false, kGroups, kStep, kStages, kOwns>;
  using Keys = GradientShape<Packing, true, kGroups, kStep, kStages, kOwns>;
};
using NarrowBf16 = Way<Packing<1, 1>, 2, 64, 4, 2>;
using WideBf16 = Way<Packing<1, 2>, 2, 64, 3, 2>;
using NarrowF32 = Way<Packing<3, 1>, 2, 64, 2, 1>;
using WideF32 = Way<Packing<3, 2>, 1, 32, 2, 1>;

template <class Way>
void run(const Exec& exec, const AttentionBackwardArgs& args) {
  const PackedSizes sizes(args, Way::Packing::kTileBytes);
  const Room room(exec, static_cast<size_t>(sizes.all()), kName);
  if (!room) return;
  const auto pass = pass_of<typename Way::Packing>(args, sizes.lay_out(room.as<uint8_t>()));
  launch_pack<typename Way::Packing>(exec, pass, sizes);
  launch<typename Way::Queries>(exec, pass);
  launch<typename Way::Keys>(exec, pass);
}

}  // namespace

void attention_backward_wgmma(const Exec& exec, const AttentionBackwardArgs& args) noexcept {
  const bool wide = args.dim > kPanelColumns;
  if (exec.matmul_precision == MatmulPrecision::bf16) {
    wide ? run<WideBf16>(exec, args) : run<NarrowBf16>(exec, args);
  } else {
    wide ? run<WideF32>(exec, args) : run<NarrowF32>(exec, args);
  }
}

}  // namespace tern::cuda
