// SPDX-License-Identifier: Apache-2.0
// Functions of the elements of strided arrays. What a function works in is a type of the kernel; what arrays hold is an
// argument, looked at with each element: a kernel for every combination would be too many. Arrays that hold just what
// the function takes and gives are walked in packs where they allow it.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include "device/array_pointwise.h"
#include "devices/cuda/array_elements.cuh"
#include "devices/cuda/strided.cuh"

namespace tern::cuda {

// What a kernel gets of inputs and of y.
template <int kInputs>
struct PointwiseArrays {
  const void* x[kInputs];
  DType x_dtype[kInputs];
  void* y;
  DType y_dtype;
};

// The same with the strides of a shape, for the host.
template <int kInputs>
struct StridedArrays {
  PointwiseArrays<kInputs> arrays;
  const Dims* x_strides[kInputs];
  const Dims* y_strides;

  Layout<kInputs + 1> layout(const Dims& shape, int width) const {
    return layout(shape, width, std::make_index_sequence<kInputs>());
  }

 private:
  template <size_t... k>
  Layout<kInputs + 1> layout(const Dims& shape, int width, std::index_sequence<k...>) const {
    return {shape, {x_strides[k]..., y_strides}, width};
  }
};

inline StridedArrays<1> arrays_of(const ArrayUnaryArgs& args) {
  return {{{args.x}, {args.x_dtype}, args.y, args.y_dtype}, {&args.x_strides}, &args.y_strides};
}
inline StridedArrays<2> arrays_of(const ArrayBinaryArgs& args) {
  return {{{args.a, args.b}, {args.a_dtype, args.b_dtype}, args.y, args.y_dtype},
          {&args.a_strides, &args.b_strides},
          &args.y_strides};
}

template <class X, class Y, class Fn, int kInputs, size_t... k>
__device__ void map_element(const Offsets<kInputs + 1>& offsets, const Fn& fn, const PointwiseArrays<kInputs>& arrays,
                            std::index_sequence<k...>) {
  const Y y = fn(load_as<X>(arrays.x[k], arrays.x_dtype[k], offsets.at[k])...);
  store_as(arrays.y, arrays.y_dtype, offsets.at[kInputs], y);
}

template <int kWidth, class X, class Y, class Fn, int kInputs, size_t... k>
__device__ void map_pack_of(const Layout<kInputs + 1>& layout, const Offsets<kInputs + 1>& offsets, const Fn& fn,
                            const PointwiseArrays<kInputs>& arrays, std::index_sequence<k...>) {
  store_pack(
      static_cast<Y*>(arrays.y) + offsets.at[kInputs],
      map_pack<kWidth>(fn, layout.template load<kWidth>(k, static_cast<const X*>(arrays.x[k]) + offsets.at[k])...));
}

// In packs of kWidth elements, or with kWidth 0 one by one of any dtype.
template <int kWidth, class X, class Y, class Fn, int kInputs>
__global__ void __launch_bounds__(kPackThreads) map_arrays(const __grid_constant__ Layout<kInputs + 1> layout, Fn fn,
                                                           const __grid_constant__ PointwiseArrays<kInputs> arrays) {
  for (int64_t i = thread_of_grid(); i < layout.count(); i += threads_of_grid()) {
    const Offsets<kInputs + 1> offsets = layout.offsets(i);
    if constexpr (kWidth == 0) {
      map_element<X, Y>(offsets, fn, arrays, std::make_index_sequence<kInputs>());
    } else {
      map_pack_of<kWidth, X, Y>(layout, offsets, fn, arrays, std::make_index_sequence<kInputs>());
    }
  }
}

// y = fn(x...), where fn takes X and gives Y.
template <class X, class Y, class Fn, int kInputs>
void map_any(const Exec& exec, const char* name, const Dims& shape, const Fn& fn, const StridedArrays<kInputs>& of) {
  if (count_of(shape) == 0) return;
  const Layout<kInputs + 1> layout = of.layout(shape, 1);
  map_arrays<0, X, Y>
      <<<blocks_for(layout.count(), kPackThreads), kPackThreads, 0, stream_of(exec)>>>(layout, fn, of.arrays);
  launched(exec, name);
}

// The same, in packs where that can be.
template <class X, class Y, class Fn, int kInputs>
void map_fast(const Exec& exec, const char* name, const Dims& shape, const Fn& fn, const StridedArrays<kInputs>& of) {
  if (count_of(shape) == 0) return;
  constexpr int kWidth = kPackWidth<X, Y>;
  bool splits = of.arrays.y_dtype == dtype_of_element<Y> &&
                splits_into_packs(shape, {{of.arrays.y, sizeof(Y), of.y_strides}}, kWidth);
  for (int k = 0; k < kInputs; ++k) {
    splits = splits && of.arrays.x_dtype[k] == dtype_of_element<X> &&
             splits_into_packs(shape, {{of.arrays.x[k], sizeof(X), of.x_strides[k]}}, kWidth);
  }
  if (!splits) return map_any<X, Y>(exec, name, shape, fn, of);
  const Layout<kInputs + 1> layout = of.layout(shape, kWidth);
  map_arrays<kWidth, X, Y>
      <<<blocks_for(layout.count(), kPackThreads), kPackThreads, 0, stream_of(exec)>>>(layout, fn, of.arrays);
  launched(exec, name);
}

}  // namespace tern::cuda
