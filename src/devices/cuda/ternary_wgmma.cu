// SPDX-License-Identifier: Apache-2.0
// The ternary product of many rows on GPUs of compute capability 9.0. A block's last warp asks for operands, a tile of
// weights along k at a time: activations as bytes and weights as they are packed go round a ring of stages in shared
// memory. Two groups of four warps multiply: weights become bytes in their registers, five instructions for four
// registers of an operand, while the products of those before still run.
//
// Many rows: blocks stay, and their groups take their tiles of outputs in turn. One writes what it has while the other
// multiplies. Results in bf16 leave through shared memory, by the copy engine.
//
// Fewer: a block has one tile, whose steps along k are shared out to the blocks of a cluster and to the two groups of
// each, so that all multiprocessors work. Sums meet in shared memory, exactly, in any order.
#include <cuda.h>

#include <algorithm>
#include <iterator>
#include <type_traits>

#include "devices/cuda/bf16_pair.cuh"
#include "devices/cuda/bf16_tile.cuh"
#include "devices/cuda/block_memory.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/mbarrier.cuh"
#include "devices/cuda/numbers.cuh"
#include "devices/cuda/tensor_map.h"
#include "devices/cuda/ternary.h"
#include "devices/cuda/ternary_layout.cuh"
#include "devices/cuda/ternary_parts.cuh"
#include "devices/cuda/wgmma.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "ternary_wgmma";
constexpr int kGroups = 2;
constexpr int kTileWords = kTileBytes / 4;
constexpr unsigned kMostShares = 4;                             // blocks of a cluster; 8 is what every GPU takes
constexpr int64_t kMostColumns = (int64_t{1} << 22) / 128 - 1;  // of k, for small_code_sum(): |acc| < 2^22

template <int kColumnGroups_, int kRows_, int kStages_>
struct WgmmaShape {
  static constexpr int kColumnGroups = kColumnGroups_, kColumns = kGroupRows * kColumnGroups;  // of a tile of outputs
  static constexpr int kRows = kRows_;
  static constexpr int kStages = kStages_;
  static constexpr int kTiles = kColumns / kTileRows;
  // 168 registers, which 12 warps can have, are too few for 128 sums: a whole group is there to give its own away.
  static constexpr bool kWide = kColumns * kRows / kGroupThreads >= 128;
  static constexpr int kThreads = kGroups * kGroupThreads + (kWide ? kGroupThreads : kWarp);
};

// Operands of one step, 128 columns along k.
template <class Shape>
struct alignas(1024) Stage {
  uint8_t q[Shape::kRows][kTileColumns];  // as operand_in_shared wants it
  uint4 weights[Shape::kTiles][kWarp];
};

// What ends the outputs of one row.
struct alignas(8) RowEnd {
  float factor;
  int32_t q_sum;
};

template <class Shape>
struct Shared {
  Stage<Shape> stages[Shape::kStages];
  RowEnd ends[kGroups][Shape::kRows];
  Barrier full[Shape::kStages], empty[Shape::kStages];
  Barrier before[kGroups];  // the other group has taken all stages before this one's tile
};

// The operands in memory, in boxes of a stage's.
struct Maps {
  CUtensorMap q;
  CUtensorMap weights[kMostTernaryParts];  // rows of tiles, in words
};

// Each stage is freed by the warps of one group in each of kBlocks blocks.
template <class Shape>
__device__ void init_barriers(Shared<Shape>& shared, int blocks) {
  if (threadIdx.x == 0) {
    for (int i = 0; i < Shape::kStages; ++i) {
      shared.full[i].init(1);
      shared.empty[i].init(kGroupWarps * blocks);
    }
    for (Barrier& each : shared.before) each.init(kGroupWarps);
    publish_barriers();
  }
}

// A place in the endless sequence of stages.
template <class Shape>
struct Turn {
  unsigned stage = 0, round = 0;

  __device__ void advance(unsigned by) {
    stage += by % Shape::kStages;
    round += by / Shape::kStages;
    if (stage >= Shape::kStages) stage -= Shape::kStages, ++round;
  }
  __device__ unsigned parity() const { return round % 2; }
};

// The thread that asks for operands. kBlocks blocks of a cluster have the same rows: each brings its part of their
// activations to all. A tile's weights are of kParts parts, the same columns of each. Rows and columns beyond those
// that the maps know come as zeros.
template <class Shape, int kBlocks, int kParts = 1>
class Supply {
 public:
  __device__ static bool is_thread() { return threadIdx.x == kGroups * kGroupThreads; }

  __device__ Supply(Shared<Shape>& shared, const TernaryMatmulArgs& args, const Maps& maps)
      : shared_(shared), args_(args), maps_(maps) {
    prefetch_map(maps.q);
  }

  // The weights of the first steps that bring() will be called for, as many as there are stages. What has written them,
  // ternary_pack or a copy, lets nothing start before it ends.
  __device__ void bring_early(const PartBlock& place, int step, int end) {
    Turn<Shape> turn;
    for (; step < end && early_ < Shape::kStages; ++step, ++early_, turn.advance(1)) bring_weights(turn, place, step);
  }

  __device__ void bring(const PartBlock& place, int64_t first_row, int step, int end) {
    for (; step < end; ++step, turn_.advance(1)) {
      if (early_ > 0) {
        --early_;
      } else {
        shared_.empty[turn_.stage].wait(turn_.parity() ^ 1);
        bring_weights(turn_, place, step);
      }
      bring_activations(step, first_row);
    }
  }

 private:
  static_assert(sizeof(Stage<Shape>) == Shape::kRows * kTileColumns + Shape::kTiles * kTileBytes);

