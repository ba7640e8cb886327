// SPDX-License-Identifier: Apache-2.0
// Kernels that make arrays and move elements by index. Memory bounds them all, so they are compiled once, for every
// instruction set.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <complex>
#include <cstring>

#include "core/dispatch.h"
#include "core/odd_float.h"
#include "device/array_index.h"
#include "device/element_bytes.h"
#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/runs.inl"

void repeat(const Exec& exec, const RepeatArgs& args) noexcept {
  with_bytes(args.element_bytes, [&]<class T>(T value) {
    std::memcpy(&value, args.value, sizeof value);
    T* const y = static_cast<T*>(args.y);
    parallel_for(exec, args.count, 1, 64, [&](int64_t begin, int64_t end) { std::fill(y + begin, y + end, value); });
  });
}

template <class T>
constexpr bool kIsComplex = std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

template <class T>
T ramp_element(const RampArgs& args, int64_t i) {
  const auto part = [i](double first, double step) { return first + static_cast<double>(i) * step; };
  if constexpr (std::is_integral_v<T>) {
    if (!args.exact) return static_cast<T>(std::floor(part(args.re, args.re_step)));
    return static_cast<T>(static_cast<uint64_t>(args.first) +
                          static_cast<uint64_t>(i) * static_cast<uint64_t>(args.step));
  } else if constexpr (kIsComplex<T>) {
    using Part = typename T::value_type;
    return {static_cast<Part>(part(args.re, args.re_step)), static_cast<Part>(part(args.im, args.im_step))};
  } else if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(part(args.re, args.re_step));
  } else {
    return T(odd_float(part(args.re, args.re_step)));
  }
}

void ramp(const Exec& exec, const RampArgs& args) noexcept {
  dispatch(args.dtype, [&]<class T>() {
    T* const y = static_cast<T*>(args.y);
    parallel_for(exec, args.count, 1, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = ramp_element<T>(args, i);
    });
  });
}

void zero_triangle(const Exec& exec, const ZeroTriangleArgs& args) noexcept {
  const auto bytes = static_cast<int64_t>(args.element_bytes);
  for_rows(exec, args.batch * args.rows, args.cols, [&](int64_t row) {
    char* const y = static_cast<char*>(args.y) + row * args.cols * bytes;
    const int64_t edge = std::clamp<int64_t>(row % args.rows + args.diagonal + (args.below ? 0 : 1), 0, args.cols);
    const int64_t begin = args.below ? 0 : edge, end = args.below ? edge : args.cols;
    std::memset(y + begin * bytes, 0, static_cast<size_t>((end - begin) * bytes));
  });
}

void keep_least(int64_t* at, int64_t position) {
  std::atomic_ref<int64_t> least(*at);
  int64_t seen = least.load(std::memory_order_relaxed);
  while (position < seen && !least.compare_exchange_weak(seen, position, std::memory_order_relaxed)) {
  }
}

// Where an index leads, in elements; 0 and bad = true for one out of range. The extent may be kOffsets.
inline int64_t offset_of(int64_t index, int64_t extent, int64_t scale, bool& bad) {
  if (extent == kOffsets) return index * scale;
  const int64_t wrapped = index < 0 ? index + extent : index;
  const bool good = static_cast<uint64_t>(wrapped) < static_cast<uint64_t>(extent);
  bad |= !good;
  return good ? wrapped * scale : 0;
}

// Keeps the position of the first of `count` indices that is out of range, in a run that has one.
void report(const int64_t* index, int64_t stride, int64_t count, int64_t extent, int64_t position, int64_t* first_bad) {
  for (int64_t i = 0; i < count; ++i) {
    bool bad = false;
    offset_of(index[i * stride], extent, 1, bad);
    if (bad) return keep_least(first_bad, position + i);
  }
}

template <class T>
void copy_strided(const T* x, int64_t x_stride, T* y, int64_t y_stride, int64_t count) {
  if (x_stride == 1 && y_stride == 1) {
    std::memcpy(y, x, static_cast<size_t>(count) * sizeof(T));
  } else {
    for (int64_t i = 0; i < count; ++i) y[i * y_stride] = x[i * x_stride];
  }
}

// Calls the kernel's move(x, x_stride, y, y_stride, count) for the runs of elements [begin, end) that one index finds,
// and for each element where every one has an index of its own.
template <class T, class Move>
void move_runs(const IndexedArgs& args, int64_t begin, int64_t end, const Move& move) {
  const int64_t x_stride = last_of(args.x_strides), index_stride = last_of(args.index_strides),
                y_stride = last_of(args.y_strides);
  StridedWalk<3> walk(args.shape, {&args.x_strides, &args.index_strides, &args.y_strides}, begin);
  for (int64_t i = begin; i < end; walk.next_run()) {
    const int64_t count = smaller(walk.left(), end - i);
    T* const x = static_cast<T*>(args.x) + walk.offset(0);
    T* const y = static_cast<T*>(args.y) + walk.offset(2);
    const int64_t* const index = args.index + walk.offset(1);
    bool bad = false;
    if (index_stride == 0) {
      move(x + offset_of(*index, args.extent, args.scale, bad), x_stride, y, y_stride, count);
    } else {
      for (int64_t j = 0; j < count; ++j) {
        move(x + j * x_stride + offset_of(index[j * index_stride], args.extent, args.scale, bad), 1, y + j * y_stride,
             1, 1);
      }
    }
    if (bad) report(index, index_stride, count, args.extent, i, args.first_bad);
    i += count;
  }
}

