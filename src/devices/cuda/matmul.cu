// SPDX-License-Identifier: Apache-2.0
// Matrix products in chain order. A block of 256 threads computes a square tile of C, each thread a part of it in
// registers, from panels of both operands in shared memory; the panels of the next step are on their way meanwhile.
// Every element is one chain of fma over ascending k, exactly k of them: the CPU's bits, whatever the tile.
#include <algorithm>
#include <cstddef>

#include "devices/cuda/launch.h"
#include "devices/cuda/matmul_entries.h"
#include "devices/cuda/tables.h"

namespace tern::cuda {
namespace {

constexpr int kSide = 16;  // threads of a block along the rows and along the columns of its tile
constexpr int kThreads = kSide * kSide;

// One operand seen from its tile: `extent` runs along the tile's rows (of A) or columns (of B), `depth` along k.
struct Operand {
  const std::byte* data;
  bool codes;                                         // i8, else f32
  int64_t batch_stride, extent_stride, depth_stride;  // in bytes

  Operand(const MatrixInput& x, int64_t extent, int64_t depth)
      : data(static_cast<const std::byte*>(x.data)),
        codes(x.dtype == DType::i8),
        batch_stride(x.batch_stride * size()),
        extent_stride(extent * size()),
        depth_stride(depth * size()) {}

 private:
  int64_t size() const { return codes ? 1 : int64_t{sizeof(float)}; }
};

Operand rows_of(const MatrixInput& a) { return {a, a.row_stride, a.col_stride}; }
Operand columns_of(const MatrixInput& b) { return {b, b.col_stride, b.row_stride}; }

// A panel [kDepth][kPitch] of an operand and the elements of it that this thread brings, of one panel after the other.
// Neighbouring threads take neighbours along depth or along extent, whichever lie nearer to each other in memory.
template <int kExtent, int kDepth, bool kAlongDepth>
class Panel {
 public:
  static constexpr int kPitch = kExtent + 4;  // rows stay 16-byte aligned and begin in different banks
  static constexpr int kCount = kExtent * kDepth / kThreads;
  using Elements = float[kCount];

  // Of the operand's extents, `extents` from `first` on; those beyond are zeros.
  __device__ Panel(const Operand& x, int64_t batch, int64_t first, int extents)
      : at_(x.data + batch * x.batch_stride + (first + first_extent()) * x.extent_stride +
            first_depth() * x.depth_stride),
        stride_(kStep * (kAlongDepth ? x.extent_stride : x.depth_stride)),
        panel_stride_(kDepth * x.depth_stride),
        extents_(extents - first_extent()),
        codes_(x.codes) {}

  // The elements of the next panel, of which `depths` are to be read; those beyond are zeros.
  __device__ void load(int depths, Elements& to) {
    if (codes_) {
      load_as<int8_t>(depths - first_depth(), to);
    } else {
      load_as<float>(depths - first_depth(), to);
    }
    at_ += panel_stride_;
  }

  __device__ static void store(const Elements& from, float* panel) {
    float* const to = panel + first_depth() * kPitch + first_extent();
#pragma unroll
    for (int i = 0; i < kCount; ++i) to[i * kStep * (kAlongDepth ? 1 : kPitch)] = from[i];
  }

 private:
  static constexpr int kNear = kAlongDepth ? kDepth : kExtent;
  static constexpr int kStep = kThreads / kNear;  // between a thread's elements, along the other direction
  static_assert(kThreads % kNear == 0);

  __device__ static int near() { return static_cast<int>(threadIdx.x) % kNear; }
  __device__ static int far() { return static_cast<int>(threadIdx.x) / kNear; }
  __device__ static int first_extent() { return kAlongDepth ? far() : near(); }
  __device__ static int first_depth() { return kAlongDepth ? near() : far(); }

