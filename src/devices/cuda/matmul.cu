// SPDX-License-Identifier: Apache-2.0
// Matrix products in chain order. A block computes a tile of C, each thread a part of it in registers, from panels of
// both operands in shared memory, where they lie as in memory: along k or across it. Copies bring the panels of the
// next steps meanwhile. Every element is one chain of fma over ascending k, exactly k of them: the CPU's bits, whatever
// the tile, so that the tile may be chosen by what is fastest.
#include <cuda_pipeline_primitives.h>

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/launch.h"
#include "devices/cuda/matmul_entries.h"
#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

// A tile of kRows by kColumns for kDown by kAcross threads, in steps of kDepth along k, kStages of them in shared
// memory and kGroup of those in registers; a multiprocessor is to have room for kBlocksEach blocks.
template <int kRows_, int kColumns_, int kDown_, int kAcross_, int kDepth_, int kGroup_, int kStages_, int kBlocksEach_>
struct TileShape {
  static constexpr int kRows = kRows_, kColumns = kColumns_, kDown = kDown_, kAcross = kAcross_;
  static constexpr int kDepth = kDepth_, kGroup = kGroup_, kStages = kStages_, kBlocksEach = kBlocksEach_;
  static constexpr int kThreads = kDown * kAcross;
  static_assert(kDown % 4 == 0 && kAcross % 8 == 0 && kDepth % (2 * kGroup) == 0);
};

constexpr int kQuad = 4;

// What elements of an operand are, and how they come into shared memory.
enum class Content { quads, floats, codes };

// One operand seen from its tile: `extent` runs along the tile's rows (of A) or columns (of B), `depth` along k. In
// bytes.
struct Operand {
  const std::byte* data;
  Content content;
  int64_t batch_stride, extent_stride, depth_stride;

  Operand(const MatrixInput& x, int64_t batch, int64_t extent, int64_t depth)
      : data(static_cast<const std::byte*>(x.data)),
        content(x.dtype == DType::i8 ? Content::codes : Content::floats),
        batch_stride(x.batch_stride * size()),
        extent_stride(extent * size()),
        depth_stride(depth * size()) {
    const int64_t near = std::min(extent, depth), far = std::max(extent, depth);
    // The stride of a batch of one matrix means nothing.
    const bool aligned = is_aligned(data, 16) && (batch == 1 || x.batch_stride % kQuad == 0);
    const bool quads = near == 1 && far % kQuad == 0 && aligned;
    if (content == Content::floats && quads) content = Content::quads;
  }

  bool along_depth() const { return depth_stride <= extent_stride; }

 private:
  int64_t size() const { return content == Content::codes ? 1 : int64_t{sizeof(float)}; }
};

Operand rows_of(const MatmulArgs& args) { return {args.a, args.batch, args.a.row_stride, args.a.col_stride}; }
Operand columns_of(const MatmulArgs& args) { return {args.b, args.batch, args.b.col_stride, args.b.row_stride}; }

__device__ inline int at_most(int64_t count, int most) { return count < most ? static_cast<int>(count) : most; }

// Panels of kExtent by kDepth of an operand in shared memory, far · kPitch + near, where `near` is the direction in
// which neighbours are nearest to each other. Rows of a panel are 4 floats longer than needed: they stay 16-byte
// aligned, and what a warp reads at once falls in different banks.
template <int kExtent, int kDepth, bool kAlongDepth, int kThreads>
class Panel {
 public:
  static constexpr int kNear = kAlongDepth ? kDepth : kExtent, kFar = kAlongDepth ? kExtent : kDepth;
  static constexpr int kPitch = kNear + kQuad, kFloats = kFar * kPitch;

  // Of the operand's extents, `extents` from `first` on; those beyond are zeros.
  __device__ Panel(const Operand& x, int64_t batch, int64_t first, int extents)
      : at_(x.data + batch * x.batch_stride + first * x.extent_stride),
        near_stride_(kAlongDepth ? x.depth_stride : x.extent_stride),
        far_stride_(kAlongDepth ? x.extent_stride : x.depth_stride),
        panel_stride_(kDepth * x.depth_stride),
        extents_(extents),
        content_(x.content) {
#pragma unroll
    for (int i = 0; i < kCopies; ++i) {
      bytes_[i] = bytes_of(i, kDepth);
      offsets_[i] = bytes_[i] > 0 ? offset_of(i) : 0;
    }
  }

