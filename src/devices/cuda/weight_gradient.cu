// SPDX-License-Identifier: Apache-2.0
// eᵀ·q, the gradients of ternary weights, with the codes q as the bytes that they are: they become bf16 in the
// registers of the tensor cores' operands, which costs seven instructions for four of them and spares a pass that
// writes them as bf16.
//
// The product is computed transposed, 128 columns of q by 256 columns of e to a block, in two groups of four warps that
// have 64 columns of q each. Pairs of blocks have neighbouring columns of q and bring half of e's to both. The steps
// along the rows of e and q, which are many, of all tiles are shared out evenly to the pairs, so that a pair has the
// end of one tile and the beginning of another: what of a tile is in several pairs they leave as parts, which a second
// kernel adds in order.
#include <algorithm>
#include <numeric>

#include "devices/cuda/bf16_tile.cuh"
#include "devices/cuda/block_memory.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/mbarrier.cuh"
#include "devices/cuda/tensor_map.h"
#include "devices/cuda/weight_gradient.h"
#include "devices/cuda/wgmma.cuh"
#include "devices/cuda/wgmma_bf16.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "weight_gradient";
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
constexpr bool kHopperCode = true;
#else
constexpr bool kHopperCode = false;
#endif

constexpr int kGroups = 2, kPair = 2;
constexpr int kStepRows = 64;                   // of e and q in a step
constexpr int kColumns = kGroups * kGroupRows;  // of q and c: a block's
constexpr int kPairColumns = kPair * kColumns;
constexpr int kRows = 256;  // of c, columns of e
constexpr int kPanels = kRows / kPanelColumns;
constexpr int kPanelsEach = kPanels / kPair;
constexpr int kStages = 5;
constexpr int kThreads = (kGroups + 1) * kGroupThreads;  // a whole group is there to give its registers away
constexpr int kMultipliers = kGroups * kGroupThreads;

// A thread's sums are in quads of 2 by 2 neighbours.
constexpr int kQuads = kRows / 8;

// How the work is cut. Items are a pair's tiles; steps of all of them in a row are shared out to `pairs` pairs.
struct Cut {
  int64_t items, across, steps;  // items in a row of them along q's columns; steps of an item
  int64_t pairs, classes;

  __host__ __device__ int64_t begin(int64_t pair) const { return items * steps * pair / pairs; }
  // The pair that has a step.
  __device__ int64_t pair_of(int64_t step) const { return ((step + 1) * pairs - 1) / (items * steps); }
};

// Of a part that is not wanted there are none.
__host__ __device__ int64_t row_tiles(const MixedGradientPart& part) {
  return part.c == nullptr ? 0 : ceil_div(part.n, kRows);
}

struct Product {
  MixedGradientArgs args;
  Cut cut;
  float* parts;
};

struct Maps {
  CUtensorMap e, q;
};

struct alignas(1024) Stage {
  uint8_t q[kStepRows][kColumns];
  uint16_t e[kPanels][kStepRows][kPanelColumns];
};

struct Shared {
  Stage stages[kStages];
  Barrier full[kStages], empty[kStages];
};

// The next stage, in the endless sequence of them.
struct Turn {
  unsigned stage = 0, parity = 0;

  __device__ void advance() {
    if (++stage == kStages) stage = 0, parity ^= 1;
  }
};

// Steps of one item that a pair has.
struct Segment {
  int part;
  int64_t first_row, first_column;  // of its c; the pair's
  int64_t first_e;                  // column of e
  int64_t first_step;
  int steps;

  __device__ bool is_whole(const Cut& cut) const { return steps == cut.steps; }
};

// Items that begin at the same place within a pair's share follow each other, along q's columns first: their pairs run
// through the same rows of e and q at the same time.
__device__ Segment segment_of(const Product& product, int64_t item, int64_t first_step, int64_t steps) {
  const Cut& cut = product.cut;
  const int64_t place = item % cut.classes * (cut.items / cut.classes) + item / cut.classes;
  int64_t tile = place / cut.across, first_e = 0;
  int part = 0;
  for (int64_t tiles; tile >= (tiles = row_tiles(product.args.part[part])); ++part) {
    tile -= tiles;
    first_e += product.args.part[part].n;
  }
  const int64_t first_row = tile * kRows;
  return {part, first_row, place % cut.across * kPairColumns, first_e + first_row, first_step, static_cast<int>(steps)};
}

