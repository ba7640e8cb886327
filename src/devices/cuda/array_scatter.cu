// SPDX-License-Identifier: Apache-2.0
// Elements written, or numbers added, where indices of one axis lead. Positions that lead to one element differ along
// that axis only, and count in its order. So one thread walks the axis for each of the other positions, where these are
// many or the axis is short. Else positions are sorted by the elements that they lead to: a run of one element's is a
// thread's.
#include <algorithm>

#include "device/element_bytes.h"
#include "devices/cuda/array_entries.h"
#include "devices/cuda/array_index.cuh"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/sorted_keys.h"
#include "devices/cuda/strided.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256;

// An axis that is walked rather than sorted at any number of other positions, and other positions that keep a device
// busy while it walks.
constexpr int64_t kShortAxis = 64, kManyWalks = int64_t{1} << 14;

// Positions that are sorted at a time: they take 24 bytes of room each, and the library's.
constexpr int64_t kMostSorted = int64_t{1} << 26;
constexpr int kOffsetBits = 64;  // some are negative

// ---------------------------------------------------------------- walks

// The axis of a walk.
struct Walk {
  int64_t length, index_stride, y_stride;
};

template <bool kAdds, class T>
__global__ void __launch_bounds__(kThreads) walk_axis(Layout<3> others, Walk walk, IndexRange range, T* x,
                                                      const int64_t* __restrict__ index, const T* __restrict__ y) {
  for (int64_t i = thread_of_grid(); i < others.count(); i += threads_of_grid()) {
    const Offsets<3> offsets = others.offsets(i);
    T* const to = x + offsets.at[0];
    const int64_t* const at = index + offsets.at[1];
    const T* const from = y + offsets.at[2];
#pragma unroll 4
    for (int64_t j = 0; j < walk.length; ++j) {
      T* const element = to + range.offset(at[j * walk.index_stride]);
      if constexpr (kAdds) {
        *element += from[j * walk.y_stride];
      } else {
        *element = from[j * walk.y_stride];
      }
    }
  }
}

template <bool kAdds, class T>
void scatter_by_walks(const Exec& exec, const IndexedArgs& args) {
  Dims others = args.shape;
  others.at[args.axis] = 1;
  const Layout<3> layout(others, {&args.x_strides, &args.index_strides, &args.y_strides}, 1);
  const Walk walk = {args.shape.at[args.axis], args.index_strides.at[args.axis], args.y_strides.at[args.axis]};
  walk_axis<kAdds><<<blocks_for(layout.count(), kThreads), kThreads, 0, stream_of(exec)>>>(
      layout, walk, IndexRange{args.extent, args.scale}, static_cast<T*>(args.x), args.index,
      static_cast<const T*>(args.y));
}

// ---------------------------------------------------------------- sorted

// Axes with strides of x, index and y.
struct Axes {
  Dims shape, x_strides, index_strides, y_strides;

  void add(const IndexedArgs& args, int axis) {
    const auto push = [](Dims& dims, int64_t value) { dims.at[dims.rank++] = value; };
    push(shape, args.shape.at[axis]);
    push(x_strides, args.x_strides.at[axis]);
    push(index_strides, args.index_strides.at[axis]);
    push(y_strides, args.y_strides.at[axis]);
  }
};

// Axes with indices of their own, that is the indexed one and those along which the index varies, and the rest.
struct SplitAxes {
  Axes indexed = {}, rest = {};

  explicit SplitAxes(const IndexedArgs& args) {
    for (int axis = 0; axis < args.shape.rank; ++axis) {
      (axis == args.axis || args.index_strides.at[axis] != 0 ? indexed : rest).add(args, axis);
    }
    if (rest.shape.rank == 0) rest = {{1, {1}}, {1, {0}}, {1, {0}}, {1, {0}}};
  }
};

// Where positions with indices of their own lead.
__global__ void __launch_bounds__(kThreads)
    find_elements(Layout<2> positions, IndexRange range, const int64_t* index, uint64_t* elements) {
  for (int64_t i = thread_of_grid(); i < positions.count(); i += threads_of_grid()) {
    const Offsets<2> offsets = positions.offsets(i);
    elements[i] = static_cast<uint64_t>(offsets.at[0] + range.offset(index[offsets.at[1]]));
  }
}

// Positions with indices of their own in the order of the elements that they lead to.
struct Runs {
  int count;
  const uint64_t* elements;
  const int* positions;
  Layout<1> y_offsets;  // of positions

  __device__ bool begins(int64_t i) const { return i == 0 || elements[i - 1] != elements[i]; }
  __device__ bool goes_on(int64_t i) const { return i + 1 < count && elements[i + 1] == elements[i]; }
  __device__ int64_t y_offset(int64_t i) const { return y_offsets.offsets(positions[i]).at[0]; }
};

