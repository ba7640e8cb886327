// SPDX-License-Identifier: Apache-2.0
// The greatest and least of arrays along an axis, and where they are. The least are the greatest of what is turned
// over: the bits of integers, the signs of floats.
#include <concepts>
#include <limits>
#include <type_traits>

#include "device/element_bytes.h"
#include "devices/cuda/array_reduce.cuh"
#include "devices/cuda/array_reduce_parts.h"

namespace tern::cuda {
namespace {

// Elements of type T as numbers N of which the greatest are wanted, and back.
template <class T>
struct Turned {
  using N = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  T turned;

  explicit Turned(DType dtype, bool greatest) {
    const T sign = static_cast<T>(T{1} << (8 * sizeof(T) - 1));
    turned = static_cast<T>((is_signed_integer(dtype) ? sign : 0) ^ (greatest ? 0 : static_cast<T>(~T{0})));
  }
  __device__ N of(T x) const { return static_cast<T>(x ^ turned); }
  __device__ T back(N number) const { return static_cast<T>(number) ^ turned; }
};

template <std::floating_point T>
struct Turned<T> {
  using N = T;
  bool turned;

  explicit Turned(DType, bool greatest) : turned(!greatest) {}
  __device__ N of(T x) const { return turned ? -x : x; }
  __device__ T back(N number) const { return of(number); }
};

template <class N>
constexpr N kLeast = std::numeric_limits<N>::has_infinity ? -std::numeric_limits<N>::infinity() : N{0};

// Which is greater than any number.
template <class N>
__device__ bool is_nan(N x) {
  return x != x;
}

template <class T>
struct ExtremeResults {
  using Acc = typename Turned<T>::N;
  Turned<T> turned;
  T* y;

  static __device__ Acc start() { return kLeast<Acc>; }
  static __device__ Acc join(Acc a, Acc b) { return b > a || is_nan(b) ? b : a; }
  __device__ void put(int64_t i, Acc acc) const { y[i] = turned.back(acc); }
};

template <class T>
struct Extreme : ExtremeResults<T> {
  using In = T;
  using Results = ExtremeResults<T>;
  static constexpr int kLanes = std::is_floating_point_v<T> ? static_cast<int>(kLaneBytes / sizeof(T)) : kWarp;

  __device__ typename Results::Acc of(T x, int64_t, int64_t) const { return this->turned.of(x); }
};

template <class N>
struct Best {
  N value;
  int64_t index;
};

// In any order: of equals, as 0 and -0 are, the one with the lower index is better.
template <class N>
struct IndexResults {
  using Acc = Best<N>;
  int64_t* y;

  static __device__ Acc start() { return {kLeast<N>, std::numeric_limits<int64_t>::max()}; }
  static __device__ Acc join(const Acc& a, const Acc& b) { return beats(b, a) ? b : a; }
  __device__ void put(int64_t i, const Acc& best) const { y[i] = best.index; }

 private:
  static __device__ bool beats(const Acc& a, const Acc& b) {
    if (is_nan(a.value) != is_nan(b.value)) return is_nan(a.value);
    const bool equal = a.value == b.value || is_nan(a.value);
    return equal ? a.index < b.index : a.value > b.value;
  }
};

template <class T>
struct ExtremeIndex : IndexResults<typename Turned<T>::N> {
  using In = T;
  using Results = IndexResults<typename Turned<T>::N>;
  static constexpr int kLanes = kWarp;
  Turned<T> turned;

  __device__ typename Results::Acc of(T x, int64_t k, int64_t) const { return {turned.of(x), k}; }
};

// Calls fn(T{}) with the type of a float, or the unsigned one of an integer's or bool's size.
template <class Fn>
void with_ordered(DType dtype, const Fn& fn) {
  if (dtype == DType::f32) return fn(float{});
  if (dtype == DType::f64) return fn(double{});
  with_bytes(size_of(dtype), [&](auto bits) {
    if constexpr (sizeof bits <= sizeof(uint64_t)) fn(bits);
  });
}

}  // namespace

void reduce_extremes(const Exec& exec, const ArrayReduceArgs& args) {
  const bool as_index = args.op == ArrayReduceOp::argmax || args.op == ArrayReduceOp::argmin;
  const bool greatest = args.op == ArrayReduceOp::max || args.op == ArrayReduceOp::argmax;
  with_ordered(args.dtype, [&](auto element) {
    using T = decltype(element);
    const Turned<T> turned(args.dtype, greatest);
    if (as_index) {
      reduce_as(exec, args, ExtremeIndex<T>{{static_cast<int64_t*>(args.y)}, turned});
    } else {
      reduce_as(exec, args, Extreme<T>{{turned, static_cast<T*>(args.y)}});
    }
  });
}

}  // namespace tern::cuda