  __device__ void bring_weights(const Turn<Shape>& turn, const PartBlock& place, int step) {
    Barrier& full = shared_.full[turn.stage];
    full.arrive_expecting(sizeof(Stage<Shape>));
    const CUtensorMap* const map = &maps_.weights[&place.part - args_.part];
#pragma unroll
    for (int i = 0; i < kParts; ++i) {
      copy_box(shared_.stages[turn.stage].weights[i * (Shape::kTiles / kParts)], map[i], step * kTileWords,
               static_cast<int>(place.column / kTileRows), full);
    }
  }

  // Rows that any memory holds are fewer than an int counts.
  __device__ void bring_activations(int step, int64_t first_row) {
    auto& q = shared_.stages[turn_.stage].q;
    const Barrier& full = shared_.full[turn_.stage];
    const int column = step * kTileColumns, row = static_cast<int>(first_row);
    if constexpr (kBlocks == 1) {
      copy_box(q, maps_.q, column, row, full);
    } else {
      const int part = static_cast<int>(block_of_cluster()) * (Shape::kRows / kBlocks);
      copy_box_to_blocks(q[part], maps_.q, column, row + part, full, (1u << kBlocks) - 1);
    }
  }

  Shared<Shape>& shared_;
  const TernaryMatmulArgs& args_;
  const Maps& maps_;
  Turn<Shape> turn_;
  int early_ = 0;
};

// A warp of a group has one row of tiles of weights, 16 columns of outputs, of each column group: of group m that of
// this number. `at` counts them.
struct TilesInOrder {
  __device__ static int at(int m) { return m * kGroupWarps + warp(); }
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / kWarp % kGroupWarps; }
};

// The halves of heads of 16 << (shift + 1) columns are the two column groups: what is rotated together has one lane.
struct TilesOfHeads {
  int shift;

  __device__ int at(int m) const {
    const int warp = TilesInOrder::warp();
    return (warp >> shift << (shift + 1)) + (m << shift) + (warp & ((1 << shift) - 1));
  }
};

// A group's sums of one tile of outputs, and one warp's part in them.
template <class Shape, int kBlocks, class Tiles = TilesInOrder>
class GroupSums {
 public:
  __device__ explicit GroupSums(const Tiles& tiles = {}) : tiles_(tiles) {}

  // Adds the products of `count` stages: the one at `turn`, and each `stride` further. Frees them. Calls all_taken()
  // when the last has come. A barrier tells one round from the next only: what was at the same stages before has come
  // when this is called, or is taken here. Operands of halves of a stage take turns with three sets of registers: while
  // one is made, the products of two more are under way.
  template <class AllTaken>
  __device__ void add_stages(Shared<Shape>& shared, Turn<Shape> turn, int count, unsigned stride,
                             const AllTaken& all_taken) {
    if (count <= 0) return;
    Operands sets[3];
    unsigned last = 0, last_but_one = 0;  // stages whose products may be under way
    const auto add_stage = [&](Operands& first, Operands& second, int i) {
      wait_for_products<2>();
      if (i > 1) release(shared, last_but_one);
      Packed packed;
      take(packed, shared, turn);
      if (i + 1 == count) all_taken();
      const uint64_t q = operand_in_shared(shared_address(shared.stages[turn.stage].q));
      unpack(first, packed, 0);
      multiply(first, q);
      wait_for_products<2>();
      unpack(second, packed, 1);
      multiply(second, q + kHalfSteps * kOperandStep);
      last_but_one = last;
      last = turn.stage;
      turn.advance(stride);
    };
    int i = 0;
    for (; i + 3 <= count; i += 3) {
      add_stage(sets[0], sets[1], i);
      add_stage(sets[2], sets[0], i + 1);
      add_stage(sets[1], sets[2], i + 2);
    }
    if (i < count) add_stage(sets[0], sets[1], i);
    if (i + 1 < count) add_stage(sets[2], sets[0], i + 1);
    wait_for_products<0>();
    if (count > 1) release(shared, last_but_one);
    release(shared, last);
  }

  // Ends the outputs from first_row and first_column of those in `rows` rows and before column `width`: put_output,
  // with what many of them have in common done once.
  __device__ void put(const TernaryPart& part, int64_t first_row, int rows, int64_t first_column, int64_t width,
                      const RowEnd (&ends)[Shape::kRows]) const {
    const int rows_left = rows - lane_row();
    const int64_t columns_left = width - first_column - lane_column();
    const int64_t at = (first_row + lane_row()) * part.n + first_column + lane_column();
    const auto put_all = [&](auto* to, const auto& value) {
      visit([&](int row) {
        const RowEnd end = ends[lane_row() + row];
        auto* const to_row = to + row * part.n;
        return [=](int column, uint32_t sum) {
          if (row < rows_left && column < columns_left) to_row[column] = value(code_sum(sum, end.q_sum), end.factor);
        };
      });
    };
    if (part.y) put_all(part.y + at, [](int32_t sum, float factor) { return static_cast<float>(sum) * factor; });
    if (part.acc) put_all(part.acc + at, [](int32_t sum, float) { return sum; });
  }