  template <class T>
  __device__ void load_as(int depths, Elements& to) const {
    const int near_left = kAlongDepth ? depths : extents_, far_left = kAlongDepth ? extents_ : depths;
    const int left = near_left > 0 ? far_left : 0;
    const std::byte* from = at_;
#pragma unroll
    for (int i = 0; i < kCount; ++i, from += stride_) {
      to[i] = i * kStep < left ? static_cast<float>(*reinterpret_cast<const T*>(from)) : 0.0f;
    }
  }

  const std::byte* at_;
  int64_t stride_, panel_stride_;
  int extents_;
  bool codes_;
};

// A thread's rows or columns of a tile: runs of up to 4 neighbours, one run for each kSide of them.
template <int kExtent>
struct Share {
  static constexpr int kEach = kExtent / kSide;
  static constexpr int kRun = kEach < 4 ? kEach : 4;
  static constexpr int kRuns = kEach / kRun;
  using Elements = float[kEach];

  __device__ static int at(int thread, int i) { return i / kRun * (kSide * kRun) + thread * kRun + i % kRun; }

  __device__ static void load(const float* from, int thread, Elements& to) {
    struct alignas(kRun * sizeof(float)) Run {
      float at[kRun];
    };
#pragma unroll
    for (int run = 0; run < kRuns; ++run) {
      const Run values = *reinterpret_cast<const Run*>(from + at(thread, run * kRun));
#pragma unroll
      for (int i = 0; i < kRun; ++i) to[run * kRun + i] = values.at[i];
    }
  }
};

// A thread's part of a tile of C.
template <int kExtent>
class Part {
 public:
  // The tile begins at c and has `rows` by `columns` elements.
  __device__ Part(float* c, int64_t row_stride, int rows, int columns)
      : c_(c), row_stride_(row_stride), rows_(rows), columns_(columns) {}

  __device__ void begin(bool accumulate) {
    for_each([](float& sum, float*, bool) { sum = 0.0f; });
    if (!accumulate) return;
    for_each([](float& sum, float* c, bool inside) {
      if (inside) sum = *c;
    });
  }

  __device__ void add(const float* a, const float* b) {
    typename Own::Elements x, y;
    Own::load(a, row(), x);
    Own::load(b, column(), y);
#pragma unroll
    for (int i = 0; i < Own::kEach; ++i) {
#pragma unroll
      for (int j = 0; j < Own::kEach; ++j) sums_[i][j] = fmaf(x[i], y[j], sums_[i][j]);
    }
  }

  __device__ void end() {
    for_each([](float& sum, float* c, bool inside) {
      if (inside) *c = sum;
    });
  }

 private:
  using Own = Share<kExtent>;

  // A warp is 4 threads high and 8 wide, so that its reads of shared memory repeat most.
  __device__ static int lane() { return static_cast<int>(threadIdx.x) % 32; }
  __device__ static int warp() { return static_cast<int>(threadIdx.x) / 32; }
  __device__ static int row() { return warp() / 2 * 4 + lane() / 8; }
  __device__ static int column() { return warp() % 2 * 8 + lane() % 8; }

  template <class Visit>
  __device__ void for_each(const Visit& visit) {
#pragma unroll
    for (int i = 0; i < Own::kEach; ++i) {
      const int r = Own::at(row(), i);
#pragma unroll
      for (int j = 0; j < Own::kEach; ++j) {
        const int s = Own::at(column(), j);
        visit(sums_[i][j], c_ + r * row_stride_ + s, r < rows_ && s < columns_);
      }
    }
  }

