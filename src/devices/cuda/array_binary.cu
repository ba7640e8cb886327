// SPDX-License-Identifier: Apache-2.0
// Functions and comparisons of two elements that are a few instructions.
#include <cmath>
#include <concepts>
#include <type_traits>

#include "devices/cuda/array_entries.h"
#include "devices/cuda/array_functions.h"
#include "devices/cuda/array_pointwise.cuh"
#include "devices/cuda/folds.cuh"
#include "devices/cuda/numbers.cuh"

namespace tern::cuda {
namespace {

constexpr const char* kName = "array_binary";

// Halves are worked out in f32.
struct Function {
  ArrayBinaryOp op;

  template <std::floating_point R>
  __device__ R operator()(R a, R b) const {
    switch (op) {
      case ArrayBinaryOp::subtract:
        return a - b;
      case ArrayBinaryOp::multiply:
        return a * b;
      case ArrayBinaryOp::divide:
        return a / b;
      case ArrayBinaryOp::minimum:  // NaN if either is
        return a < b || a != a ? a : b;
      case ArrayBinaryOp::maximum:
        return a > b || a != a ? a : b;
      case ArrayBinaryOp::copysign:
        return copysign(a, b);
      default:
        return a + b;
    }
  }

  template <class R>
  __device__ Complex<R> operator()(Complex<R> a, Complex<R> b) const {
    switch (op) {
      case ArrayBinaryOp::subtract:
        return {a.re - b.re, a.im - b.im};
      case ArrayBinaryOp::multiply:
        return Times::of(a, b);
      default:
        return Plus::of(a, b);
    }
  }

  template <std::integral T>
  __device__ T operator()(T a, T b) const {
    using U = Wrapping<T>;
    constexpr U kBits = 8 * sizeof(T);
    const auto u = static_cast<U>(a), v = static_cast<U>(b);
    switch (op) {
      case ArrayBinaryOp::subtract:
        return static_cast<T>(u - v);
      case ArrayBinaryOp::multiply:  // as unsigned from the start: two u16 would multiply as int
        return static_cast<T>((0u + u) * v);
      case ArrayBinaryOp::minimum:
        return b < a ? b : a;
      case ArrayBinaryOp::maximum:
        return a < b ? b : a;
      case ArrayBinaryOp::bitwise_and:
        return static_cast<T>(a & b);
      case ArrayBinaryOp::bitwise_or:
        return static_cast<T>(a | b);
      case ArrayBinaryOp::bitwise_xor:
        return static_cast<T>(a ^ b);
      case ArrayBinaryOp::left_shift:  // all bits are gone where b is too large or negative
        return v < kBits ? static_cast<T>(u << v) : T{0};
      case ArrayBinaryOp::right_shift:  // the sign is left there
        return static_cast<T>(v < kBits ? a >> v : is_below_zero(a) ? -1 : 0);
      default:
        return static_cast<T>(u + v);
    }
  }

  // The bits of bool, of which there is one.
  __device__ Bool operator()(Bool a, Bool b) const {
    const bool p = a.byte != 0, q = b.byte != 0;
    switch (op) {
      case ArrayBinaryOp::bitwise_and:
        return {static_cast<uint8_t>(p && q)};
      case ArrayBinaryOp::bitwise_or:
        return {static_cast<uint8_t>(p || q)};
      default:
        return {static_cast<uint8_t>(p != q)};
    }
  }
};

struct Relation {
  ArrayBinaryOp op;

  template <class T>
  __device__ Bool operator()(T a, T b) const {
    return {static_cast<uint8_t>(holds(a, b))};
  }

 private:
  template <class T>
  __device__ bool holds(T a, T b) const {
    switch (op) {
      case ArrayBinaryOp::equal:
        return a == b;
      case ArrayBinaryOp::not_equal:
        return a != b;
      case ArrayBinaryOp::less:
        return a < b;
      case ArrayBinaryOp::less_equal:
        return a <= b;
      default:
        return logic(a != 0, b != 0);
    }
  }
  __device__ bool holds(Bool a, Bool b) const { return holds(number_of(a), number_of(b)); }
  template <class R>
  __device__ bool holds(Complex<R> a, Complex<R> b) const {
    switch (op) {
      case ArrayBinaryOp::equal:
        return a.re == b.re && a.im == b.im;
      case ArrayBinaryOp::not_equal:
        return a.re != b.re || a.im != b.im;
      default:
        return logic(a.re != 0 || a.im != 0, b.re != 0 || b.im != 0);
    }
  }

  __device__ bool logic(bool p, bool q) const {
    switch (op) {
      case ArrayBinaryOp::logical_and:
        return p && q;
      case ArrayBinaryOp::logical_or:
        return p || q;
      default:
        return p != q;
    }
  }
};

bool is_function_of_its_own(ArrayBinaryOp op, DType dtype) {
  const bool is_late = op >= ArrayBinaryOp::floor_divide && op <= ArrayBinaryOp::nextafter;
  return is_late || (op == ArrayBinaryOp::divide && !is_float(dtype));
}

}  // namespace

void array_binary(const Exec& exec, const ArrayBinaryArgs& args) noexcept {
  if (is_function_of_its_own(args.op, args.dtype)) {
    return is_complex(args.dtype) ? complex_function(exec, args) : real_function(exec, args);
  }
  with_array_element(args.dtype, [&](auto element) {
    using T = decltype(element);
    if constexpr (!is_half_element<T>) {
      if (args.op >= ArrayBinaryOp::equal) {
        map_fast<T, Bool>(exec, kName, args.shape, Relation{args.op}, arrays_of(args));
      } else {
        map_fast<T, T>(exec, kName, args.shape, Function{args.op}, arrays_of(args));
      }
    }
  });
}

}  // namespace tern::cuda