template <class Each>
__device__ void visit_segments(const Product& product, const Each& each) {
  const Cut& cut = product.cut;
  const int64_t pair = blockIdx.x / kPair, end = cut.begin(pair + 1);
  for (int64_t at = cut.begin(pair); at < end;) {
    const int64_t item = at / cut.steps, first = at - item * cut.steps, steps = min(cut.steps - first, end - at);
    each(segment_of(product, item, first, steps));
    at += steps;
  }
}

// By one thread.
__device__ void supply(Shared& shared, const Maps& maps, const Product& product) {
  const int half = static_cast<int>(block_of_cluster());
  Turn turn;
  visit_segments(product, [&](const Segment& segment) {
    const int row = static_cast<int>(segment.first_e);
    const int column = static_cast<int>(segment.first_column) + half * kColumns;
    int depth = static_cast<int>(segment.first_step) * kStepRows;
    for (int i = 0; i < segment.steps; ++i, depth += kStepRows, turn.advance()) {
      Stage& stage = shared.stages[turn.stage];
      Barrier& full = shared.full[turn.stage];
      shared.empty[turn.stage].wait(turn.parity ^ 1);
      full.arrive_expecting(sizeof(Stage));
      copy_box(stage.q, maps.q, column, depth, full);
      for (int i = half * kPanelsEach; i < (half + 1) * kPanelsEach; ++i) {
        copy_box_to_blocks(stage.e[i], maps.e, row + i * kPanelColumns, depth, full, (1u << kPair) - 1);
      }
    }
  });
}

// The signed bytes at bits 0 and 16 as bf16, exactly: 128 + their low 7 bits, less 128 or, where the sign counts -128,
// 256.
__device__ __forceinline__ uint32_t pair_of_bytes(uint32_t bytes) {
  constexpr uint32_t kBase = 0x43004300u;  // 128, whose neighbours above are 1 apart
  const uint32_t raised = (bytes & 0x007f007fu) | kBase, base = (bytes & 0x00800080u) | kBase;
  uint32_t pair;
  asm("sub.rn.bf16x2 %0, %1, %2;" : "=r"(pair) : "r"(raised), "r"(base));
  return pair;
}

// A group's sums of a segment.
class GroupSums {
 public:
  __device__ void add_steps(Shared& shared, Turn& turn, int count) {
    Operands first, second;  // of the halves of a step
    unsigned previous = 0;
    take(first, shared, turn, 0);
    for (int i = 0; i < count; ++i) {
      const unsigned stage = turn.stage;
      const uint64_t e = panels_in_shared(shared_address(shared.stages[stage].e), sizeof(Stage::e[0]));
      multiply(first, e);
      wait_for_products<1>();
      if (i > 0) release(shared, previous);
      convert(second, shared, stage, 1);
      multiply(second, e + kProducts * kRowsStep);
      previous = stage;
      turn.advance();
      wait_for_products<1>();
      if (i + 1 < count) take(first, shared, turn, 0);
    }
    wait_for_products<0>();
    settle(sums_);
    release(shared, previous);
  }

  // Calls each(i, quad i) for the sums of this thread.
  template <class Each>
  __device__ void visit(const Each& each) const {
#pragma unroll
    for (int i = 0; i < kQuads; ++i) {
      const float* const at = sums_ + 4 * i;
      each(i, make_float4(at[0], at[1], at[2], at[3]));
    }
  }

 private:
  static constexpr int kProducts = 2;  // one after the other in half a step
  using Operands = uint32_t[kProducts][4];

  __device__ static void take(Operands& q, Shared& shared, const Turn& turn, int half_step) {
    shared.full[turn.stage].wait(turn.parity);
    convert(q, shared, turn.stage, half_step);
  }

