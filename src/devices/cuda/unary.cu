// SPDX-License-Identifier: Apache-2.0
// Elementwise functions of one argument.
#include <cmath>

#include "devices/cuda/numbers.cuh"
#include "devices/cuda/packs.cuh"
#include "devices/cuda/pointwise.h"

namespace tern::cuda {
namespace {

// Small results keep their precision on both sides of 0.
__device__ float sigmoid(float x) {
  const float e = expf(-fabsf(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

template <UnaryOp kOp>
struct FloatFunction {
  __device__ float operator()(float x) const {
    if constexpr (kOp == UnaryOp::neg) return -x;
    if constexpr (kOp == UnaryOp::abs) return fabsf(x);
    if constexpr (kOp == UnaryOp::exp) return expf(x);
    if constexpr (kOp == UnaryOp::log) return logf(x);
    if constexpr (kOp == UnaryOp::sqrt) return sqrtf(x);
    if constexpr (kOp == UnaryOp::rsqrt) return 1.0f / sqrtf(x);
    if constexpr (kOp == UnaryOp::reciprocal) return 1.0f / x;
    if constexpr (kOp == UnaryOp::square) return x * x;
    if constexpr (kOp == UnaryOp::relu) return relu(x);
    if constexpr (kOp == UnaryOp::relu2) return relu(x) * relu(x);
    if constexpr (kOp == UnaryOp::sigmoid) return sigmoid(x);
    if constexpr (kOp == UnaryOp::silu) return x * sigmoid(x);
    if constexpr (kOp == UnaryOp::tanh) return tanhf(x);
  }
};

// The integer that the result wraps to.
template <UnaryOp kOp>
struct IntegerFunction {
  template <class T>
  __device__ T operator()(T x) const {
    const auto u = static_cast<Wrapping<T>>(x);
    if constexpr (kOp == UnaryOp::neg) return static_cast<T>(0 - u);
    if constexpr (kOp == UnaryOp::abs) return x < 0 ? static_cast<T>(0 - u) : x;
    if constexpr (kOp == UnaryOp::square) return static_cast<T>(u * u);
  }
};

template <class T, class Fn>
void map(const Exec& exec, const UnaryArgs& args, const Fn& fn) {
  map_contiguous(exec, "unary", args.count, fn, static_cast<T*>(args.y), static_cast<const T*>(args.x));
}

void unary_float(const Exec& exec, const UnaryArgs& args) {
  switch (args.op) {
    case UnaryOp::neg:
      return map<float>(exec, args, FloatFunction<UnaryOp::neg>{});
    case UnaryOp::abs:
      return map<float>(exec, args, FloatFunction<UnaryOp::abs>{});
    case UnaryOp::exp:
      return map<float>(exec, args, FloatFunction<UnaryOp::exp>{});
    case UnaryOp::log:
      return map<float>(exec, args, FloatFunction<UnaryOp::log>{});
    case UnaryOp::sqrt:
      return map<float>(exec, args, FloatFunction<UnaryOp::sqrt>{});
    case UnaryOp::rsqrt:
      return map<float>(exec, args, FloatFunction<UnaryOp::rsqrt>{});
    case UnaryOp::reciprocal:
      return map<float>(exec, args, FloatFunction<UnaryOp::reciprocal>{});
    case UnaryOp::square:
      return map<float>(exec, args, FloatFunction<UnaryOp::square>{});
    case UnaryOp::relu:
      return map<float>(exec, args, FloatFunction<UnaryOp::relu>{});
    case UnaryOp::relu2:
      return map<float>(exec, args, FloatFunction<UnaryOp::relu2>{});
    case UnaryOp::sigmoid:
      return map<float>(exec, args, FloatFunction<UnaryOp::sigmoid>{});
    case UnaryOp::silu:
      return map<float>(exec, args, FloatFunction<UnaryOp::silu>{});
    case UnaryOp::tanh:
      return map<float>(exec, args, FloatFunction<UnaryOp::tanh>{});
  }
}

template <class T>
void unary_integer(const Exec& exec, const UnaryArgs& args) {
  switch (args.op) {
    case UnaryOp::abs:
      return map<T>(exec, args, IntegerFunction<UnaryOp::abs>{});
    case UnaryOp::square:
      return map<T>(exec, args, IntegerFunction<UnaryOp::square>{});
    default:
      return map<T>(exec, args, IntegerFunction<UnaryOp::neg>{});
  }
}

}  // namespace

void unary(const Exec& exec, const UnaryArgs& args) noexcept {
  switch (args.dtype) {
    case DType::i32:
      return unary_integer<int32_t>(exec, args);
    case DType::i64:
      return unary_integer<int64_t>(exec, args);
    default:
      return unary_float(exec, args);
  }
}

}  // namespace tern::cuda