  // Asks for the next panel, of which `depths` are to be read; those beyond are zeros.
  __device__ void load(int depths, float* panel) {
    if (content_ == Content::quads && depths == kDepth) {
#pragma unroll
      for (int i = 0; i < kCopies; ++i) copy_quad(i, panel, at_ + offsets_[i], bytes_[i]);
    } else if (content_ == Content::quads) {
#pragma unroll 1
      for (int i = 0; i < kCopies; ++i) {
        const int bytes = bytes_of(i, depths);
        copy_quad(i, panel, bytes > 0 ? at_ + offset_of(i) : at_, bytes);
      }
    } else {
      load_elements(depths, panel);
    }
    at_ += panel_stride_;
  }

 private:
  static constexpr int kQuads = kNear / kQuad * kFar, kCopies = (kQuads + kThreads - 1) / kThreads;

  // This thread's i-th quad of a panel.
  __device__ static int quad(int i) { return static_cast<int>(threadIdx.x) + i * kThreads; }
  __device__ static int near_of(int i) { return quad(i) % (kNear / kQuad) * kQuad; }
  __device__ static int far_of(int i) { return quad(i) / (kNear / kQuad); }
  __device__ int64_t offset_of(int i) const { return far_of(i) * far_stride_ + near_of(i) * int64_t{sizeof(float)}; }
  // How much of it is there.
  __device__ int bytes_of(int i, int depths) const {
    const int near = kAlongDepth ? depths : extents_, far = kAlongDepth ? extents_ : depths;
    return far_of(i) < far ? max(0, min(near - near_of(i), kQuad)) * static_cast<int>(sizeof(float)) : 0;
  }
  __device__ static void copy_quad(int i, float* panel, const std::byte* from, int bytes) {
    if (kQuads % kThreads != 0 && quad(i) >= kQuads) return;
    const auto to = static_cast<uint32_t>(__cvta_generic_to_shared(panel + far_of(i) * kPitch + near_of(i)));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
  }

  __device__ void load_elements(int depths, float* panel) const {
    const int near = kAlongDepth ? depths : extents_, far = kAlongDepth ? extents_ : depths;
#pragma unroll 1
    for (int at = static_cast<int>(threadIdx.x); at < kNear * kFar; at += kThreads) {
      const int n = at % kNear, f = at / kNear;
      const bool inside = n < near && f < far;
      const std::byte* const from = inside ? at_ + f * far_stride_ + n * near_stride_ : at_;
      if (content_ == Content::floats) {
        __pipeline_memcpy_async(panel + f * kPitch + n, from, sizeof(float), inside ? 0 : sizeof(float));
      } else {
        panel[f * kPitch + n] = inside ? static_cast<float>(*reinterpret_cast<const int8_t*>(from)) : 0.0f;
      }
    }
  }

  const std::byte* at_;
  int64_t near_stride_, far_stride_, panel_stride_;
  int extents_;
  Content content_;
  int64_t offsets_[kCopies];
  int bytes_[kCopies];
};

// A thread's rows or columns of a tile, kEach of kExtent: where a panel lies along depth, each kSide-th, else runs of
// up to 4 neighbours.
template <int kExtent, int kSide, bool kAlongDepth, int kPitch>
struct Share {
  static constexpr int kEach = kExtent / kSide;
  static constexpr int kRun = kAlongDepth ? 1 : kEach < kQuad ? kEach : kQuad;
  static_assert(kExtent % kSide == 0 && kEach % kRun == 0);
  // Of kGroup steps along k.
  template <int kGroup>
  using Elements = float[kGroup][kEach];

  __device__ static int at(int thread, int i) { return i / kRun * (kSide * kRun) + thread * kRun + i % kRun; }

  template <int kGroup>
  __device__ static void load(const float* panel, int depth, int thread, Elements<kGroup>& to) {
    if constexpr (kAlongDepth) {
#pragma unroll
      for (int i = 0; i < kEach; ++i) {
        const auto values = run<kGroup>(panel + at(thread, i) * kPitch + depth);
#pragma unroll
        for (int d = 0; d < kGroup; ++d) to[d][i] = values.at[d];
      }
    } else {
#pragma unroll
      for (int d = 0; d < kGroup; ++d) {
#pragma unroll
        for (int i = 0; i < kEach; i += kRun) {
          const auto values = run<kRun>(panel + (depth + d) * kPitch + at(thread, i));
#pragma unroll
          for (int j = 0; j < kRun; ++j) to[d][i + j] = values.at[j];
        }
      }
    }
  }

