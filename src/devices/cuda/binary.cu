// SPDX-License-Identifier: Apache-2.0
// Elementwise functions and comparisons of two arguments, and the choice between two by a third.
#include <type_traits>
#include <utility>

#include "devices/cuda/early_launch.cuh"
#include "devices/cuda/numbers.cuh"
#include "devices/cuda/pointwise.h"
#include "devices/cuda/strided.cuh"

namespace tern::cuda {
namespace {

template <BinaryOp kOp>
struct BinaryFunction {
  template <class T>
  __device__ T operator()(T a, T b) const {
    const auto u = static_cast<Wrapping<T>>(a), v = static_cast<Wrapping<T>>(b);
    if constexpr (kOp == BinaryOp::add) return static_cast<T>(u + v);
    if constexpr (kOp == BinaryOp::sub) return static_cast<T>(u - v);
    if constexpr (kOp == BinaryOp::mul) return static_cast<T>(u * v);
    if constexpr (kOp == BinaryOp::div) return divided(a, b);
    if constexpr (kOp == BinaryOp::minimum) return a != a || a < b ? a : b;
    if constexpr (kOp == BinaryOp::maximum) return a != a || a > b ? a : b;
  }

 private:
  static __device__ float divided(float a, float b) { return a / b; }
  // The least integer over -1 wraps.
  template <class T>
  static __device__ T divided(T a, T b) {
    return b == -1 ? static_cast<T>(0 - static_cast<Wrapping<T>>(a)) : a / b;
  }
};

template <CompareOp kOp>
struct Comparison {
  template <class T>
  __device__ uint8_t operator()(T a, T b) const {
    if constexpr (kOp == CompareOp::eq) return a == b;
    if constexpr (kOp == CompareOp::ne) return a != b;
    if constexpr (kOp == CompareOp::lt) return a < b;
    if constexpr (kOp == CompareOp::le) return a <= b;
    if constexpr (kOp == CompareOp::gt) return a > b;
    if constexpr (kOp == CompareOp::ge) return a >= b;
  }
};

struct Choice {
  template <class T>
  __device__ T operator()(uint8_t condition, T a, T b) const {
    return condition ? a : b;
  }
};

template <class T>
struct Input {
  const T* data;
  const Dims* strides;
};
template <class T>
Input<T> input_of(const StridedInput& input) {
  return {static_cast<const T*>(input.data), &input.strides};
}

template <int kWidth, int kInputs, class Fn, class Y, size_t... k, class... X>
__device__ void map_at(int64_t i, const Layout<kInputs>& layout, const Fn& fn, Y* y, std::index_sequence<k...>,
                       const X*... x) {
  const Offsets<kInputs> offsets = layout.offsets(i);
  store_pack(y + i * kWidth, map_pack<kWidth>(fn, layout.template load<kWidth>(k, x + offsets.at[k])...));
}

template <int kWidth, class Fn, class Y, class... X>
__global__ void __launch_bounds__(kPackThreads)
    map_strided(Layout<static_cast<int>(sizeof...(X))> layout, Fn fn, Y* y, const X*... x) {
  wait_for_inputs();
  for (int64_t i = thread_of_grid(); i < layout.count(); i += threads_of_grid()) {
    map_at<kWidth>(i, layout, fn, y, std::index_sequence_for<X...>{}, x...);
  }
}

// y = fn(inputs...), y contiguous of `shape`.
template <class Fn, class Y, class... X>
void map(const Exec& exec, const char* name, const Dims& shape, const Fn& fn, Y* y, Input<X>... inputs) {
  if (count_of(shape) == 0) return;
  constexpr int kWidth = kPackWidth<Y, X...>, kInputs = static_cast<int>(sizeof...(X));
  const auto launch = [&](auto width) {
    const Layout<kInputs> layout(shape, {inputs.strides...}, width);
    launch_early(exec, name, map_strided<decltype(width)::value, Fn, Y, X...>, blocks_for(layout.count(), kPackThreads),
                 kPackThreads, 0, layout, fn, y, inputs.data...);
  };
  const bool packs =
      hold_packs<kWidth>(y) && splits_into_packs(shape, {{inputs.data, sizeof(X), inputs.strides}...}, kWidth);
  packs ? launch(std::integral_constant<int, kWidth>{}) : launch(std::integral_constant<int, 1>{});
}

template <class T>
void binary_typed(const Exec& exec, const BinaryArgs& args) {
  const auto run = [&](auto fn) {
    map(exec, "binary", args.shape, fn, static_cast<T*>(args.y), input_of<T>(args.a), input_of<T>(args.b));
  };
  switch (args.op) {
    case BinaryOp::add:
      return run(BinaryFunction<BinaryOp::add>{});
    case BinaryOp::sub:
      return run(BinaryFunction<BinaryOp::sub>{});
    case BinaryOp::mul:
      return run(BinaryFunction<BinaryOp::mul>{});
    case BinaryOp::div:
      return run(BinaryFunction<BinaryOp::div>{});
    case BinaryOp::minimum:
      return run(BinaryFunction<BinaryOp::minimum>{});
    case BinaryOp::maximum:
      return run(BinaryFunction<BinaryOp::maximum>{});
  }
}

template <class T>
void compare_typed(const Exec& exec, const CompareArgs& args) {
  const auto run = [&](auto fn) {
    map(exec, "compare", args.shape, fn, args.y, input_of<T>(args.a), input_of<T>(args.b));
  };
  switch (args.op) {
    case CompareOp::eq:
      return run(Comparison<CompareOp::eq>{});
    case CompareOp::ne:
      return run(Comparison<CompareOp::ne>{});
    case CompareOp::lt:
      return run(Comparison<CompareOp::lt>{});
    case CompareOp::le:
      return run(Comparison<CompareOp::le>{});
    case CompareOp::gt:
      return run(Comparison<CompareOp::gt>{});
    case CompareOp::ge:
      return run(Comparison<CompareOp::ge>{});
  }
}

}  // namespace

void binary(const Exec& exec, const BinaryArgs& args) noexcept {
  with_number(args.dtype, [&](auto number) { binary_typed<decltype(number)>(exec, args); });
}

void compare(const Exec& exec, const CompareArgs& args) noexcept {
  with_number(args.dtype, [&](auto number) { compare_typed<decltype(number)>(exec, args); });
}

void select(const Exec& exec, const SelectArgs& args) noexcept {
  with_number(args.dtype, [&](auto number) {
    using T = decltype(number);
    map(exec, "select", args.shape, Choice{}, static_cast<T*>(args.y), input_of<uint8_t>(args.condition),
        input_of<T>(args.a), input_of<T>(args.b));
  });
}

}  // namespace tern::cuda