  // Calls begin_row(row)(column, sum) for the sums of this lane, by rows and columns from its first of the tile.
  template <class BeginRow>
  __device__ void visit(const BeginRow& begin_row) const {
#pragma unroll
    for (int j = 0; j < Shape::kRows / 8; ++j) {
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
        const auto each = begin_row(8 * j + odd);
#pragma unroll
        for (int m = 0; m < 2 * Shape::kColumnGroups; ++m) {
          each(m / 2 * kGroupRows + m % 2 * 8, sum(m / 2, m % 2, j, odd));
        }
      }
    }
  }

  // Of the lane's in column group m, its row 8j + odd and its column 8·upper.
  __device__ uint32_t sum(int m, int upper, int j, int odd) const {
    return sum_of_row_digits(sums_[m][4 * j + 2 * upper + odd], upper > 0);
  }

  __device__ static int lane_row() { return static_cast<int>(lane_of_thread()) % 4 * 2; }
  __device__ static int lane_column() {
    return TilesInOrder::warp() * kTileRows + static_cast<int>(lane_of_thread()) / 4;
  }

 private:
  static constexpr int kHalfSteps = kHalfColumns / kProductColumns;

  using Packed = Words[Shape::kColumnGroups];
  using Operands = uint32_t[Shape::kColumnGroups][kHalfSteps][4];

  __device__ void take(Packed& packed, Shared<Shape>& shared, const Turn<Shape>& turn) const {
    shared.full[turn.stage].wait(turn.parity());
#pragma unroll
    for (int m = 0; m < Shape::kColumnGroups; ++m) {
      const uint4 words = shared.stages[turn.stage].weights[tiles_.at(m)][lane_of_thread()];
      packed[m] = {{words.x, words.y, words.z, words.w}};
    }
  }

  __device__ static void unpack(Operands& u, const Packed& packed, int half) {
#pragma unroll
    for (int m = 0; m < Shape::kColumnGroups; ++m) {
#pragma unroll
      for (int s = 0; s < kHalfSteps; ++s) unpack_row_digits(packed[m].at[half * kHalfSteps + s], u[m][s]);
    }
  }

  // Starts the products of half a stage.
  __device__ void multiply(Operands& u, uint64_t q) {
#pragma unroll
    for (int m = 0; m < Shape::kColumnGroups; ++m) {
#pragma unroll
      for (int s = 0; s < kHalfSteps; ++s) settle(u[m][s]);
    }
    fence_registers();
#pragma unroll
    for (int s = 0; s < kHalfSteps; ++s) {
#pragma unroll
      for (int m = 0; m < Shape::kColumnGroups; ++m) add_group_products(sums_[m], u[m][s], q + s * kOperandStep);
    }
    end_batch();
  }

  __device__ static void release(Shared<Shape>& shared, unsigned stage) {
    __syncwarp();
    if constexpr (kBlocks == 1) {
      if (lane_of_thread() == 0) shared.empty[stage].arrive();
    } else {
      if (lane_of_thread() < kBlocks) shared.empty[stage].arrive_in_block(lane_of_thread());
    }
  }

  const Tiles tiles_;
  uint32_t sums_[Shape::kColumnGroups][Shape::kRows / 2] = {};
};

// Whether the calling thread, whose group this is, multiplies. The first of those that do not is the supplier.
template <class Shape>
__device__ bool multiplies(unsigned group) {
  const bool does = group < kGroups;
  if constexpr (Shape::kWide) does ? take_registers<240>() : give_registers<24>();
  return does;
}

// By `threads` threads; thread is one of them.
template <class Shape>
__device__ void load_ends(RowEnd (&ends)[Shape::kRows], const TernaryMatmulArgs& args, const PartBlock& place,
                          int64_t first_row, unsigned thread, unsigned threads) {
  for (unsigned i = thread; i < Shape::kRows && first_row + i < args.rows; i += threads) {
    const int64_t row = first_row + i;
    ends[i] = {output_factor(place.part, args.q_scale[row]), args.sums[row]};
  }
}

// ---------------------------------------------------------------- many rows

// Items are kBlocks neighbouring tiles of the same rows. They run through the columns first: the rows of activations
// that are at work at one time, and the packed weights, stay in the L2 cache. A tile has kColumns columns of a part.
template <class Shape, int kBlocks, int kColumns>
class Items {
 public:
  __device__ Items(const TernaryMatmulArgs& args, unsigned columns, unsigned items)
      : args_(args), columns_(columns), across_((columns + kBlocks - 1) / kBlocks), items_(items) {}

  // Calls each(place, first row, whether it is a tile) for this block's tile of its first item: there is one.
  template <class Each>
  __device__ void visit_first(const Each& each) const {
    visit_item(blockIdx.x / kBlocks, each);
  }

  // For those of its items in order, from the first-th on each step-th.
  template <class Each>
  __device__ void visit(unsigned first, unsigned step, const Each& each) const {
    const unsigned at_once = gridDim.x / kBlocks;
    for (int64_t item = blockIdx.x / kBlocks + int64_t{first} * at_once; item < items_; item += step * at_once) {
      visit_item(static_cast<unsigned>(item), each);
    }
  }

 private:
  template <class Each>
  __device__ void visit_item(unsigned item, const Each& each) const {
    const unsigned column = item % across_ * kBlocks + blockIdx.x % kBlocks;
    each(part_block<kColumns>(args_, min(column, columns_ - 1)), int64_t{item / across_} * Shape::kRows,
         column < columns_);
  }

  const TernaryMatmulArgs& args_;
  const unsigned columns_, across_, items_;
};

// One tile of outputs.
struct TurnTile {
  const TernaryPart& part;
  int part_at;
  int64_t first_row, first_column;
  int rows;
  bool is_tile;  // or one beyond the last, of which nothing is written
};

// The outputs of TernaryMatmulArgs.
template <class Shape>
struct PlainOutput {
  static constexpr int kParts = 1;
  struct To {};
  struct Memory {};
  using Tiles = TilesInOrder;

  __device__ PlainOutput(const To&, Memory&, unsigned) {}
  __device__ static void init(Memory&) {}
  __device__ Tiles tiles() const { return {}; }
  __device__ float weight_scale(const TurnTile& tile) const { return tile.part.weight_scale; }
  __device__ void begin(const TurnTile&) {}
  __device__ void prepare(int, float) {}
  __device__ void end() {}

  template <class Sums>
  __device__ void put(const Sums& sums, const TurnTile& tile, const RowEnd (&ends)[Shape::kRows]) {
    sums.put(tile.part, tile.first_row, tile.rows, tile.first_column, tile.is_tile ? tile.part.n : 0, ends);
  }
};

// relu(gate)²·up of two parts, of which a tile has the same columns: a group of columns each, whose sums are in the
// same lanes.
template <class Shape>
class GateOutput {
 public:
  static constexpr int kParts = 2;
  static_assert(Shape::kColumnGroups == kParts);
  struct To {
    float up_scale;  // of the weights
  };
  struct Memory {
    float up_factors[kGroups][Shape::kRows];
  };
  using Tiles = TilesInOrder;