  float* c_;
  int64_t row_stride_;
  int rows_, columns_;
  float sums_[Own::kEach][Own::kEach];
};

__device__ inline int at_most(int64_t count, int most) { return count < most ? static_cast<int>(count) : most; }

// The tile numbered first_tile + blockIdx.x, across the rows of C, then down, then through the batch.
template <int kExtent, int kDepth, bool kAAlongDepth, bool kBAlongDepth>
__global__ void __launch_bounds__(kThreads, 2)
    matmul_tiles(MatmulArgs args, Operand a_operand, Operand b_operand, int64_t first_tile) {
  using A = Panel<kExtent, kDepth, kAAlongDepth>;
  using B = Panel<kExtent, kDepth, kBAlongDepth>;
  alignas(16) __shared__ float a_panels[2][kDepth * A::kPitch];
  alignas(16) __shared__ float b_panels[2][kDepth * B::kPitch];
  const int64_t across = ceil_div(args.n, kExtent), each = ceil_div(args.m, kExtent) * across;
  const int64_t tile = first_tile + blockIdx.x, batch = tile / each;
  const int64_t row = tile % each / across * kExtent, column = tile % across * kExtent;
  const int rows = at_most(args.m - row, kExtent), columns = at_most(args.n - column, kExtent);
  A a(a_operand, batch, row, rows);
  B b(b_operand, batch, column, columns);
  Part<kExtent> part(args.c + batch * args.c_batch_stride + row * args.c_row_stride + column, args.c_row_stride, rows,
                     columns);
  part.begin(args.accumulate);
  typename A::Elements a_next;
  typename B::Elements b_next;
  const auto load = [&](int64_t left) {
    const int depths = at_most(left, kDepth);
    a.load(depths, a_next);
    b.load(depths, b_next);
  };
  int current = 0;
  const auto store = [&] {
    A::store(a_next, a_panels[current]);
    B::store(b_next, b_panels[current]);
    __syncthreads();
  };
  load(args.k);
  store();
  for (int64_t left = args.k; left > 0; left -= kDepth) {
    load(left - kDepth);
    const float* const x = a_panels[current];
    const float* const y = b_panels[current];
    if (left >= kDepth) {
#pragma unroll 8
      for (int depth = 0; depth < kDepth; ++depth) part.add(x + depth * A::kPitch, y + depth * B::kPitch);
    } else {
      // Not a step more: adding 0 to a sum of -0 would change its sign.
#pragma unroll 1
      for (int depth = 0; depth < left; ++depth) part.add(x + depth * A::kPitch, y + depth * B::kPitch);
    }
    current ^= 1;
    store();
  }
  part.end();
}

bool along_depth(const Operand& x) { return x.depth_stride <= x.extent_stride; }

int64_t tiles_of(const MatmulArgs& args, int64_t extent) {
  return args.batch * ceil_div(args.m, extent) * ceil_div(args.n, extent);
}

template <int kExtent, int kDepth>
void launch(const Exec& exec, const MatmulArgs& args) {
  const Operand a = rows_of(args.a), b = columns_of(args.b);
  const auto of_b = [&](auto* along, auto* across) { return along_depth(b) ? along : across; };
  const auto kernel =
      along_depth(a) ? of_b(matmul_tiles<kExtent, kDepth, true, true>, matmul_tiles<kExtent, kDepth, true, false>)
                     : of_b(matmul_tiles<kExtent, kDepth, false, true>, matmul_tiles<kExtent, kDepth, false, false>);
  const int64_t tiles = tiles_of(args, kExtent);
  for (int64_t tile = 0; tile < tiles; tile += blocks_for(tiles - tile, 1)) {
    kernel<<<blocks_for(tiles - tile, 1), kThreads, 0, stream_of(exec)>>>(args, a, b, tile);
    launched(exec, "matmul");
  }
}

}  // namespace

// The largest tile that is not mostly beyond C and leaves no multiprocessor without one.
void matmul(const Exec& exec, const MatmulArgs& args) noexcept {
  if (args.batch == 0 || args.m == 0 || args.n == 0) return;
  if (matmul_in_bf16(exec, args)) return;
  const auto suits = [&](int64_t extent) {
    return std::min(args.m, args.n) > extent / 2 && tiles_of(args, extent) >= multiprocessors(exec);
  };
  if (suits(128)) {
    launch<128, 8>(exec, args);
  } else if (suits(64)) {
    launch<64, 16>(exec, args);
  } else {
    launch<32, 32>(exec, args);
  }
}

namespace {

constexpr MatmulKernels kTable = {.matmul = matmul, .linear = linear, .linear_rows = linear_rows};
static_assert(complete(kTable));

}  // namespace

const MatmulKernels kMatmul = kTable;

}  // namespace tern::cuda
