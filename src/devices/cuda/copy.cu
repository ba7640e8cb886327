// SPDX-License-Identifier: Apache-2.0
// Strided copies between any two types, and filling.
#include <type_traits>

#include "device/element_bytes.h"
#include "devices/cuda/convert.cuh"
#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/pointwise.h"
#include "devices/cuda/strided.cuh"

namespace tern::cuda {
namespace {

template <class To>
struct Conversion {
  __device__ To operator()(To x) const { return x; }
  template <class From>
  __device__ To operator()(From x) const {
    return element_of<To>(number_of(x));
  }
};

template <int kWidth, class From, class To>
__global__ void __launch_bounds__(kPackThreads) copy_elements(Layout<2> layout, const From* x, To* y) {
  wait_for_inputs();
  for (int64_t i = thread_of_grid(); i < layout.count(); i += threads_of_grid()) {
    const Offsets<2> offsets = layout.offsets(i);
    store_pack(y + offsets.at[1], map_pack<kWidth>(Conversion<To>{}, layout.load<kWidth>(0, x + offsets.at[0])));
  }
}

template <class From, class To>
void copy_typed(const Exec& exec, const CopyArgs& args) {
  constexpr int kWidth = kPackWidth<From, To>;
  const auto launch = [&](auto width) {
    const Layout<2> layout(args.shape, {&args.x_strides, &args.y_strides}, width);
    launch_early(exec, "copy", copy_elements<decltype(width)::value, From, To>,
                 blocks_for(layout.count(), kPackThreads), kPackThreads, 0, layout, static_cast<const From*>(args.x),
                 static_cast<To*>(args.y));
  };
  const bool packs = splits_into_packs(
      args.shape, {{args.x, sizeof(From), &args.x_strides}, {args.y, sizeof(To), &args.y_strides}}, kWidth);
  packs ? launch(std::integral_constant<int, kWidth>{}) : launch(std::integral_constant<int, 1>{});
}

// The axis along which x is contiguous when y is along the last and x is not: a transposition. Else -1.
int transposed_axis(const CopyArgs& args) {
  const int last = args.shape.rank - 1;
  if (args.y_strides.at[last] != 1 || args.x_strides.at[last] == 1) return -1;
  for (int axis = 0; axis < last; ++axis) {
    if (args.x_strides.at[axis] == 1 && args.shape.at[axis] >= 8 && args.shape.at[last] >= 8) return axis;
  }
  return -1;
}

// A block's threads are kTile x kTileRows.
constexpr int kTile = 32, kTileRows = 8, kTileThreads = kTile * kTileRows;

// y[r·y_stride + c] = x[r + c·x_stride] for r < rows, c < columns in every batch. The offsets of a tile: of x, of y,
// its first row, its first column.
template <class T>
__global__ void __launch_bounds__(kTileThreads) transpose_tiles(Layout<4> tiles, int64_t rows, int64_t columns,
                                                                int64_t x_stride, int64_t y_stride, const T* x, T* y) {
  __shared__ T tile[kTile][kTile + 1];
  for (int64_t t = blockIdx.x; t < tiles.count(); t += gridDim.x) {
    const Offsets<4> offsets = tiles.offsets(t);
    const int64_t rows_left = rows - offsets.at[2], columns_left = columns - offsets.at[3];
    const T* from = x + offsets.at[0];
    T* to = y + offsets.at[1];
    for (int c = threadIdx.y; c < kTile && c < columns_left; c += kTileRows) {
      if (threadIdx.x < rows_left) tile[c][threadIdx.x] = from[threadIdx.x + c * x_stride];
    }
    __syncthreads();
    for (int r = threadIdx.y; r < kTile && r < rows_left; r += kTileRows) {
      if (threadIdx.x < columns_left) to[r * y_stride + threadIdx.x] = tile[threadIdx.x][r];
    }
    __syncthreads();
  }
}

template <class T>
void transpose(const Exec& exec, const CopyArgs& args, int axis) {
  const int last = args.shape.rank - 1;
  const auto by_tiles = [&](Dims dims) {
    dims.at[axis] *= kTile;
    dims.at[last] *= kTile;
    return dims;
  };
  Dims shape = args.shape, first_row = {args.shape.rank, {}}, first_column = first_row;
  shape.at[axis] = ceil_div(shape.at[axis], kTile);
  shape.at[last] = ceil_div(shape.at[last], kTile);
  first_row.at[axis] = kTile;
  first_column.at[last] = kTile;
  const Dims x_strides = by_tiles(args.x_strides), y_strides = by_tiles(args.y_strides);
  const Layout<4> tiles(shape, {&x_strides, &y_strides, &first_row, &first_column}, 1);
  transpose_tiles<<<blocks_for(tiles.count(), 1), dim3(kTile, kTileRows), 0, stream_of(exec)>>>(
      tiles, args.shape.at[axis], args.shape.at[last], args.x_strides.at[last], args.y_strides.at[axis],
      static_cast<const T*>(args.x), static_cast<T*>(args.y));
}

// Between equal types. What is small is sooner copied by a kernel.
void move(const Exec& exec, const CopyArgs& args) {
  constexpr size_t kLeastBytes = 1 << 20;
  const size_t size = size_of(args.x_dtype), bytes = static_cast<size_t>(args.shape.at[0]) * size;
  if (args.shape.rank == 1 && args.x_strides.at[0] == 1 && args.y_strides.at[0] == 1 && bytes >= kLeastBytes) {
    return keep_error(exec, cudaMemcpyAsync(args.y, args.x, bytes, cudaMemcpyDeviceToDevice, stream_of(exec)), "copy");
  }
  with_bytes(size, [&](auto bits) {
    using T = decltype(bits);
    if constexpr (sizeof(T) <= sizeof(uint64_t)) {
      const int axis = transposed_axis(args);
      axis < 0 ? copy_typed<T, T>(exec, args) : transpose<T>(exec, args, axis);
    }
  });
}

void convert(const Exec& exec, const CopyArgs& args) {
  with_element(args.x_dtype, [&](auto x) {
    with_element(args.y_dtype, [&](auto y) {
      using From = decltype(x);
      using To = decltype(y);
      if constexpr (!std::is_same_v<From, To>) copy_typed<From, To>(exec, args);
    });
  });
}

}  // namespace

void copy(const Exec& exec, const CopyArgs& args) noexcept {
  if (count_of(args.shape) == 0) return;
  args.x_dtype == args.y_dtype ? move(exec, args) : convert(exec, args);
  launched(exec, "copy");
}

void fill(const Exec& exec, const FillArgs& args) noexcept {
  with_element(args.dtype, [&](auto element) {
    using T = decltype(element);
    fill_contiguous(exec, "fill", args.count, element_of_double<T>(args.value), static_cast<T*>(args.y));
  });
}

}  // namespace tern::cuda