  __device__ GateOutput(const To& to, Memory& memory, unsigned group) : to_(to), factors_(memory.up_factors[group]) {}

  __device__ static void init(Memory&) {}
  __device__ Tiles tiles() const { return {}; }
  __device__ float weight_scale(const TurnTile& tile) const { return tile.part.weight_scale; }
  __device__ void begin(const TurnTile&) {}
  __device__ void prepare(int row, float q_scale) { factors_[row] = to_.up_scale / q_scale; }
  __device__ void end() {}

  template <class Sums>
  __device__ void put(const Sums& sums, const TurnTile& tile, const RowEnd (&ends)[Shape::kRows]) {
    const int64_t n = tile.part.n, columns_left = (tile.is_tile ? n : 0) - tile.first_column - Sums::lane_column();
    float* const to = tile.part.y + (tile.first_row + Sums::lane_row()) * n + tile.first_column + Sums::lane_column();
    const int rows_left = tile.rows - Sums::lane_row();
#pragma unroll
    for (int j = 0; j < Shape::kRows / 8; ++j) {
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
        const int row = 8 * j + odd;
        const RowEnd end = ends[Sums::lane_row() + row];
        const float up_factor = factors_[Sums::lane_row() + row];
#pragma unroll
        for (int upper = 0; upper < 2; ++upper) {
          const float r = relu(small_code_sum(sums.sum(0, upper, j, odd), end.q_sum) * end.factor);
          const float up = small_code_sum(sums.sum(1, upper, j, odd), end.q_sum) * up_factor;
          if (row < rows_left && 8 * upper < columns_left) to[row * n + 8 * upper] = r * r * up;
        }
      }
    }
  }

 private:
  const To& to_;
  float (&factors_)[Shape::kRows];
};

// Those of MixedTernaryArgs. A thread of each group stores what the group has left in its boxes. Before, while the
// group's products of that tile still run, it has brought there what results meet: a residual, or what turns heads.
// kRotates: parts may be rotated, in registers, whose lanes then have both halves of heads.
template <class Shape, bool kRotates>
class Bf16Output {
 public:
  static constexpr int kParts = 1;
  struct To {
    CUtensorMap y[kMostTernaryParts], residual[kMostTernaryParts], cos, sin;
    bool adds[kMostTernaryParts], rotates[kMostTernaryParts];
    bool brings_turns;  // by cos and sin
    const float* weight_scale[kMostTernaryParts];
    MixedRotation rotation;
  };
  struct Memory {
    Bf16Box<Shape::kRows> boxes[kGroups][Shape::kColumnGroups];
    Barrier brought[kGroups];
  };
  using Tiles = std::conditional_t<kRotates, TilesOfHeads, TilesInOrder>;

  // Whether a box has room for the turns of a tile, whose rows must be neighbours in the tables.
  static bool can_bring_turns(const MixedRotation& rotation) {
    return rotation.dim / 2 <= kBoxTurns && rotation.tokens % Shape::kRows == 0;
  }
  static constexpr int kBoxTurns = kBoxColumns * sizeof(bf16) / sizeof(float);  // of a row

  __device__ Bf16Output(const To& to, Memory& memory, unsigned group)
      : to_(to), boxes_(memory.boxes[group]), brought_(memory.brought[group]) {}

  // By one thread, like Barrier::init.
  __device__ static void init(Memory& memory) {
    for (Barrier& each : memory.brought) each.init(1);
  }

  __device__ Tiles tiles() const {
    if constexpr (kRotates) return {__ffs(static_cast<int>(to_.rotation.dim)) - 6};
    return {};
  }
  __device__ float weight_scale(const TurnTile& tile) const { return *to_.weight_scale[tile.part_at]; }

  // Before the products of the tile.
  __device__ void begin(const TurnTile& tile) {
    if (brings(tile) && threadIdx.x % kGroupThreads == 0) {
      wait_for_reads();
      brought_.arrive_expecting(sizeof boxes_);
      if (rotates(tile)) {
        const int position = static_cast<int>(tile.first_row) % static_cast<int>(to_.rotation.tokens);
        copy_box(&boxes_[0], to_.cos, 0, position, brought_);
        copy_box(&boxes_[1], to_.sin, 0, position, brought_);
      } else {
        visit_boxes(tile, [&](auto& box, int column, int row) {
          copy_box(&box, to_.residual[tile.part_at], column, row, brought_);
        });
      }
    }
    __syncwarp();
  }

  // Before the barrier of the group that is before put(): the boxes can be written.
  __device__ void prepare(int, float) {
    if (threadIdx.x % kGroupThreads == 0) wait_for_reads();
    __syncwarp();
  }

  // Between two barriers of the group.
  template <class Sums>
  __device__ void put(const Sums& sums, const TurnTile& tile, const RowEnd (&ends)[Shape::kRows]) {
    if (!tile.is_tile) return;
    if (brings(tile)) {
      brought_.wait(parity_);
      parity_ ^= 1;
    }
    if (rotates(tile)) {
      if constexpr (kRotates) {
        to_.brings_turns ? write_rotated<1>(sums, ends, turns_in_boxes())
                         : write_rotated<2>(sums, ends, turns_in_memory(tile));
      }
    } else if (brings(tile)) {
      write<true>(sums, ends);
    } else {
      write<false>(sums, ends);
    }
    publish_to_copies();
    sync_group();
    if (threadIdx.x % kGroupThreads == 0) {
      visit_boxes(tile, [&](auto& box, int column, int row) { store_box(to_.y[tile.part_at], column, row, &box); });
      end_stores();
    }
    __syncwarp();
  }

  __device__ void end() {
    if (threadIdx.x % kGroupThreads == 0) wait_for_stores();
    __syncwarp();
  }

