// SPDX-License-Identifier: Apache-2.0
// eᵀ·q, the gradients of ternary weights, with the codes q as the bytes that they are: they become bf16 in the
// registers of the tensor cores' operands, which costs seven instructions for four of them and spares a pass that
// writes them as bf16.
//
// The product is computed transposed, 64 columns of q by some of e to each group of four warps of a block. Pairs of
// blocks have neighbouring columns of q and bring half of e's to both. As many tiles of all inputs as there are for all
// pairs alike they take whole, so that they run through the same rows of e and q at the same time. The steps along the
// rows of e and q, which are many, of the tiles that are left are shared out evenly, so that a pair has the end of one
// tile and the beginning of another: what of a tile is in several pairs they leave as parts, which a second kernel adds
// in order.
#include <algorithm>
#include <numeric>

#include "devices/cuda/bf16_tile.cuh"
#include "devices/cuda/block_memory.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/mbarrier.cuh"
#include "devices/cuda/mixed_ratio.cuh"
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

constexpr int kPair = 2;
constexpr int kStepRows = 64;  // of e and q in a step

template <int kGroups_, int kRows_, int kStages_>
struct TileShape {
  static constexpr int kGroups = kGroups_, kStages = kStages_;
  static constexpr int kColumns = kGroups * kGroupRows;  // of q and c: a block's
  static constexpr int kPairColumns = kPair * kColumns;
  static constexpr int kRows = kRows_;  // of c, columns of e
  static constexpr int kPanels = kRows / kPanelColumns;
  static constexpr int kThreads = (kGroups + 1) * kGroupThreads;  // one group gives its registers to the others
  static constexpr int kMultipliers = kGroups * kGroupThreads;
  static constexpr int kRegisters = kGroups == 2 ? 240 : 160, kHelperRegisters = kGroups == 2 ? 24 : 32;
  static constexpr int kQuads = kRows / 8;  // a thread's sums, 2 by 2 neighbours each
  // Columns of q that lie together in a stage, in rows of as many bytes.
  static constexpr int kCodes = kColumns % 128 == 0 ? 128 : 64;
};

// How the work is cut. Items are a pair's tiles, the first `whole` of them for one pair each; steps of all others in a
// row are shared out to `pairs` pairs.
struct Cut {
  int64_t whole, shared, steps;         // steps of an item
  int64_t across[kMostGradientInputs];  // items in a row of them along q's columns
  int64_t first[kMostGradientInputs];   // of an input
  int64_t pairs, classes;

  __host__ __device__ int64_t begin(int64_t pair) const { return shared * steps * pair / pairs; }
  // The pair that has a step.
  __device__ int64_t pair_of(int64_t step) const { return ((step + 1) * pairs - 1) / (shared * steps); }
};

struct Product {
  MixedGradientArgs args;
  Cut cut;
  float* parts;
};

struct Maps {
  CUtensorMap e[kMostGradientInputs], q[kMostGradientInputs];
};

template <class Shape>
struct alignas(1024) Stage {
  uint8_t q[Shape::kColumns / Shape::kCodes][kStepRows][Shape::kCodes];
  uint16_t e[Shape::kPanels][kStepRows][kPanelColumns];
};

template <class Shape>
struct Shared {
  Stage<Shape> stages[Shape::kStages];
  Barrier full[Shape::kStages], empty[Shape::kStages];
};

// Steps of one item that a pair has.
struct Segment {
  int input;
  int64_t first_row, first_column;  // of the input's gradients, one below the other; the pair's
  int64_t first_step;
  int steps;

  __device__ bool is_whole(const Cut& cut) const { return steps == cut.steps; }
};

// Of the place-th item, along q's columns first.
template <class Shape>
__device__ Segment segment_of(const Product& product, int64_t place, int64_t first_step, int64_t steps) {
  const Cut& cut = product.cut;
  int input = product.args.inputs - 1;
  while (place < cut.first[input]) --input;
  const int64_t in_input = place - cut.first[input], across = cut.across[input];
  return {input, in_input / across * Shape::kRows, in_input % across * Shape::kPairColumns, first_step,
          static_cast<int>(steps)};
}

