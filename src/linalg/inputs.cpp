// SPDX-License-Identifier: Apache-2.0
#include "linalg/inputs.h"

#include <cmath>
#include <complex>
#include <limits>
#include <string>

#include "linalg/matrices.h"
#include "linalg/on_device.h"

namespace tern::linalg {
namespace {

constexpr int64_t kMostExtent = std::numeric_limits<Integer>::max() / 4;

// Zero times a finite number is zero, times any other NaN. Sixteen sums, so that they need not wait for each other.
template <class R>
bool all_finite(const R* values, int64_t count) {
  constexpr int64_t kLanes = 16;
  R sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += values[i + lane] * R{0};
  }
  for (; i < count; ++i) sums[0] += values[i] * R{0};
  R sum = 0;
  for (const R lane : sums) sum += lane;
  return sum == R{0};
}

}  // namespace

DType computed_dtype(DType dtype) { return dtype == DType::f64 || is_complex(dtype) ? dtype : DType::f32; }

bool is_double(DType dtype) { return dtype == DType::f64 || dtype == DType::c128; }

DType computed_dtype(DType a, DType b) {
  const bool wide = is_double(a) || is_double(b);
  if (is_complex(a) || is_complex(b)) return wide ? DType::c128 : DType::c64;
  return wide ? DType::f64 : DType::f32;
}

DType real_dtype(DType dtype) { return is_double(dtype) ? DType::f64 : DType::f32; }

Tensor promoted(const Tensor& x) { return cast(x, computed_dtype(x.dtype())); }

void check_device(const char* op, const Input& x) {
  check(x.tensor.device().name() == "cpu" || on_device::holds(x.tensor), op,
        "expected {} on a device with factorizations, as a CPU is, got it on {}", x.name, x.tensor.device().name());
}

void check_vectors(const char* op, const Input& x) {
  check_inputs(op, {x});
  check_rank_at_least(op, x, 1);
  check_device(op, x);
}

void check_matrices(const char* op, const Input& x) {
  check_inputs(op, {x});
  check_rank_at_least(op, x, 2);
  check_device(op, x);
  const Shape& shape = x.tensor.shape();
  check(shape.back() <= kMostExtent && shape.back(1) <= kMostExtent, op,
        "expected {} to have matrices of at most {} rows and columns, got shape {}", x.name, kMostExtent, shape);
}

void check_square(const char* op, const Input& x) {
  check_matrices(op, x);
  check(x.tensor.shape().back() == x.tensor.shape().back(1), op, "expected {} to have square matrices, got shape {}",
        x.name, x.tensor.shape());
}

void fail_numerically(const char* op, const char* expected, const Input& x, int64_t index, const std::string& got) {
  throw LinalgError(fmt::format("[{}] expected {}, but {} of {} {}", op, expected,
                                name_of_matrix(leading(x.tensor.shape(), 2), index), x.name, got));
}

template <class T>
void check_finite(const char* op, const Input& x, const T* values, int64_t count, int64_t index) {
  const auto* const numbers = reinterpret_cast<const Real<T>*>(values);
  if (all_finite(numbers, count * static_cast<int64_t>(sizeof(T) / sizeof(Real<T>)))) return;
  fail_not_finite(op, x, index);
}

void fail_not_finite(const char* op, const Input& x, int64_t index) {
  fail_numerically(op, "finite numbers", x, index, "has a NaN or an infinity");
}

template void check_finite(const char*, const Input&, const float*, int64_t, int64_t);
template void check_finite(const char*, const Input&, const double*, int64_t, int64_t);
template void check_finite(const char*, const Input&, const std::complex<float>*, int64_t, int64_t);
template void check_finite(const char*, const Input&, const std::complex<double>*, int64_t, int64_t);

}  // namespace tern::linalg
