// SPDX-License-Identifier: Apache-2.0
// Matrices of complex long double on the host, and naive arithmetic with them: what the results of linalg are judged
// by.
#pragma once

#include <algorithm>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tern/tensor.h"

namespace tern::testing {

using Exact = std::complex<long double>;

class HostMatrix {
 public:
  HostMatrix(int64_t rows, int64_t columns)
      : rows_(rows), columns_(columns), values_(static_cast<size_t>(rows * columns)) {}

  static HostMatrix identity(int64_t n) {
    HostMatrix out(n, n);
    for (int64_t i = 0; i < n; ++i) out(i, i) = 1;
    return out;
  }

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  Exact& operator()(int64_t i, int64_t j) { return values_[static_cast<size_t>(i * columns_ + j)]; }
  const Exact& operator()(int64_t i, int64_t j) const { return values_[static_cast<size_t>(i * columns_ + j)]; }

  HostMatrix adjoint() const {
    HostMatrix out(columns_, rows_);
    for (int64_t i = 0; i < rows_; ++i) {
      for (int64_t j = 0; j < columns_; ++j) out(j, i) = std::conj((*this)(i, j));
    }
    return out;
  }

  // The largest sum of moduli of a column.
  double norm() const {
    long double largest = 0;
    for (int64_t j = 0; j < columns_; ++j) {
      long double sum = 0;
      for (int64_t i = 0; i < rows_; ++i) sum += std::abs((*this)(i, j));
      if (!(sum <= largest)) largest = sum;
    }
    return static_cast<double>(largest);
  }

 private:
  int64_t rows_, columns_;
  std::vector<Exact> values_;
};

inline HostMatrix operator*(const HostMatrix& a, const HostMatrix& b) {
  HostMatrix out(a.rows(), b.columns());
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t k = 0; k < a.columns(); ++k) {
      const Exact factor = a(i, k);
      if (factor == Exact(0)) continue;
      for (int64_t j = 0; j < b.columns(); ++j) {
        const Exact& with = b(k, j);
        out(i, j) += Exact(factor.real() * with.real() - factor.imag() * with.imag(),
                           factor.real() * with.imag() + factor.imag() * with.real());
      }
    }
  }
  return out;
}

inline HostMatrix operator-(const HostMatrix& a, const HostMatrix& b) {
  HostMatrix out(a.rows(), a.columns());
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = 0; j < a.columns(); ++j) out(i, j) = a(i, j) - b(i, j);
  }
  return out;
}

template <class T>
inline constexpr bool is_complex_number = !std::is_arithmetic_v<T>;

template <class T>
T number(const Exact& value) {
  if constexpr (is_complex_number<T>) {
    using R = typename T::value_type;
    return T(static_cast<R>(value.real()), static_cast<R>(value.imag()));
  } else {
    return static_cast<T>(value.real());
  }
}

// The matrix rounded to T.
template <class T>
Tensor to_tensor(const HostMatrix& a, const Device& device) {
  std::vector<T> values;
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = 0; j < a.columns(); ++j) values.push_back(number<T>(a(i, j)));
  }
  return Tensor::from(values, {a.rows(), a.columns()}, device);
}

// The matrix of that index of a tensor of T.
template <class T>
HostMatrix host_of(const Tensor& x, int64_t index = 0) {
  const int64_t rows = x.size(-2), columns = x.size(-1);
  const std::vector<T> values = x.to_vector<T>();
  HostMatrix out(rows, columns);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      const T value = values[static_cast<size_t>((index * rows + i) * columns + j)];
      if constexpr (is_complex_number<T>) {
        out(i, j) = Exact(static_cast<long double>(value.real()), static_cast<long double>(value.imag()));
      } else {
        out(i, j) = Exact(static_cast<long double>(value), 0);
      }
    }
  }
  return out;
}

// diag(values) of a tensor of T, rows × columns.
template <class T>
HostMatrix diagonal_of(const Tensor& values, int64_t rows, int64_t columns) {
  HostMatrix out(rows, columns);
  const std::vector<T> all = values.to_vector<T>();
  for (size_t i = 0; i < all.size(); ++i) {
    if constexpr (is_complex_number<T>) {
      out(static_cast<int64_t>(i), static_cast<int64_t>(i)) = Exact(all[i].real(), all[i].imag());
    } else {
      out(static_cast<int64_t>(i), static_cast<int64_t>(i)) = Exact(all[i], 0);
    }
  }
  return out;
}

}  // namespace tern::testing