 private:
  using Boxes = Bf16Box<Shape::kRows>[Shape::kColumnGroups];
  [[maybe_unused]] static constexpr int kStep = 16;  // rows of heads that are written at a time
  static_assert(kGroupRows == kBoxColumns && (!kRotates || Shape::kColumnGroups == 2));

  __device__ bool rotates(const TurnTile& tile) const { return kRotates && to_.rotates[tile.part_at]; }
  __device__ bool brings(const TurnTile& tile) const {
    return tile.is_tile && (rotates(tile) ? to_.brings_turns : to_.adds[tile.part_at]);
  }
  __device__ static void sync_group() { sync_groups<1>(1 + threadIdx.x / kGroupThreads); }

  // Rows that any memory holds are fewer than an int counts.
  template <class Each>
  __device__ void visit_boxes(const TurnTile& tile, const Each& each) {
#pragma unroll
    for (int m = 0; m < Shape::kColumnGroups; ++m) {
      each(boxes_[m], static_cast<int>(tile.first_column) + m * kBoxColumns, static_cast<int>(tile.first_row));
    }
  }

  // This lane's row of the four matrices of the warp's tile of column group m from a row on: their two groups of
  // columns by two groups of rows.
  __device__ uint4* matrix_row(int m, int first_row) {
    const int lane = static_cast<int>(lane_of_thread()), tile = tiles().at(m), column = tile * kTileRows % kBoxColumns;
    return boxes_[tile * kTileRows / kBoxColumns].piece(first_row + lane / 16 * 8 + lane % 8,
                                                        column + lane / 8 % 2 * 8);
  }

  // The ends of this lane's rows of two groups of 8.
  using Ends = RowEnd[2][2];
  template <class Sums>
  __device__ static void load(Ends& to, const RowEnd (&ends)[Shape::kRows], int j) {
#pragma unroll
    for (int i = 0; i < 4; ++i) to[i / 2][i % 2] = ends[8 * (j + i / 2) + Sums::lane_row() + i % 2];
  }

  // Of the lane's two rows of the i-th matrix of column group m.
  template <class Sums>
  __device__ static float2 values(const Sums& sums, const Ends& ends, int m, int j, int i) {
    const auto value = [&](int odd) {
      const RowEnd& of = ends[i / 2][odd];
      return small_code_sum(sums.sum(m, i % 2, j + i / 2, odd), of.q_sum) * of.factor;
    };
    return {value(0), value(1)};
  }

  // Two groups of 8 rows at a time; the ends of the next are loaded before a store that they could not pass.
  template <bool kAdds, class Sums>
  __device__ void write(const Sums& sums, const RowEnd (&ends)[Shape::kRows]) {
    Ends next;
    load<Sums>(next, ends, 0);
#pragma unroll
    for (int j = 0; j < Shape::kRows / 8; j += 2) {
      const Ends end = {{next[0][0], next[0][1]}, {next[1][0], next[1][1]}};
      if (j + 2 < Shape::kRows / 8) load<Sums>(next, ends, j + 2);
      uint32_t pairs[Shape::kColumnGroups][4];
#pragma unroll
      for (int m = 0; m < Shape::kColumnGroups; ++m) {
        if constexpr (kAdds) load_turned(pairs[m], matrix_row(m, 8 * j));
      }
#pragma unroll
      for (int m = 0; m < Shape::kColumnGroups; ++m) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          float2 value = values(sums, end, m, j, i);
          if constexpr (kAdds) value = {low_of(pairs[m][i]) + value.x, high_of(pairs[m][i]) + value.y};
          pairs[m][i] = bf16_pair(value.x, value.y);
        }
        store_turned(matrix_row(m, 8 * j), pairs[m]);
      }
    }
  }

  // Of the lane's two rows of each of the four matrices of a column group.
  struct Turns {
    float cos[4][2], sin[4][2];
  };

  // Calls each(i, odd, row from the first of the tile, column of a half of a head) for what `Turns` of a step have.
  template <class Each>
  __device__ void visit_turns(int step, const Each& each) const {
    const int lane = static_cast<int>(lane_of_thread()), warp = TilesInOrder::warp();
    const int column = (warp & ((1 << tiles().shift) - 1)) * kTileRows + lane / 4;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
        each(i, odd, step * kStep + i / 2 * 8 + lane % 4 * 2 + odd, column + i % 2 * 8);
      }
    }
  }

  // These give load(turns, step).
  __device__ auto turns_in_boxes() const {
    return [this](Turns& turns, int step) {
      visit_turns(step, [&](int i, int odd, int row, int column) {
        const int piece = column / 4 ^ row % 8;
        turns.cos[i][odd] = reinterpret_cast<const float*>(&boxes_[0].at[row][piece])[column % 4];
        turns.sin[i][odd] = reinterpret_cast<const float*>(&boxes_[1].at[row][piece])[column % 4];
      });
    };
  }
  __device__ auto turns_in_memory(const TurnTile& tile) const {
    const auto tokens = static_cast<unsigned>(to_.rotation.tokens);
    return [this, tokens, first = static_cast<unsigned>(tile.first_row) % tokens](Turns& turns, int step) {
      visit_turns(step, [&](int i, int odd, int row, int column) {
        unsigned position = first + row;
        if (position >= tokens) position %= tokens;
        const int64_t at = int64_t{position} * (to_.rotation.dim / 2) + column;
        turns.cos[i][odd] = __ldg(to_.rotation.cos + at);
        turns.sin[i][odd] = __ldg(to_.rotation.sin + at);
      });
    };
  }

  // The same with heads rotated, whose halves are the column groups. Turns are asked for kAhead steps ahead; those in
  // the boxes, before a step whose rows they share with results is written by any warp.
  template <int kAhead, class Sums, class Load>
  __device__ void write_rotated(const Sums& sums, const RowEnd (&ends)[Shape::kRows], const Load& load_turns) {
    constexpr int kSteps = Shape::kRows / kStep;
    Turns turns[kAhead + 1];
#pragma unroll
    for (int step = 0; step < kAhead; ++step) load_turns(turns[step], step);
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      const Turns& turn = turns[step % (kAhead + 1)];
      if (step + kAhead < kSteps) load_turns(turns[(step + kAhead) % (kAhead + 1)], step + kAhead);
      Ends end;
      load<Sums>(end, ends, 2 * step);
      uint32_t low[4], high[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float2 of_low = values(sums, end, 0, 2 * step, i), of_high = values(sums, end, 1, 2 * step, i);
        const uint32_t x = bf16_pair(of_low.x, of_low.y), y = bf16_pair(of_high.x, of_high.y);
        const float(&c)[2] = turn.cos[i], (&s)[2] = turn.sin[i];
        low[i] = bf16_pair(low_of(x) * c[0] - low_of(y) * s[0], high_of(x) * c[1] - high_of(y) * s[1]);
        high[i] = bf16_pair(low_of(y) * c[0] + low_of(x) * s[0], high_of(y) * c[1] + high_of(x) * s[1]);
      }
      sync_group();
      store_turned(matrix_row(0, kStep * step), low);
      store_turned(matrix_row(1, kStep * step), high);
    }
  }

  const To& to_;
  Boxes& boxes_;
  Barrier& brought_;
  unsigned parity_ = 0;
};