 private:
  template <int kCount>
  struct alignas(kCount * sizeof(float)) Run {
    float at[kCount];
  };
  template <int kCount>
  __device__ static Run<kCount> run(const float* from) {
    return *reinterpret_cast<const Run<kCount>*>(from);
  }
};

// The tile numbered first_tile + blockIdx.x, across the rows of C, then down, then through the batch.
template <class Shape, bool kAAlongDepth, bool kBAlongDepth>
__global__ void __launch_bounds__(Shape::kThreads, Shape::kBlocksEach)
    matmul_tiles(MatmulArgs args, Operand a_operand, Operand b_operand, int64_t first_tile) {
  constexpr int kDepth = Shape::kDepth, kStages = Shape::kStages;
  using A = Panel<Shape::kRows, kDepth, kAAlongDepth, Shape::kThreads>;
  using B = Panel<Shape::kColumns, kDepth, kBAlongDepth, Shape::kThreads>;
  using Rows = Share<Shape::kRows, Shape::kDown, kAAlongDepth, A::kPitch>;
  using Columns = Share<Shape::kColumns, Shape::kAcross, kBAlongDepth, B::kPitch>;
  alignas(16) __shared__ float a_panels[kStages][A::kFloats];
  alignas(16) __shared__ float b_panels[kStages][B::kFloats];
  const int64_t across = ceil_div(args.n, Shape::kColumns), each = ceil_div(args.m, Shape::kRows) * across;
  const int64_t tile = first_tile + blockIdx.x, batch = tile / each;
  const int64_t row = tile % each / across * Shape::kRows, column = tile % across * Shape::kColumns;
  const int rows = at_most(args.m - row, Shape::kRows), columns = at_most(args.n - column, Shape::kColumns);
  A a(a_operand, batch, row, rows);
  B b(b_operand, batch, column, columns);
  // A warp is 4 threads high and 8 wide, so that its reads of shared memory repeat most.
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int down = warp / (Shape::kAcross / 8) * 4 + lane / 8, right = warp % (Shape::kAcross / 8) * 8 + lane % 8;
  float sums[Rows::kEach][Columns::kEach];
  const auto for_each = [&](const auto& visit) {
    float* const c = args.c + batch * args.c_batch_stride + row * args.c_row_stride + column;
#pragma unroll
    for (int i = 0; i < Rows::kEach; ++i) {
      const int r = Rows::at(down, i);
#pragma unroll
      for (int j = 0; j < Columns::kEach; ++j) {
        const int s = Columns::at(right, j);
        visit(sums[i][j], c + r * args.c_row_stride + s, r < rows && s < columns);
      }
    }
  };
  // Operands of kGroup steps, two sets in turns: one is on its way from shared memory while the other is multiplied.
  constexpr int kGroup = Shape::kGroup, kGroups = kDepth / kGroup;
  typename Rows::template Elements<kGroup> x[2];
  typename Columns::template Elements<kGroup> y[2];
  const auto fetch = [&](int stage, int group, int set) {
    Rows::template load<kGroup>(a_panels[stage], group * kGroup, down, x[set]);
    Columns::template load<kGroup>(b_panels[stage], group * kGroup, right, y[set]);
  };
  const auto multiply = [&](int set) {
#pragma unroll
    for (int d = 0; d < kGroup; ++d) {
#pragma unroll
      for (int i = 0; i < Rows::kEach; ++i) {
#pragma unroll
        for (int j = 0; j < Columns::kEach; ++j) sums[i][j] = fmaf(x[set][d][i], y[set][d][j], sums[i][j]);
      }
    }
  };
  int64_t asked = 0;  // along k
  const auto ask = [&](int stage) {
    const int depths = at_most(args.k - asked, kDepth);
    if (depths > 0) {
      a.load(depths, a_panels[stage]);
      b.load(depths, b_panels[stage]);
    }
    asked += kDepth;
    __pipeline_commit();
  };

  wait_for_inputs();
  for (int stage = 0; stage < kStages; ++stage) ask(stage);
  for_each([](float& sum, float*, bool) { sum = 0.0f; });
  if (args.accumulate) {
    for_each([](float& sum, const float* c, bool inside) {
      if (inside) sum = *c;
    });
  }
  __pipeline_wait_prior(kStages - 1);
  __syncthreads();
  int stage = 0;
  fetch(0, 0, 0);
  for (int64_t panel = args.k / kDepth; panel > 0; --panel) {
#pragma unroll
    for (int group = 0; group < kGroups; ++group) {
      if (group < kGroups - 1) {
        fetch(stage, group + 1, (group + 1) % 2);
      } else {
        // All of this panel is in registers, and the next one has come.
        __pipeline_wait_prior(kStages - 2);
        __syncthreads();
        ask(stage);
        stage = stage == kStages - 1 ? 0 : stage + 1;
        fetch(stage, 0, 0);
      }
      multiply(group % 2);
    }
  }
  // Not a step more: adding 0 to a sum of -0 would change its sign.
  for (int depth = 0; depth < static_cast<int>(args.k % kDepth); ++depth) {
    typename Rows::template Elements<1> u;
    typename Columns::template Elements<1> v;
    Rows::template load<1>(a_panels[stage], depth, down, u);
    Columns::template load<1>(b_panels[stage], depth, right, v);
#pragma unroll
    for (int i = 0; i < Rows::kEach; ++i) {
#pragma unroll
      for (int j = 0; j < Columns::kEach; ++j) sums[i][j] = fmaf(u[0][i], v[0][j], sums[i][j]);
    }
  }
  let_next_start();
  for_each([](float& sum, float* c, bool inside) {
    if (inside) *c = sum;
  });
}