void gather(const Exec& exec, const IndexedArgs& args) noexcept {
  with_bytes(args.element_bytes, [&]<class T>(T) {
    parallel_for(exec, count_of(args.shape), 1, 16, [&](int64_t begin, int64_t end) {
      move_runs<T>(args, begin, end, [](const T* x, int64_t x_stride, T* y, int64_t y_stride, int64_t count) {
        if (count == 1) {
          *y = *x;
        } else {
          copy_strided(x, x_stride, y, y_stride, count);
        }
      });
    });
  });
}

// Split along the longest axis but the indexed one, so that every element is written from one thread, in order.
template <class T, class Move>
void scatter_with(const Exec& exec, const IndexedArgs& args, const Move& move) {
  int axis = -1;
  for (int other = 0; other < args.shape.rank; ++other) {
    if (other != args.axis && (axis < 0 || args.shape.at[other] > args.shape.at[axis])) axis = other;
  }
  const int64_t count = count_of(args.shape);
  if (count == 0) return;
  if (axis < 0) return move_runs<T>(args, 0, count, move);
  const int64_t extent = args.shape.at[axis];
  parallel_for(exec, extent, count / extent, std::max<int64_t>(1, 64 / static_cast<int64_t>(sizeof(T))),
               [&](int64_t begin, int64_t end) {
                 IndexedArgs part = args;
                 part.shape.at[axis] = end - begin;
                 part.x = static_cast<T*>(args.x) + begin * args.x_strides.at[axis];
                 part.y = static_cast<T*>(args.y) + begin * args.y_strides.at[axis];
                 part.index += begin * args.index_strides.at[axis];
                 move_runs<T>(part, 0, count / extent * (end - begin), move);
               });
}

void scatter(const Exec& exec, const IndexedArgs& args) noexcept {
  with_bytes(args.element_bytes, [&]<class T>(T) {
    scatter_with<T>(exec, args, [](T* x, int64_t x_stride, const T* y, int64_t y_stride, int64_t count) {
      if (count == 1) {
        *x = *y;
      } else {
        copy_strided(y, y_stride, x, x_stride, count);
      }
    });
  });
}

void scatter_add(const Exec& exec, const IndexedArgs& args) noexcept {
  scatter_with<float>(exec, args, [](float* x, int64_t x_stride, const float* y, int64_t y_stride, int64_t count) {
    for (int64_t i = 0; i < count; ++i) x[i * x_stride] += y[i * y_stride];
  });
}

void offsets(const Exec& exec, const OffsetsArgs& args) noexcept {
  const int64_t stride = last_of(args.index_strides);
  for_runs(exec, args.shape, {&args.index_strides}, [&](int64_t i, int64_t count, const auto& walk) {
    const int64_t* const index = args.index + walk.offset(0);
    int64_t* const y = args.y + i;
    bool bad = false;
    for (int64_t j = 0; j < count; ++j) {
      const int64_t offset = offset_of(index[j * stride], args.extent, args.scale, bad);
      y[j] = args.accumulate ? y[j] + offset : offset;
    }
    if (bad) report(index, stride, count, args.extent, i, args.first_bad);
  });
}

// Calls body(block, begin, end) for every block of a mask.
template <class Body>
void for_mask_blocks(const Exec& exec, int64_t count, const Body& body) {
  for_rows(exec, ceil_div(count, kMaskBlock), kMaskBlock,
           [&](int64_t block) { body(block, block * kMaskBlock, smaller((block + 1) * kMaskBlock, count)); });
}

void mask_counts(const Exec& exec, const MaskCountsArgs& args) noexcept {
  for_mask_blocks(exec, args.count, [&](int64_t block, int64_t begin, int64_t end) {
    args.y[block] = end - begin - std::count(args.mask + begin, args.mask + end, uint8_t{0});
  });
}

void mask_positions(const Exec& exec, const MaskPositionsArgs& args) noexcept {
  for_mask_blocks(exec, args.count, [&](int64_t block, int64_t begin, int64_t end) {
    int64_t found[kMaskBlock];
    int64_t n = 0;
    for (int64_t i = begin; i < end; ++i) {
      found[n] = i;
      n += args.mask[i] != 0;
    }
    std::copy(found, found + n, args.y + args.starts[block]);
  });
}

}  // namespace

constexpr ArrayIndexKernels kArrayIndex = {.repeat = repeat,
                                           .ramp = ramp,
                                           .zero_triangle = zero_triangle,
                                           .gather = gather,
                                           .scatter = scatter,
                                           .scatter_add = scatter_add,
                                           .offsets = offsets,
                                           .mask_counts = mask_counts,
                                           .mask_positions = mask_positions};
static_assert(complete(kArrayIndex));

}  // namespace tern::cpu