template <class Shape, class Output>
struct SharedInTurn : Shared<Shape> {
  typename Output::Memory output;
};

template <class Shape, int kBlocks, class Output>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    multiply_in_turn(const __grid_constant__ TernaryMatmulArgs args, const __grid_constant__ Maps maps,
                     const __grid_constant__ typename Output::To to, unsigned columns, unsigned item_count) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  auto& shared = shared_of_block<SharedInTurn<Shape, Output>>();
  const int steps = static_cast<int>(column_tiles(args.k));
  const Items<Shape, kBlocks, Shape::kColumns / Output::kParts> items(args, columns, item_count);
  const unsigned group = group_of_thread();
  if (threadIdx.x == 0) Output::init(shared.output);
  init_barriers<Shape>(shared, kBlocks);
  kBlocks == 1 ? __syncthreads() : sync_cluster();

  if (!multiplies<Shape>(group)) {
    using Supplier = Supply<Shape, kBlocks, Output::kParts>;
    if (!Supplier::is_thread()) return;
    Supplier supply(shared, args, maps);
    items.visit_first([&](const PartBlock& place, int64_t, bool) { supply.bring_early(place, 0, steps); });
    wait_for_inputs();
    items.visit(0, 1,
                [&](const PartBlock& place, int64_t first_row, bool) { supply.bring(place, first_row, 0, steps); });
    let_next_start();
    return;
  }
  auto& ends = shared.ends[group];
  Output output(to, shared.output, group);
  unsigned tiles = 0;
  Turn<Shape> turn;
  if (group > 0) turn.advance(static_cast<unsigned>(steps));
  wait_for_inputs();
  items.visit(group, kGroups, [&](const PartBlock& place, int64_t first_row, bool is_tile) {
    const int rows = static_cast<int>(min(args.rows - first_row, int64_t{Shape::kRows}));
    const TurnTile tile = {place.part, static_cast<int>(&place.part - args.part), first_row, place.column, rows,
                           is_tile};
    // Asked for before the products, which hide how long they take.
    static_assert(Shape::kRows == kGroupThreads);
    const int row = static_cast<int>(threadIdx.x) % kGroupThreads;
    const float q_scale = row < rows ? args.q_scale[first_row + row] : 1.0f;
    const int32_t q_sum = row < rows ? args.sums[first_row + row] : 0;
    // As if each row had its own: what a warp shares the compiler keeps in a register of the warp, and waits for it
    // here.
    const float weight_scale = row < rows ? output.weight_scale(tile) : 1.0f;
    output.begin(tile);
    // The first tile of all is before none.
    shared.before[group].wait((tiles++ + kGroups - 1 - group) % 2);
    GroupSums<Shape, kBlocks, typename Output::Tiles> sums(output.tiles());
    sums.add_stages(shared, turn, steps, 1, [&] {
      __syncwarp();
      if (lane_of_thread() == 0) shared.before[kGroups - 1 - group].arrive();
    });
    turn.advance(static_cast<unsigned>(kGroups * steps));
    ends[row] = {weight_scale / q_scale, q_sum};
    output.prepare(row, q_scale);
    sync_groups<1>(1 + group);
    output.put(sums, tile, ends);
    sync_groups<1>(1 + group);
  });
  output.end();
  if constexpr (kBlocks > 1) end_cluster();
#endif
}

// ---------------------------------------------------------------- fewer

// Sums of a tile in shared memory.
template <class Shape>
struct SharedSums {
  // Between rows: a warp's lanes, at 2t·kPitch + g, fall in different banks.
  static constexpr int kPitch = Shape::kColumns + 4;
  static_assert(2 * kPitch % 32 == 8);

  uint32_t at[Shape::kRows][kPitch];
};