  // A word of the bytes, transposed by twos, has two neighbouring columns of two rows: these columns are the rows g and
  // g + 8 of the operand.
  __device__ static void convert(Operands& q, Shared& shared, unsigned stage, int half_step) {
    const int row = half_step * kWarp + static_cast<int>(lane_of_thread());
    const int piece = static_cast<int>(threadIdx.x) / kWarp;
    uint32_t words[2 * kProducts];
    load_turned(words, reinterpret_cast<const uint4*>(shared.stages[stage].q[row]) + (piece ^ row % 8));
#pragma unroll
    for (int i = 0; i < 2 * kProducts; ++i) {
      q[i / 2][i % 2 * 2] = pair_of_bytes(words[i]);
      q[i / 2][i % 2 * 2 + 1] = pair_of_bytes(words[i] >> 8);
    }
  }

  __device__ void multiply(Operands& q, uint64_t e) {
#pragma unroll
    for (int i = 0; i < kProducts; ++i) settle(q[i]);
    fence_registers();
#pragma unroll
    for (int i = 0; i < kProducts; ++i) add_weighted_rows(sums_, q[i], e + i * kRowsStep, true);
    end_batch();
  }

  __device__ static void release(Shared& shared, unsigned stage) {
    __syncwarp();
    if (lane_of_thread() < kPair) shared.empty[stage].arrive_in_block(lane_of_thread());
  }

  float sums_[kRows / 2] = {};
};

// Ends quad i of a thread of the tile from `first_column` on: the sums of two columns of a row, which are x and z of
// it, and of the next row.
__device__ void put_quad(const MixedGradientArgs& args, const Segment& at, int64_t first_column, unsigned thread, int i,
                         float4 sums) {
  const MixedGradientPart& part = args.part[at.part];
  const int lane = static_cast<int>(thread) % kWarp, warp = static_cast<int>(thread) / kWarp;
  const int64_t row = at.first_row + i * 8 + lane % 4 * 2, column = first_column + warp * 16 + lane / 4 * 2;
  if (column >= args.cols) return;
  auto* const to = reinterpret_cast<float2*>(part.c + row * args.cols + column);
  if (row < part.n) *to = make_float2(part.alpha * sums.x, part.alpha * sums.z);
  if (row + 1 < part.n) to[args.cols / 2] = make_float2(part.alpha * sums.y, part.alpha * sums.w);
}

// A block's part: of the item that its share begins in the middle of, or of that which it begins itself.
__device__ float4* part_at(const Product& product, int64_t block, bool begins, unsigned thread) {
  constexpr int64_t kPart = kQuads * kMultipliers;
  return reinterpret_cast<float4*>(product.parts) + (2 * block + begins) * kPart + thread;
}

__device__ void multiply_by_block(const Product& product, const Maps& maps) {
  Shared& shared = shared_of_block<Shared>();
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      shared.full[i].init(1);
      shared.empty[i].init(kGroups * kGroupWarps * kPair);
    }
    publish_barriers();
  }
  sync_cluster();

  if (group_of_thread() == kGroups) {
    give_registers<24>();
    if (threadIdx.x != kMultipliers) return;
    wait_for_inputs();
    supply(shared, maps, product);
    let_next_start();
    return;
  }
  take_registers<240>();
  wait_for_inputs();
  Turn turn;
  visit_segments(product, [&](const Segment& segment) {
    GroupSums sums;
    sums.add_steps(shared, turn, segment.steps);
    if (segment.is_whole(product.cut)) {
      const int64_t first_column = segment.first_column + block_of_cluster() * kColumns;
      sums.visit([&](int i, float4 quad) { put_quad(product.args, segment, first_column, threadIdx.x, i, quad); });
    } else {
      float4* const part = part_at(product, blockIdx.x, segment.first_step == 0, threadIdx.x);
      sums.visit([&](int i, float4 quad) { part[i * kMultipliers] = quad; });
    }
  });
  end_cluster();
}

__global__ void __launch_bounds__(kThreads, 1)
    multiply_codes(const __grid_constant__ Product product, const __grid_constant__ Maps maps) {
  if constexpr (kHopperCode) multiply_by_block(product, maps);
}

