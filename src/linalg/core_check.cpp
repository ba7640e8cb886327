// SPDX-License-Identifier: Apache-2.0
#include "linalg/core_check.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace tern::linalg {
namespace {

// Extents that leave remainders in blocks of 4, 8 and 16 and span several of them.
constexpr int kRows = 67, kColumns = 45, kInner = 83, kOrder = 131;

// Small integers from a linear congruential generator.
template <class T>
std::vector<T> small_integers(int count, uint32_t seed) {
  std::vector<T> out(static_cast<size_t>(count));
  const auto next = [&] {
    seed = seed * 1664525u + 1013904223u;
    return static_cast<Real<T>>(static_cast<int>(seed >> 28) - 8);
  };
  for (T& value : out) {
    if constexpr (is_complex_type<T>) {
      const Real<T> real = next();
      value = T(real, next());
    } else {
      value = next();
    }
  }
  return out;
}

// Element (i, k) of a matrix or of its transpose.
template <class T>
T element(const std::vector<T>& a, int rows, int i, int k) {
  return a[static_cast<size_t>(i + k * rows)];
}

template <class T>
bool multiplies(const Lapack<T>& lapack) {
  const std::vector<T> a = small_integers<T>(kRows * kInner, 1), b = small_integers<T>(kInner * kColumns, 2);
  const T one = 1, zero = 0;
  for (const bool transposed : {false, true}) {
    std::vector<T> c(static_cast<size_t>(kRows * kColumns));
    lapack.gemm(transposed ? "T" : "N", transposed ? "T" : "N", &kRows, &kColumns, &kInner, &one, a.data(),
                transposed ? &kInner : &kRows, b.data(), transposed ? &kColumns : &kInner, &zero, c.data(), &kRows, 1,
                1);
    for (int i = 0; i < kRows; ++i) {
      for (int j = 0; j < kColumns; ++j) {
        T sum = 0;
        for (int k = 0; k < kInner; ++k) {
          sum += transposed ? element(a, kInner, k, i) * element(b, kColumns, j, k)
                            : element(a, kRows, i, k) * element(b, kInner, k, j);
        }
        if (element(c, kRows, i, j) != sum) return false;
      }
    }
  }
  return true;
}

// Solves A x = b for a dominant diagonal, so that x is known to a few ulps: |x - 1| <= 30 eps would hold for cond(A) <
// 10 alone, 1000 eps leaves room for growth.
template <class T>
bool factors(const Lapack<T>& lapack) {
  std::vector<T> a = small_integers<T>(kOrder * kOrder, 3), b(static_cast<size_t>(kOrder));
  for (int i = 0; i < kOrder; ++i) a[static_cast<size_t>(i + i * kOrder)] += T(16 * kOrder);
  for (int j = 0; j < kOrder; ++j) {
    for (int i = 0; i < kOrder; ++i) b[static_cast<size_t>(i)] += element(a, kOrder, i, j);
  }
  std::vector<Integer> pivots(static_cast<size_t>(kOrder));
  const Integer columns = 1;
  Integer info = 0;
  lapack.getrf(&kOrder, &kOrder, a.data(), &kOrder, pivots.data(), &info);
  if (info != 0) return false;
  lapack.getrs("N", &kOrder, &columns, a.data(), &kOrder, pivots.data(), b.data(), &kOrder, &info, 1);
  for (const T& x : b) {
    if (!(std::abs(x - T(1)) <= 1000 * std::numeric_limits<Real<T>>::epsilon())) return false;
  }
  return true;
}

template <class T>
bool correct(const Lapack<T>& lapack) {
  return multiplies(lapack) && factors(lapack);
}

}  // namespace

bool computes_correctly(const BlasLibrary& library) {
  return correct(library.f32) && correct(library.f64) && correct(library.c64) && correct(library.c128);
}

}  // namespace tern::linalg