// The place of a shared item. Those that begin at the same place within a pair's share follow each other.
__device__ inline int64_t place_of(const Cut& cut, int64_t item) {
  return cut.whole + item % cut.classes * (cut.shared / cut.classes) + item / cut.classes;
}

template <class Shape, class Each>
__device__ void visit_segments(const Product& product, const Each& each) {
  const Cut& cut = product.cut;
  const int64_t pair = blockIdx.x / kPair, end = cut.begin(pair + 1);
  for (int64_t place = pair; place < cut.whole; place += cut.pairs) {
    each(segment_of<Shape>(product, place, 0, cut.steps));
  }
  for (int64_t at = cut.begin(pair); at < end;) {
    const int64_t item = at / cut.steps, first = at - item * cut.steps, steps = min(cut.steps - first, end - at);
    each(segment_of<Shape>(product, place_of(cut, item), first, steps));
    at += steps;
  }
}

// By one thread. A block of the pair brings its part of the panels of e to both.
template <class Shape>
__device__ void supply(Shared<Shape>& shared, const Maps& maps, const Product& product) {
  const int half = static_cast<int>(block_of_cluster());
  const int first_panel = half * Shape::kPanels / kPair, end_panel = (half + 1) * Shape::kPanels / kPair;
  Turn<Shape::kStages> turn;
  visit_segments<Shape>(product, [&](const Segment& segment) {
    const int row = static_cast<int>(segment.first_row);
    const int column = static_cast<int>(segment.first_column) + half * Shape::kColumns;
    int depth = static_cast<int>(segment.first_step) * kStepRows;
    for (int i = 0; i < segment.steps; ++i, depth += kStepRows, turn.advance()) {
      auto& stage = shared.stages[turn.at];
      Barrier& full = shared.full[turn.at];
      shared.empty[turn.at].wait(turn.parity() ^ 1);
      full.arrive_expecting(sizeof stage);
      for (int j = 0; j < Shape::kColumns / Shape::kCodes; ++j) {
        copy_box(stage.q[j], maps.q[segment.input], column + j * Shape::kCodes, depth, full);
      }
      for (int j = first_panel; j < end_panel; ++j) {
        copy_box_to_blocks(stage.e[j], maps.e[segment.input], row + j * kPanelColumns, depth, full, (1u << kPair) - 1);
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
template <class Shape>
class GroupSums {
 public:
  using Memory = Shared<Shape>;
  using Place = Turn<Shape::kStages>;

  __device__ void add_steps(Memory& shared, Place& turn, int count) {
    Operands first, second;  // of the halves of a step
    int previous = 0;
    take(first, shared, turn, 0);
    for (int i = 0; i < count; ++i) {
      const int stage = turn.at;
      const uint64_t e = panels_in_shared(shared_address(shared.stages[stage].e), sizeof shared.stages[stage].e[0]);
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
    for (int i = 0; i < Shape::kQuads; ++i) {
      const float* const at = sums_ + 4 * i;
      each(i, make_float4(at[0], at[1], at[2], at[3]));
    }
  }

 private:
  static constexpr int kProducts = 2;  // one after the other in half a step
  using Operands = uint32_t[kProducts][4];

  __device__ static void take(Operands& q, Memory& shared, const Place& turn, int half_step) {
    shared.full[turn.at].wait(turn.parity());
    convert(q, shared, turn.at, half_step);
  }

  // A word of the bytes, transposed by twos, has two neighbouring columns of two rows: these columns are the rows g and
  // g + 8 of the operand.
  __device__ static void convert(Operands& q, Memory& shared, int stage, int half_step) {
    constexpr int kPieces = Shape::kCodes / 16;  // of a row, swizzled in lines of 128 bytes
    const int row = half_step * kWarp + static_cast<int>(lane_of_thread());
    const int piece = static_cast<int>(threadIdx.x) / kWarp;
    const auto* const pieces = reinterpret_cast<const uint4*>(shared.stages[stage].q[piece / kPieces][row]);
    uint32_t words[2 * kProducts];
    load_turned(words, pieces + (piece % kPieces ^ row * kPieces / 8 % kPieces));
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

  __device__ static void release(Memory& shared, int stage) {
    __syncwarp();
    if (lane_of_thread() < kPair) shared.empty[stage].arrive_in_block(lane_of_thread());
  }

  float sums_[Shape::kRows / 2] = {};
};

// Ends quad i of a thread of the tile from `first_column` on: the sums of two columns of a row, which are x and z of
// it, and of the next row. Eight rows of a tile, which are all of its quads i, are of one part.
__device__ void put_quad(const MixedGradientArgs& args, const Segment& at, int64_t first_column, unsigned thread, int i,
                         float4 sums) {
  const MixedGradientInput& input = args.input[at.input];
  const int lane = static_cast<int>(thread) % kWarp, warp = static_cast<int>(thread) / kWarp;
  const int64_t column = first_column + warp * 16 + lane / 4 * 2;
  int64_t row = at.first_row + i * 8 + lane % 4 * 2;
  int p = 0;
  while (p < input.parts && row >= input.part[p].n) row -= input.part[p++].n;
  if (p == input.parts || column >= input.cols) return;
  const MixedGradientPart& part = input.part[p];
  if (part.c == nullptr) return;
  auto* const to = reinterpret_cast<float2*>(part.c + row * input.cols + column);
  const float factor = number_of(part.factor);
  to[0] = make_float2(factor * sums.x, factor * sums.z);
  to[input.cols / 2] = make_float2(factor * sums.y, factor * sums.w);
}

// A block's part: of the item that its share begins in the middle of, or of that which it begins itself.
template <class Shape>
__device__ float4* part_at(const Product& product, int64_t block, bool begins, unsigned thread) {
  constexpr int64_t kPart = Shape::kQuads * Shape::kMultipliers;
  return reinterpret_cast<float4*>(product.parts) + (2 * block + begins) * kPart + thread;
}

template <class Shape>
__device__ void multiply_by_block(const Product& product, const Maps& maps) {
  auto& shared = shared_of_block<Shared<Shape>>();
  if (threadIdx.x == 0) {
    for (int i = 0; i < Shape::kStages; ++i) {
      shared.full[i].init(1);
      shared.empty[i].init(Shape::kGroups * kGroupWarps * kPair);
    }
    publish_barriers();
  }
  sync_cluster();

  if (group_of_thread() == Shape::kGroups) {
    give_registers<Shape::kHelperRegisters>();
    if (threadIdx.x != Shape::kMultipliers) return;
    wait_for_inputs();
    supply(shared, maps, product);
    let_next_start();
    return;
  }
  take_registers<Shape::kRegisters>();
  wait_for_inputs();
  Turn<Shape::kStages> turn;
  visit_segments<Shape>(product, [&](const Segment& segment) {
    GroupSums<Shape> sums;
    sums.add_steps(shared, turn, segment.steps);
    if (segment.is_whole(product.cut)) {
      const int64_t first_column = segment.first_column + block_of_cluster() * Shape::kColumns;
      sums.visit([&](int i, float4 quad) { put_quad(product.args, segment, first_column, threadIdx.x, i, quad); });
    } else {
      float4* const part = part_at<Shape>(product, blockIdx.x, segment.first_step == 0, threadIdx.x);
      sums.visit([&](int i, float4 quad) { part[i * Shape::kMultipliers] = quad; });
    }
  });
  end_cluster();
}

template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    multiply_codes(const __grid_constant__ Product product, const __grid_constant__ Maps maps) {
  if constexpr (kHopperCode) multiply_by_block<Shape>(product, maps);
}

// A block adds some quads of each thread of a block's tile.
constexpr int kQuadsAtOnce = 4;

template <class Shape>
__global__ void __launch_bounds__(Shape::kMultipliers) add_parts(const __grid_constant__ Product product) {
  static_assert(Shape::kQuads % kQuadsAtOnce == 0);
  constexpr unsigned kAll = Shape::kQuads / kQuadsAtOnce;
  const Cut& cut = product.cut;
  const int begin = static_cast<int>(blockIdx.x % kAll) * kQuadsAtOnce;
  const int half = static_cast<int>(blockIdx.x / kAll % kPair);
  const int64_t item = blockIdx.x / kAll / kPair;
  const int64_t first = cut.pair_of(item * cut.steps), last = cut.pair_of((item + 1) * cut.steps - 1);
  wait_for_inputs();
  let_next_start();
  if (first == last) return;
  const auto part_of = [&](int64_t pair) {
    return part_at<Shape>(product, pair * kPair + half, pair == first, threadIdx.x) + begin * Shape::kMultipliers;
  };
  float4 sums[kQuadsAtOnce];
  const float4* part = part_of(first);
#pragma unroll
  for (int i = 0; i < kQuadsAtOnce; ++i) sums[i] = part[i * Shape::kMultipliers];
#pragma unroll 2
  for (int64_t pair = first + 1; pair <= last; ++pair) {
    part = part_of(pair);
#pragma unroll
    for (int i = 0; i < kQuadsAtOnce; ++i) {
      const float4 x = part[i * Shape::kMultipliers];
      sums[i] = make_float4(sums[i].x + x.x, sums[i].y + x.y, sums[i].z + x.z, sums[i].w + x.w);
    }
  }
  const Segment segment = segment_of<Shape>(product, place_of(cut, item), 0, cut.steps);
#pragma unroll
  for (int i = 0; i < kQuadsAtOnce; ++i) {
    put_quad(product.args, segment, segment.first_column + half * Shape::kColumns, threadIdx.x, begin + i, sums[i]);
  }
}

int64_t rows_of(const MixedGradientInput& input) {
  int64_t rows = 0;
  for (int i = 0; i < input.parts; ++i) rows += input.part[i].n;
  return rows;
}

template <class Shape>
Cut cut_of(const Exec& exec, const MixedGradientArgs& args) {
  Cut cut = {};
  int64_t items = 0;
  for (int i = 0; i < args.inputs; ++i) {
    const MixedGradientInput& input = args.input[i];
    cut.first[i] = items;
    cut.across[i] = ceil_div(input.cols, Shape::kPairColumns);
    items += cut.across[i] * ceil_div(rows_of(input), Shape::kRows);
  }
  cut.steps = ceil_div(args.rows, kStepRows);
  cut.pairs = std::min<int64_t>(std::max(multiprocessors(exec) / kPair, 1), items * cut.steps);
  cut.shared = items % std::max<int64_t>(cut.pairs, 1);
  cut.whole = items - cut.shared;
  cut.classes = cut.shared / std::max<int64_t>(std::gcd(cut.shared, cut.pairs), 1);
  return cut;
}

// What share of what tiles compute is wanted.
template <class Shape>
double filled(const MixedGradientArgs& args) {
  int64_t wanted = 0, computed = 0;
  for (int i = 0; i < args.inputs; ++i) {
    const MixedGradientInput& input = args.input[i];
    for (int p = 0; p < input.parts; ++p) wanted += input.part[p].c == nullptr ? 0 : input.part[p].n * input.cols;
    computed += round_up(rows_of(input), Shape::kRows) * round_up(input.cols, Shape::kPairColumns);
  }
  return static_cast<double>(wanted) / static_cast<double>(std::max<int64_t>(computed, 1));
}

template <class Shape>
Maps maps_of(const Exec& exec, const MixedGradientArgs& args) {
  Maps maps = {};
  for (int i = 0; i < args.inputs; ++i) {
    const MixedGradientInput& input = args.input[i];
    const int64_t rows = rows_of(input);
    if (rows == 0 || input.cols == 0) continue;
    maps.e[i] = make_map(exec, kName, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, input.e, rows, args.rows,
                         input.e_stride * static_cast<int64_t>(sizeof(bf16)), kPanelColumns, kStepRows,
                         CU_TENSOR_MAP_SWIZZLE_128B);
    maps.q[i] = make_map(exec, kName, CU_TENSOR_MAP_DATA_TYPE_UINT8, input.q, input.cols, args.rows, input.q_stride,
                         Shape::kCodes, kStepRows,
                         Shape::kCodes == 128 ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_64B);
  }
  return maps;
}

template <class Shape>
void launch(const Exec& exec, MixedGradientArgs args) {
  // The largest input last: of a layer what is shared out is then of it alone, 0.84 GB instead of 0.92 by a count of
  // what pairs read at the same time.
  std::sort(args.input, args.input + args.inputs, [](const MixedGradientInput& a, const MixedGradientInput& b) {
    return rows_of(a) * a.cols < rows_of(b) * b.cols;
  });
  const Cut cut = cut_of<Shape>(exec, args);
  const Room parts(exec, static_cast<size_t>(2 * kPair * cut.pairs * Shape::kRows * Shape::kColumns) * sizeof(float),
                   kName);
  if (!parts) return;
  const Product product = {args, cut, parts.as<float>()};
  launch_clusters(exec, kName, multiply_codes<Shape>, cut.pairs * kPair, Shape::kThreads, kSharedBytes<Shared<Shape>>,
                  kPair, product, maps_of<Shape>(exec, args));
  if (cut.shared == 0) return;
  launch_early(exec, kName, add_parts<Shape>,
               static_cast<unsigned>(cut.shared * kPair * (Shape::kQuads / kQuadsAtOnce)), Shape::kMultipliers, 0,
               product);
}

}  // namespace

// Measured on an H100 with 32768 rows: 173 us for three of 768 x 768, 290 for two of 2048 x 768, 67 for 768 x 768, 153
// for 768 x 2048, where cuBLASLt takes 197, 276, 65 and 139 after codes were made bf16, which takes some 26, 26, 26 and
// 68. Blocks of 256 columns of q by 128 of e convert twice as much for each product and take 172 us instead of 150 for
// 2048 x 768; 4 stages do as well as 5. One of 768 x 768 has some 20 us of its start, its parts and their sum. Blocks
// of 192 columns of each, where those of 256 by 128 fit too, take as long.
//
// With 384 columns, in a step of training on an H200 with the sums of the parts: 86 us for two of 1024 x 384, 57 for
// three of 384 x 384, 38 for one, 54 for 384 x 1024, where cuBLASLt takes 85, 66, 23 and 47 after codes were made bf16:
// 20, 16, 14 and 32.
//
// A layer of 110 M parameters has 108 tiles for the 66 pairs of an H200. Where one of each pair is whole this takes 578
// us and moves 0.91 GB; 620 and 1.43 where the steps of all are shared out, which a step of training feels (1.2 %
// shorter); 0.66 would do. Lost: e that goes first from the L2 cache, and q that stays there, 0.0 % of a step.
//
// One launch for the four inputs of a layer, instead of four: on an H200 17 M parameters train 4 % faster, 110 M 0.1 %,
// where the GPU is held back by its power and not by launches.
bool weight_gradient(const Exec& exec, const MixedGradientArgs& args) noexcept {
  if (!is_hopper(exec) || args.rows == 0) return false;
  using Usual = TileShape<2, 256, 5>;
  using Thrice = TileShape<3, 192, 6>;  // where extents are multiples of 384
  using Narrow = TileShape<2, 192, 6>;
  constexpr double kEnough = 0.85;
  const double usual = filled<Usual>(args), thrice = filled<Thrice>(args), narrow = filled<Narrow>(args);
  if (std::max({usual, thrice, narrow}) < kEnough) return false;
  if (usual >= kEnough && usual + 0.1 > std::max(thrice, narrow)) {
    launch<Usual>(exec, args);
  } else if (thrice >= narrow) {
    launch<Thrice>(exec, args);
  } else {
    launch<Narrow>(exec, args);
  }
  return true;
}

}  // namespace tern::cuda