// x and the terms of the run that begins at i, in order. Terms of a long run are loaded ahead of their sum.
__device__ float sum_of_run(float sum, const Runs& runs, int64_t i, const float* __restrict__ y) {
  constexpr int kAhead = 8;
  sum += y[runs.y_offset(i)];
  while (runs.goes_on(i)) {
    float terms[kAhead];
#pragma unroll
    for (int l = 0; l < kAhead; ++l) terms[l] = y[runs.y_offset(min(i + 1 + l, int64_t{runs.count} - 1))];
#pragma unroll
    for (int l = 0; l < kAhead; ++l) {
      if (!runs.goes_on(i)) break;
      sum += terms[l];
      ++i;
    }
  }
  return sum;
}

template <bool kAdds, class T>
__global__ void __launch_bounds__(kThreads)
    scatter_runs(const __grid_constant__ Runs runs, Layout<2> rest, Divisor rest_count, T* x, const T* y) {
  const int64_t count = runs.count * rest.count();
  for (int64_t t = thread_of_grid(); t < count; t += threads_of_grid()) {
    const int64_t i = rest_count.quotient(t);
    if (kAdds ? !runs.begins(i) : runs.goes_on(i)) continue;
    const Offsets<2> offsets = rest.offsets(t - i * rest.count());
    T* const element = x + static_cast<int64_t>(runs.elements[i]) + offsets.at[0];
    if constexpr (kAdds) {
      *element = sum_of_run(*element, runs, i, y + offsets.at[1]);
    } else {
      *element = y[runs.y_offset(i) + offsets.at[1]];
    }
  }
}

template <bool kAdds, class T>
void scatter_sorted(const Exec& exec, const char* kernel, const IndexedArgs& args) {
  const SplitAxes axes(args);
  const Axes& indexed = axes.indexed;
  const Layout<2> positions(indexed.shape, {&indexed.x_strides, &indexed.index_strides}, 1);
  const Layout<2> rest(axes.rest.shape, {&axes.rest.x_strides, &axes.rest.y_strides}, 1);
  const auto count = static_cast<int>(positions.count());
  const Room elements(exec, static_cast<size_t>(count) * sizeof(uint64_t), kernel);
  if (!elements) return;
  const cudaStream_t stream = stream_of(exec);
  find_elements<<<blocks_for(count, kThreads), kThreads, 0, stream>>>(positions, IndexRange{args.extent, args.scale},
                                                                      args.index, elements.as<uint64_t>());
  const SortedKeys sorted(exec, elements.as<uint64_t>(), count, kOffsetBits, kernel);
  if (!sorted) return;
  const Runs runs = {count, sorted.keys(), sorted.positions(), Layout<1>(indexed.shape, {&indexed.y_strides}, 1)};
  scatter_runs<kAdds><<<blocks_for(count * rest.count(), kThreads), kThreads, 0, stream>>>(
      runs, rest, Divisor(rest.count()), static_cast<T*>(args.x), static_cast<const T*>(args.y));
}

// ---------------------------------------------------------------- both

// How many positions along the axis are sorted at a time, or 0 for walks.
int64_t sorted_length(const IndexedArgs& args) {
  const int64_t length = args.shape.at[args.axis], others = count_of(args.shape) / length;
  int64_t indices = 1;  // of other positions
  for (int axis = 0; axis < args.shape.rank; ++axis) {
    if (axis != args.axis && args.index_strides.at[axis] != 0) indices *= args.shape.at[axis];
  }
  if (length <= kShortAxis || (indices > 1 && others >= kManyWalks)) return 0;
  return std::min(length, std::max<int64_t>(kMostSorted / indices, 1));
}

template <bool kAdds, class T>
void scatter(const Exec& exec, const char* kernel, const IndexedArgs& args) {
  if (count_of(args.shape) == 0) return;
  const int64_t length = args.shape.at[args.axis], at_once = sorted_length(args);
  if (at_once == 0) {
    scatter_by_walks<kAdds, T>(exec, args);
    return launched(exec, kernel);
  }
  for (int64_t begin = 0; begin < length; begin += at_once) {
    IndexedArgs part = args;
    part.shape.at[args.axis] = std::min(at_once, length - begin);
    part.index += begin * args.index_strides.at[args.axis];
    part.y = static_cast<T*>(args.y) + begin * args.y_strides.at[args.axis];
    scatter_sorted<kAdds, T>(exec, kernel, part);
    launched(exec, kernel);
  }
}

}  // namespace

void array_scatter(const Exec& exec, const IndexedArgs& args) noexcept {
  with_bytes(args.element_bytes, [&](auto bits) { scatter<false, decltype(bits)>(exec, "scatter", args); });
}

void array_scatter_add(const Exec& exec, const IndexedArgs& args) noexcept {
  scatter<true, float>(exec, "scatter_add", args);
}

}  // namespace tern::cuda
