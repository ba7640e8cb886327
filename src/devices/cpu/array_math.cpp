// SPDX-License-Identifier: Apache-2.0
#include "devices/cpu/array_math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <type_traits>

#include "base/integer_functions.h"
#include "base/step_towards.h"
#include "devices/cpu/array_complex_math.h"

namespace tern::cpu {
namespace {

template <class T, class Fn>
void unary_run(const void* from, void* to, int64_t count, int64_t) {
  const T* x = static_cast<const T*>(from);
  T* y = static_cast<T*>(to);
  for (int64_t i = 0; i < count; ++i) y[i] = Fn()(x[i]);
}
template <class T, class Fn>
UnaryRun unary_of(Fn) {
  return unary_run<T, Fn>;
}

template <class T, class Fn>
void binary_run(const void* left, const void* right, void* to, int64_t count, int64_t) {
  const T* a = static_cast<const T*>(left);
  const T* b = static_cast<const T*>(right);
  T* y = static_cast<T*>(to);
  for (int64_t i = 0; i < count; ++i) y[i] = Fn()(a[i], b[i]);
}
template <class T, class Fn>
BinaryRun binary_of(Fn) {
  return binary_run<T, Fn>;
}

template <class R>
UnaryRun real_unary(ArrayUnaryOp op) {
  switch (op) {
    case ArrayUnaryOp::exp:
      return unary_of<R>([](R x) { return std::exp(x); });
    case ArrayUnaryOp::expm1:
      return unary_of<R>([](R x) { return std::expm1(x); });
    case ArrayUnaryOp::log:
      return unary_of<R>([](R x) { return std::log(x); });
    case ArrayUnaryOp::log1p:
      return unary_of<R>([](R x) { return std::log1p(x); });
    case ArrayUnaryOp::log2:
      return unary_of<R>([](R x) { return std::log2(x); });
    case ArrayUnaryOp::log10:
      return unary_of<R>([](R x) { return std::log10(x); });
    case ArrayUnaryOp::sin:
      return unary_of<R>([](R x) { return std::sin(x); });
    case ArrayUnaryOp::cos:
      return unary_of<R>([](R x) { return std::cos(x); });
    case ArrayUnaryOp::tan:
      return unary_of<R>([](R x) { return std::tan(x); });
    case ArrayUnaryOp::asin:
      return unary_of<R>([](R x) { return std::asin(x); });
    case ArrayUnaryOp::acos:
      return unary_of<R>([](R x) { return std::acos(x); });
    case ArrayUnaryOp::atan:
      return unary_of<R>([](R x) { return std::atan(x); });
    case ArrayUnaryOp::sinh:
      return unary_of<R>([](R x) { return std::sinh(x); });
    case ArrayUnaryOp::cosh:
      return unary_of<R>([](R x) { return std::cosh(x); });
    case ArrayUnaryOp::tanh:
      return unary_of<R>([](R x) { return std::tanh(x); });
    case ArrayUnaryOp::asinh:
      return unary_of<R>([](R x) { return std::asinh(x); });
    case ArrayUnaryOp::acosh:
      return unary_of<R>([](R x) { return std::acosh(x); });
    case ArrayUnaryOp::atanh:
      return unary_of<R>([](R x) { return std::atanh(x); });
    default:
      return nullptr;
  }
}

// Python's a % b: of b's sign, also where it is 0.
template <class R>
R remainder_of(R a, R b) {
  const R rest = std::fmod(a, b);
  if (rest == 0) return std::copysign(R{0}, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

// floor(a/b) of the exact quotient: a - a % b is a multiple of b but for rounding, so that the division gives an
// integer or its neighbour. Where an operand is infinite, the array API's floor(divide(a, b)), not Python's.
template <class R>
R floor_quotient(R a, R b) {
  const R near = a / b;
  if (a == 0 || b == 0 || std::isinf(b) || !std::isfinite(near)) return near;
  const R rest = std::fmod(a, b);
  R quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(R{0}, near);
  const R floor = std::floor(quotient);
  return quotient - floor > R{0.5} ? floor + 1 : floor;
}

// log(exp(a) + exp(b)).
template <class R>
R log_sum(R a, R b) {
  if (a == b) return a + std::numbers::ln2_v<R>;  // infinities, too
  const R difference = a - b;
  if (std::isnan(difference)) return difference;
  return difference > 0 ? a + std::log1p(std::exp(-difference)) : b + std::log1p(std::exp(difference));
}

template <class R>
BinaryRun real_binary(ArrayBinaryOp op) {
  using Bits = std::conditional_t<std::is_same_v<R, float>, uint32_t, uint64_t>;
  switch (op) {
    case ArrayBinaryOp::floor_divide:
      return binary_of<R>([](R a, R b) { return floor_quotient(a, b); });
    case ArrayBinaryOp::remainder:
      return binary_of<R>([](R a, R b) { return remainder_of(a, b); });
    case ArrayBinaryOp::pow:
      return binary_of<R>([](R a, R b) { return std::pow(a, b); });
    case ArrayBinaryOp::atan2:
      return binary_of<R>([](R a, R b) { return std::atan2(a, b); });
    case ArrayBinaryOp::hypot:
      return binary_of<R>([](R a, R b) { return std::hypot(a, b); });
    case ArrayBinaryOp::logaddexp:
      return binary_of<R>([](R a, R b) { return log_sum(a, b); });
    case ArrayBinaryOp::nextafter:
      return binary_of<Bits>(
          [](Bits a, Bits b) { return step_towards(a, b, std::bit_cast<Bits>(std::numeric_limits<R>::infinity())); });
    default:
      return nullptr;
  }
}

template <class T>
BinaryRun integer_binary(ArrayBinaryOp op) {
  switch (op) {
    case ArrayBinaryOp::divide:
      return binary_of<T>([](T a, T b) { return truncated_quotient(a, b); });
    case ArrayBinaryOp::floor_divide:
      return binary_of<T>([](T a, T b) { return floor_quotient_of_integers(a, b); });
    case ArrayBinaryOp::remainder:
      return binary_of<T>([](T a, T b) { return remainder_of_integers(a, b); });
    case ArrayBinaryOp::pow:
      return binary_of<T>([](T a, T b) { return power(a, b); });
    default:
      return nullptr;
  }
}

BinaryRun half_binary(ArrayBinaryOp op, bool is_bf16) {
  if (op != ArrayBinaryOp::nextafter) return nullptr;
  using Bits = uint16_t;
  return is_bf16 ? binary_of<Bits>([](Bits a, Bits b) { return step_towards<Bits>(a, b, 0x7f80); })
                 : binary_of<Bits>([](Bits a, Bits b) { return step_towards<Bits>(a, b, 0x7c00); });
}

}  // namespace

UnaryRun math_unary(ArrayUnaryOp op, DType dtype) noexcept {
  switch (dtype) {
    case DType::f32:
      return real_unary<float>(op);
    case DType::f64:
      return real_unary<double>(op);
    default:
      return is_complex(dtype) ? complex_unary(op, dtype) : nullptr;
  }
}

BinaryRun math_binary(ArrayBinaryOp op, DType dtype) noexcept {
  switch (dtype) {
    case DType::f32:
      return real_binary<float>(op);
    case DType::f64:
      return real_binary<double>(op);
    case DType::f16:
    case DType::bf16:
      return half_binary(op, dtype == DType::bf16);
    case DType::i8:
      return integer_binary<int8_t>(op);
    case DType::u8:
      return integer_binary<uint8_t>(op);
    case DType::i16:
      return integer_binary<int16_t>(op);
    case DType::u16:
      return integer_binary<uint16_t>(op);
    case DType::i32:
      return integer_binary<int32_t>(op);
    case DType::u32:
      return integer_binary<uint32_t>(op);
    case DType::i64:
      return integer_binary<int64_t>(op);
    case DType::u64:
      return integer_binary<uint64_t>(op);
    case DType::c64:
    case DType::c128:
      return complex_binary(op, dtype);
    case DType::boolean:
      break;
  }
  return nullptr;
}

}  // namespace tern::cpu