// A block adds one quad of each thread of a block's tile.
__global__ void __launch_bounds__(kMultipliers) add_parts(const __grid_constant__ Product product) {
  constexpr unsigned kAll = kQuads;
  const Cut& cut = product.cut;
  const int i = static_cast<int>(blockIdx.x % kAll), half = static_cast<int>(blockIdx.x / kAll % kPair);
  const int64_t item = blockIdx.x / kAll / kPair;
  const int64_t first = cut.pair_of(item * cut.steps), last = cut.pair_of((item + 1) * cut.steps - 1);
  wait_for_inputs();
  let_next_start();
  if (first == last) return;
  const auto part_of = [&](int64_t pair) {
    return *(part_at(product, pair * kPair + half, pair == first, threadIdx.x) + i * kMultipliers);
  };
  float4 sum = part_of(first);
#pragma unroll 4
  for (int64_t pair = first + 1; pair <= last; ++pair) {
    const float4 part = part_of(pair);
    sum = make_float4(sum.x + part.x, sum.y + part.y, sum.z + part.z, sum.w + part.w);
  }
  const Segment segment = segment_of(product, item, 0, cut.steps);
  put_quad(product.args, segment, segment.first_column + half * kColumns, threadIdx.x, i, sum);
}

Cut cut_of(const Exec& exec, const MixedGradientArgs& args) {
  Cut cut = {};
  cut.across = ceil_div(args.cols, kPairColumns);
  for (int i = 0; i < args.parts; ++i) cut.items += cut.across * row_tiles(args.part[i]);
  cut.steps = ceil_div(args.rows, kStepRows);
  cut.pairs = std::min<int64_t>(std::max(multiprocessors(exec) / kPair, 1), cut.items * cut.steps);
  cut.classes = cut.items / std::max<int64_t>(std::gcd(cut.items, cut.pairs), 1);
  return cut;
}

// Whether most of what the tiles compute is wanted.
bool fills_tiles(const MixedGradientArgs& args, const Cut& cut) {
  int64_t wanted = 0;
  for (int i = 0; i < args.parts; ++i) wanted += args.part[i].c == nullptr ? 0 : args.part[i].n * args.cols;
  return 10 * wanted >= 9 * cut.items * kRows * kPairColumns;
}

Maps maps_of(const Exec& exec, const MixedGradientArgs& args) {
  int64_t e_columns = 0;
  for (int i = 0; i < args.parts; ++i) e_columns += args.part[i].n;
  return {.e = make_map(exec, kName, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, args.e, e_columns, args.rows,
                        args.e_stride * static_cast<int64_t>(sizeof(bf16)), kPanelColumns, kStepRows,
                        CU_TENSOR_MAP_SWIZZLE_128B),
          .q = make_map(exec, kName, CU_TENSOR_MAP_DATA_TYPE_UINT8, args.q, args.cols, args.rows, args.q_stride,
                        kColumns, kStepRows, CU_TENSOR_MAP_SWIZZLE_128B)};
}

}  // namespace

// Measured on an H100 with 32768 rows: 173 us for three of 768 x 768, 290 for two of 2048 x 768, 67 for 768 x 768, 153
// for 768 x 2048, where cuBLASLt takes 197, 276, 65 and 139 after codes were made bf16, which takes some 26, 26, 26 and
// 68. Blocks of 256 columns of q by 128 of e convert twice as much for each product and take 172 us instead of 150 for
// 2048 x 768; 4 stages do as well as 5. One of 768 x 768 has some 20 us of its start, its parts and their sum.
bool weight_gradient(const Exec& exec, const MixedGradientArgs& args) noexcept {
  if (!is_hopper(exec) || args.rows == 0) return false;
  const Cut cut = cut_of(exec, args);
  if (cut.items == 0 || !fills_tiles(args, cut)) return false;
  const Room parts(exec, static_cast<size_t>(2 * kPair * cut.pairs * kRows * kColumns) * sizeof(float), kName);
  if (!parts) return true;
  const Product product = {args, cut, parts.as<float>()};
  launch_clusters(exec, kName, multiply_codes, cut.pairs * kPair, kThreads, kSharedBytes<Shared>, kPair, product,
                  maps_of(exec, args));
  launch_early(exec, kName, add_parts, static_cast<unsigned>(cut.items * kPair * kQuads), kMultipliers, 0, product);
  return true;
}

}  // namespace tern::cuda