int64_t tiles_of(const MatmulArgs& args, int64_t rows, int64_t columns) {
  return args.batch * ceil_div(args.m, rows) * ceil_div(args.n, columns);
}

template <class Shape>
void launch(const Exec& exec, const MatmulArgs& args) {
  const Operand a = rows_of(args), b = columns_of(args);
  const auto of_b = [&](auto* along, auto* across) { return b.along_depth() ? along : across; };
  const auto kernel = a.along_depth() ? of_b(matmul_tiles<Shape, true, true>, matmul_tiles<Shape, true, false>)
                                      : of_b(matmul_tiles<Shape, false, true>, matmul_tiles<Shape, false, false>);
  const int64_t tiles = tiles_of(args, Shape::kRows, Shape::kColumns);
  for (int64_t tile = 0; tile < tiles; tile += blocks_for(tiles - tile, 1)) {
    launch_early(exec, "matmul", kernel, blocks_for(tiles - tile, 1), Shape::kThreads, 0, args, a, b, tile);
  }
}

// Tiles to choose from. The nanoseconds that a step along k takes a multiprocessor, measured on an H100: `alone` where
// it has one tile, or as many as wait for each other, and `each` of many.
struct Choice {
  void (*launch)(const Exec&, const MatmulArgs&);
  int64_t rows, columns;
  double alone, each;

  double cost(const Exec& exec, const MatmulArgs& args) const {
    const int64_t most = ceil_div(tiles_of(args, rows, columns), multiprocessors(exec));
    return std::max(alone, each * static_cast<double>(most));
  }
};
template <class Shape>
constexpr Choice choice(double alone, double each) {
  return {launch<Shape>, Shape::kRows, Shape::kColumns, alone, each};
}
// rows, columns, down, across, depth, group, stages, blocks
constexpr Choice kChoices[] = {
    choice<TileShape<8, 16, 8, 16, 32, 4, 4, 2>>(10.5, 4.6),   choice<TileShape<16, 32, 8, 16, 32, 4, 4, 1>>(12.1, 7.7),
    choice<TileShape<64, 32, 16, 8, 32, 4, 3, 1>>(20.5, 15.4), choice<TileShape<64, 32, 8, 8, 32, 4, 3, 1>>(32, 14),
    choice<TileShape<64, 64, 8, 8, 16, 2, 3, 4>>(68, 25.2),
};

}  // namespace

void matmul(const Exec& exec, const MatmulArgs& args) noexcept {
  if (args.batch == 0 || args.m == 0 || args.n == 0) return;
  if (matmul_in_bf16(exec, args)) return;
  const auto less = [&](const Choice& x, const Choice& y) { return x.cost(exec, args) < y.cost(exec, args); };
  std::min_element(std::begin(kChoices), std::end(kChoices), less)->launch(exec, args);
}

namespace {

constexpr MatmulKernels kTable = {.matmul = matmul, .linear = linear, .linear_rows = linear_rows};
static_assert(complete(kTable));

}  // namespace

const MatmulKernels kMatmul = kTable;

}  // namespace tern::cuda
