// SPDX-License-Identifier: Apache-2.0
// Elements and offsets that indices find.
#include "devices/cuda/array_index.cuh"

#include "device/element_bytes.h"
#include "devices/cuda/array_entries.h"
#include "devices/cuda/first_bad.h"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/strided.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256;

// Without first_bad for indices that were checked.
template <class T>
__global__ void __launch_bounds__(kThreads) gather_elements(Layout<3> layout, IndexRange range, const T* x,
                                                            const int64_t* index, T* y, unsigned long long* first_bad) {
  for (int64_t i = thread_of_grid(); i < layout.count(); i += threads_of_grid()) {
    const Offsets<3> offsets = layout.offsets(i);
    const int64_t at = index[offsets.at[1]];
    if (range.has(at)) {
      y[offsets.at[2]] = x[offsets.at[0] + range.offset(at)];
    } else {
      atomicMin(first_bad, static_cast<unsigned long long>(i));
    }
  }
}

__global__ void __launch_bounds__(kThreads) find_offsets(Layout<1> layout, IndexRange range, const int64_t* index,
                                                         bool accumulate, int64_t* y, unsigned long long* first_bad) {
  for (int64_t i = thread_of_grid(); i < layout.count(); i += threads_of_grid()) {
    const int64_t at = index[layout.offsets(i).at[0]];
    if (range.has(at)) {
      y[i] = accumulate ? y[i] + range.offset(at) : range.offset(at);
    } else {
      atomicMin(first_bad, static_cast<unsigned long long>(i));
    }
  }
}

// Neighbours that one index finds are moved as one element of up to 16 bytes where all operands allow it.
int neighbours_at_once(const IndexedArgs& args) {
  const int last = args.shape.rank - 1;
  // An offset says nothing of what it is a multiple of.
  if (args.axis == last || args.extent == kOffsets || args.index_strides.at[last] != 0) return 1;
  if (args.x_strides.at[last] != 1 || args.y_strides.at[last] != 1) return 1;
  for (int width = static_cast<int>(16 / args.element_bytes); width > 1; width /= 2) {
    const bool splits = splits_into_packs(
        args.shape, {{args.x, args.element_bytes, &args.x_strides}, {args.y, args.element_bytes, &args.y_strides}},
        width);
    if (splits && args.scale % width == 0) return width;
  }
  return 1;
}

// The same in elements of `width` neighbours each.
IndexedArgs in_packs(IndexedArgs args, int width) {
  const int last = args.shape.rank - 1;
  args.element_bytes *= static_cast<size_t>(width);
  args.shape.at[last] /= width;
  for (int axis = 0; axis < last; ++axis) args.x_strides.at[axis] /= width, args.y_strides.at[axis] /= width;
  args.scale /= width;
  return args;
}

template <class T>
void gather_as(const Exec& exec, const IndexedArgs& args, unsigned long long* first_bad) {
  const Layout<3> layout(args.shape, {&args.x_strides, &args.index_strides, &args.y_strides}, 1);
  gather_elements<<<blocks_for(layout.count(), kThreads), kThreads, 0, stream_of(exec)>>>(
      layout, IndexRange{args.extent, args.scale}, static_cast<const T*>(args.x), args.index, static_cast<T*>(args.y),
      first_bad);
}

// Calls fn(first_bad) and reports what it left there; with null where there is nothing to find.
template <class Fn>
void checked(const Exec& exec, const char* kernel, int64_t extent, int64_t step, int64_t* first_bad, const Fn& fn) {
  if (extent == kOffsets) {
    fn(nullptr);
    return launched(exec, kernel);
  }
  const FirstBad bad(exec, kernel);
  if (!bad) return;
  fn(bad.word());
  launched(exec, kernel);
  bad.report(step, first_bad);
}

}  // namespace

void array_gather(const Exec& exec, const IndexedArgs& args) noexcept {
  if (count_of(args.shape) == 0) return;
  const int width = neighbours_at_once(args);
  const IndexedArgs packs = in_packs(args, width);
  checked(exec, "gather", args.extent, width, args.first_bad, [&](unsigned long long* first_bad) {
    constexpr size_t kWhole = 16;
    if (packs.element_bytes == kWhole && is_aligned(packs.x, kWhole) && is_aligned(packs.y, kWhole)) {
      return gather_as<Pack<uint64_t, 2>>(exec, packs, first_bad);
    }
    with_bytes(packs.element_bytes, [&](auto bits) { gather_as<decltype(bits)>(exec, packs, first_bad); });
  });
}

void array_offsets(const Exec& exec, const OffsetsArgs& args) noexcept {
  const int64_t count = count_of(args.shape);
  if (count == 0) return;
  const Layout<1> layout(args.shape, {&args.index_strides}, 1);
  checked(exec, "offsets", args.extent, 1, args.first_bad, [&](unsigned long long* first_bad) {
    find_offsets<<<blocks_for(count, kThreads), kThreads, 0, stream_of(exec)>>>(
        layout, IndexRange{args.extent, args.scale}, args.index, args.accumulate, args.y, first_bad);
  });
}

}  // namespace tern::cuda