template <class Shape>
__global__ void __launch_bounds__(Shape::kThreads, 1)
    multiply_in_shares(const __grid_constant__ TernaryMatmulArgs args, const __grid_constant__ Maps maps,
                       unsigned columns) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  static_assert(sizeof(SharedSums<Shape>) <= sizeof(Shared<Shape>::stages));
  static_assert(Shape::kStages % kGroups == 0);  // a stage has one group's steps alone
  auto& shared = shared_of_block<Shared<Shape>>();
  const unsigned share = block_of_cluster(), shares = blocks_of_cluster(), tile = blockIdx.x / shares;
  const int64_t steps = column_tiles(args.k);
  const int begin = static_cast<int>(steps * share / shares), end = static_cast<int>(steps * (share + 1) / shares);
  const PartBlock place = part_block<Shape::kColumns>(args, tile % columns);
  const int64_t first_row = int64_t{tile / columns} * Shape::kRows;
  const unsigned group = group_of_thread();
  init_barriers(shared, 1);
  __syncthreads();

  if (!multiplies<Shape>(group)) {
    if (!Supply<Shape, 1>::is_thread()) return;
    Supply<Shape, 1> supply(shared, args, maps);
    supply.bring_early(place, begin, end);
    wait_for_inputs();
    supply.bring(place, first_row, begin, end);
    let_next_start();
    return;
  }
  wait_for_inputs();
  load_ends<Shape>(shared.ends[0], args, place, first_row, threadIdx.x, kGroups * kGroupThreads);
  Turn<Shape> turn;
  turn.advance(group);
  GroupSums<Shape, 1> sums;
  sums.add_stages(shared, turn, (end - begin - static_cast<int>(group) + 1) / kGroups, kGroups, [] {});
  sync_groups<kGroups>(1);  // the stages are free
  auto& all = *reinterpret_cast<SharedSums<Shape>*>(shared.stages);
  const auto visit_shared = [&](const auto& each) {
    sums.visit([&](int row) {
      uint32_t* const to = &all.at[sums.lane_row() + row][sums.lane_column()];
      return [=](int column, uint32_t sum) { each(to[column], sum); };
    });
  };
  if (group == 1) visit_shared([](uint32_t& to, uint32_t sum) { to = sum; });
  sync_groups<kGroups>(1);
  if (group == 0) visit_shared([](uint32_t& to, uint32_t sum) { to += sum; });
  shares > 1 ? sync_cluster() : sync_groups<kGroups>(1);

  const int rows = static_cast<int>(min(args.rows - first_row, int64_t{Shape::kRows}));
  constexpr unsigned kThreads = kGroups * kGroupThreads;
  for (unsigned i = share * kThreads + threadIdx.x; i < rows * Shape::kColumns; i += shares * kThreads) {
    const unsigned row = i / Shape::kColumns, column = i % Shape::kColumns;
    if (place.column + column >= place.part.n) continue;
    const uint32_t address = shared_address(&all.at[row][column]);
    uint32_t sum = 0;
#pragma unroll
    for (unsigned block = 0; block < kMostShares; ++block) {
      if (block < shares) sum += load_of_block(address_in_block(address, block));
    }
    const RowEnd end_of_row = shared.ends[0][row];
    put_output(place.part, first_row + row, place.column + column, sum, end_of_row.q_sum, end_of_row.factor);
  }
  if (shares > 1) end_cluster();
#endif
}

// ---------------------------------------------------------------- launches

template <class Shape, int kBlocks, int kParts = 1>
Maps make_maps(const Exec& exec, const TernaryMatmulArgs& args) {
  const int64_t tiles = column_tiles(args.k);
  Maps maps = {};
  maps.q = make_map(exec, kName, CU_TENSOR_MAP_DATA_TYPE_UINT8, args.q, std::min(args.q_stride, tiles * kTileColumns),
                    args.rows, args.q_stride, kTileColumns, Shape::kRows / kBlocks, CU_TENSOR_MAP_SWIZZLE_128B);
  for (int i = 0; i < args.parts; ++i) {
    const TernaryPart& part = args.part[i];
    if (part.n == 0) continue;
    maps.weights[i] =
        make_map(exec, kName, CU_TENSOR_MAP_DATA_TYPE_UINT32, part.packed, tiles * kTileWords, row_tiles(part.n),
                 tiles * kTileBytes, kTileWords, Shape::kTiles / kParts, CU_TENSOR_MAP_SWIZZLE_NONE);
  }
  return maps;
}

template <class Shape>
int64_t tiles_of(const TernaryMatmulArgs& args) {
  return column_blocks(args, Shape::kColumns) * ceil_div(args.rows, Shape::kRows);
}

template <class Shape, int kBlocks, class Output>
void launch_in_turn(const Exec& exec, const TernaryMatmulArgs& args, const typename Output::To& to) {
  // With several parts to a tile, they are all alike.
  const int64_t columns = column_blocks(args, Shape::kColumns / Output::kParts) / Output::kParts;
  const int64_t items = ceil_div(columns, kBlocks) * ceil_div(args.rows, Shape::kRows);
  const int64_t at_once = std::min<int64_t>(items, std::max(multiprocessors(exec) / kBlocks, 1));
  launch_clusters(exec, kName, multiply_in_turn<Shape, kBlocks, Output>, at_once * kBlocks, Shape::kThreads,
                  kSharedBytes<SharedInTurn<Shape, Output>>, kBlocks, args,
                  make_maps<Shape, kBlocks, Output::kParts>(exec, args), to, static_cast<unsigned>(columns),
                  static_cast<unsigned>(items));
}

template <class Shape, bool kRotates>
typename Bf16Output<Shape, kRotates>::To make_bf16_maps(const Exec& exec, const MixedTernaryArgs& args) {
  typename Bf16Output<Shape, kRotates>::To to = {};
  const auto map_of = [&](const bf16* matrix, const MixedTernaryPart& part, int64_t stride) {
    return make_map(exec, kName, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, matrix, part.n, args.rows,
                    stride * static_cast<int64_t>(sizeof(bf16)), kBoxColumns, Shape::kRows, CU_TENSOR_MAP_SWIZZLE_128B);
  };
  for (int i = 0; i < args.parts; ++i) {
    const MixedTernaryPart& part = args.part[i];
    if (part.n == 0) continue;
    to.y[i] = map_of(part.y, part, part.y_stride);
    to.adds[i] = part.residual != nullptr;
    if (to.adds[i]) to.residual[i] = map_of(part.residual, part, part.n);
    to.rotates[i] = kRotates && part.rotated;
    to.weight_scale[i] = part.weight_scale;
  }
  to.rotation = args.rotation;
  to.brings_turns = kRotates && Bf16Output<Shape, kRotates>::can_bring_turns(args.rotation);
  if (to.brings_turns) {
    const auto map_of_turns = [&](const float* table) {
      const int64_t half = args.rotation.dim / 2;
      return make_map(exec, kName, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, table, half, args.rotation.tokens,
                      half * static_cast<int64_t>(sizeof(float)), Bf16Output<Shape, kRotates>::kBoxTurns, Shape::kRows,
                      CU_TENSOR_MAP_SWIZZLE_128B);
    };
    to.cos = map_of_turns(args.rotation.cos);
    to.sin = map_of_turns(args.rotation.sin);
  }
  return to;
}

