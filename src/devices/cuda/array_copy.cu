// SPDX-License-Identifier: Apache-2.0
// Strided copies between any two dtypes. What models have copies for (copy.cu) is theirs: all moves of up to 8 bytes,
// and conversions between their dtypes but for integers of 32 bits and more to halves, which they round by way of f32.
#include <concepts>

#include "devices/cuda/array_entries.h"
#include "devices/cuda/array_pointwise.cuh"
#include "devices/cuda/pointwise.h"

namespace tern::cuda {
namespace {

constexpr const char* kName = "array_copy";

StridedArrays<1> arrays_of(const CopyArgs& args) {
  return {{{args.x}, {args.x_dtype}, args.y, args.y_dtype}, {&args.x_strides}, &args.y_strides};
}

struct Same {
  template <class T>
  __device__ T operator()(T x) const {
    return x;
  }
};

// Of integers, whose dtype an argument says, to To.
template <class To>
__global__ void __launch_bounds__(kPackThreads)
    saturate_integers(const __grid_constant__ Layout<2> layout, const void* x, DType x_dtype, To* y) {
  for (int64_t i = thread_of_grid(); i < layout.count(); i += threads_of_grid()) {
    const Offsets<2> offsets = layout.offsets(i);
    with_array_element(x_dtype, [=](auto element) {
      using From = decltype(element);
      if constexpr (std::integral<From>) {
        y[offsets.at[1]] = nearest_integer<To>(static_cast<const From*>(x)[offsets.at[0]]);
      }
    });
  }
}

bool converts_as_models_do(DType from, DType to) {
  const bool wide = from == DType::i32 || from == DType::i64, half = to == DType::f16 || to == DType::bf16;
  return is_model_dtype(from) && is_model_dtype(to) && !(wide && half);
}

// Numbers of c128 as their parts, f64; where they are not neighbours these are an axis more, for which there may be no
// room.
bool copy_parts(const Exec& exec, CopyArgs args) {
  const int last = args.shape.rank - 1;
  const bool dense = args.x_strides.at[last] == 1 && args.y_strides.at[last] == 1;
  if (!dense && args.shape.rank == 8) return false;
  args.x_dtype = args.y_dtype = DType::f64;
  for (int axis = 0; axis <= last; ++axis) args.x_strides.at[axis] *= 2, args.y_strides.at[axis] *= 2;
  if (dense) {
    args.shape.at[last] *= 2;
    args.x_strides.at[last] = args.y_strides.at[last] = 1;
  } else {
    args.shape.at[last + 1] = 2;
    args.x_strides.at[last + 1] = args.y_strides.at[last + 1] = 1;
    args.shape.rank = args.x_strides.rank = args.y_strides.rank = last + 2;
  }
  copy(exec, args);
  return true;
}

}  // namespace

void array_copy(const Exec& exec, const CopyArgs& args) noexcept {
  if (args.x_dtype == DType::c128 && args.y_dtype == DType::c128 && copy_parts(exec, args)) return;
  const bool moves = args.x_dtype == args.y_dtype && args.x_dtype != DType::c128;
  if (moves || converts_as_models_do(args.x_dtype, args.y_dtype)) return copy(exec, args);
  with_array_element(args.y_dtype, [&](auto element) {
    using To = decltype(element);
    map_any<To, To>(exec, kName, args.shape, Same{}, arrays_of(args));
  });
}

void array_saturate(const Exec& exec, const CopyArgs& args) noexcept {
  if (args.x_dtype == args.y_dtype || !is_integer(args.x_dtype) || !is_integer(args.y_dtype)) {
    return array_copy(exec, args);
  }
  if (count_of(args.shape) == 0) return;
  with_array_element(args.y_dtype, [&](auto element) {
    using To = decltype(element);
    if constexpr (std::integral<To>) {
      const Layout<2> layout(args.shape, {&args.x_strides, &args.y_strides}, 1);
      saturate_integers<<<blocks_for(layout.count(), kPackThreads), kPackThreads, 0, stream_of(exec)>>>(
          layout, args.x, args.x_dtype, static_cast<To*>(args.y));
    }
  });
  launched(exec, kName);
}

}  // namespace tern::cuda