template <class Shape, bool kRotates>
void launch_to_bf16(const Exec& exec, const TernaryMatmulArgs& product, const MixedTernaryArgs& results) {
  using Output = Bf16Output<Shape, kRotates>;
  const auto to = make_bf16_maps<Shape, kRotates>(exec, results);
  column_blocks(product, Shape::kColumns) % 2 == 0 ? launch_in_turn<Shape, 2, Output>(exec, product, to)
                                                   : launch_in_turn<Shape, 1, Output>(exec, product, to);
}

template <class Shape>
void launch_in_shares(const Exec& exec, const TernaryMatmulArgs& args, unsigned shares) {
  launch_clusters(exec, kName, multiply_in_shares<Shape>, tiles_of<Shape>(args) * shares, Shape::kThreads,
                  kSharedBytes<Shared<Shape>>, shares, args, make_maps<Shape, 1>(exec, args),
                  static_cast<unsigned>(column_blocks(args, Shape::kColumns)));
}

}  // namespace

// Measured on an H100 with the matrices of bitnet-b1.58-2B-4T: wide tiles in turn win from about half a tile for each
// multiprocessor on (1490 to 1615 TOP/s for 16384 rows, pairs 3 to 13 % above single blocks; 64 x 256 and 256 x 64
// tiles lose, and so do 6 or 10 stages). Below, tiles of 64 x 64 in shares that make about two blocks for each beat 128
// x 64 and 128 x 128 ones; more than four shares gain nothing.
void ternary_wgmma(const Exec& exec, const TernaryMatmulArgs& args) noexcept {
  using Wide = WgmmaShape<2, 128, 8>;
  using Small = WgmmaShape<1, 64, 8>;
  const int64_t device = multiprocessors(exec);
  if (2 * tiles_of<Wide>(args) >= device) return launch_in_turn<Wide, 2, PlainOutput<Wide>>(exec, args, {});
  const int64_t most = std::min<int64_t>(kMostShares, column_tiles(args.k));
  const int64_t shares = std::clamp<int64_t>(2 * device / tiles_of<Small>(args), 1, most);
  launch_in_shares<Small>(exec, args, static_cast<unsigned>(shares));
}

bool ternary_wgmma_gate(const Exec& exec, const TernaryMatmulArgs& args) noexcept {
  using Wide = WgmmaShape<2, 128, 8>;
  if (args.k > kMostColumns) return false;
  launch_in_turn<Wide, 2, GateOutput<Wide>>(exec, args, {args.part[1].weight_scale});
  return true;
}

bool ternary_wgmma_rotates(const MixedRotation& rotation) noexcept {
  return rotation.dim == 32 || rotation.dim == 64 || rotation.dim == 128;
}

// Measured on an H100 with 32768 rows: 88 us for 2304 x 768 and 150 for 4096 x 768; with a residual 50 for 768 x 768,
// 86 % of the bandwidth of copies, and 80 to 95 for 768 x 2048. For these short k pairs of blocks win or lose a few %
// against single ones, as runs of the same do; 6 stages lose up to 5 %, 5 up to 15.
//
// Rotating the heads of two parts of three of 2304 x 768, alone on an H200: 116 us instead of 88; 132 where results
// went through shared memory once more to be rotated there, eight columns of both halves to a thread. A pass for keys
// took 33, and attention 25 more while it rotated queries.
//
// A group's warps are what is short of time: their instructions for a stage take longer than its products (by Nsight
// Compute the tensor cores are 54 to 70 % busy, shared memory's pipes less than half, a scheduler in 4 of 10 cycles).
// On an H200, for 4096 x 768 and 768 x 2048: 160 and 80 us; 154 and 78 with three sets of operands instead of two, so
// that a warp makes one while the products of two are under way; 148 and 75.5 with the digits of lower rows where they
// stand. 768 x 768 and rotated heads take as long as before. A step of training of 110 M parameters is 0.4 % shorter,
// prefill of bitnet-b1.58-2B-4T 2.3 %.
//
// Lost, on an H200 in a step of training of 110 M parameters: a ring of three stages for each group, whose tiles then
// overlap by half (174 us for 4096 x 768, 129 instead of 114 with heads, and no more prefill from rings of four);
// digits at the upper end of their bytes, or codes as -64, 0 and 64, which toggle fewer bits on their way (cuBLAS'
// products of bytes are 6 % faster with weights of 64 than of 1 where power holds the GPU back, these are not); two
// groups of 64 columns each to a tile, four to a block (112 registers), 3366 us for all products that are not rotated
// instead of 3352 to 3382; groups that begin their tile as soon as its stages can be waited for, 3332, but 1450 instead
// of 1391 with heads.
bool ternary_wgmma_to_bf16(const Exec& exec, const TernaryMatmulArgs& product,
                           const MixedTernaryArgs& results) noexcept {
  using Wide = WgmmaShape<2, 128, 7>;
  if (2 * tiles_of<Wide>(product) < multiprocessors(exec) || product.k > kMostColumns) return false;
  const auto rotated = [](const MixedTernaryPart& part) { return part.rotated; };
  if (ternary_wgmma_rotates(results.rotation) && std::any_of(results.part, results.part + results.parts, rotated)) {
    launch_to_bf16<Wide, true>(exec, product, results);
  } else {
    launch_to_bf16<Wide, false>(exec, product, results);
  }
  return true;
}

}  // namespace tern::cuda
