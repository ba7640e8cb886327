// SPDX-License-Identifier: Apache-2.0
// Matrices that linear algebra is judged on, all by formula.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "linalg/host_matrix.h"
#include "support/gradient_check.h"

namespace tern::testing {

struct MatrixCase {
  std::string name;
  HostMatrix values;
};

template <class F>
HostMatrix by_formula(int64_t rows, int64_t columns, F&& f) {
  HostMatrix out(rows, columns);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) out(i, j) = f(i, j);
  }
  return out;
}

// Uniform in [-1, 1), for `complex` in both parts.
inline HostMatrix random_matrix(int64_t rows, int64_t columns, uint64_t seed, bool complex) {
  gradient_check::Uniform uniform(seed);
  return by_formula(rows, columns, [&](int64_t, int64_t) {
    const double real = uniform();
    return Exact(real, complex ? uniform() : 0.0);
  });
}

// Σ_k of rank-one matrices.
inline HostMatrix of_rank(int64_t rows, int64_t columns, int64_t rank, uint64_t seed, bool complex) {
  return random_matrix(rows, rank, seed, complex) * random_matrix(rank, columns, seed + 1, complex);
}

inline HostMatrix hilbert(int64_t rows, int64_t columns) {
  return by_formula(rows, columns,
                    [](int64_t i, int64_t j) { return Exact(1.0L / static_cast<long double>(i + j + 1)); });
}

inline HostMatrix vandermonde(int64_t rows, int64_t columns) {
  return by_formula(rows, columns, [rows](int64_t i, int64_t j) {
    const long double node = (static_cast<long double>(i) + 1) / static_cast<long double>(rows);
    return Exact(std::pow(node, static_cast<long double>(j)));
  });
}

// Rows and columns of sizes from 1 down to 1e-12 (1e-6 where that would leave the range of f32).
inline HostMatrix graded(int64_t rows, int64_t columns, uint64_t seed, bool complex) {
  HostMatrix out = random_matrix(rows, columns, seed, complex);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      out(i, j) *= std::pow(10.0L, -6.0L * static_cast<long double>(i + j) / static_cast<long double>(rows + columns));
    }
  }
  return out;
}

// Matrices of known fame that are formulas: Wilkinson's W+ (pairs of eigenvalues that nearly agree), the second
// difference (a stiffness matrix), Kahan's (ranks that QR without pivoting does not see), Frank's (ill-conditioned
// eigenvalues), Pascal's (integers, determinant 1), a magic square, Grcar's (complex eigenvalues that are sensitive).
inline HostMatrix wilkinson(int64_t n) {
  return by_formula(n, n, [n](int64_t i, int64_t j) {
    if (i == j) return Exact(std::abs(static_cast<long double>(n - 1) / 2 - static_cast<long double>(i)));
    return Exact(std::abs(i - j) == 1 ? 1.0L : 0.0L);
  });
}
inline HostMatrix second_difference(int64_t n) {
  return by_formula(n, n, [](int64_t i, int64_t j) {
    return Exact(i == j ? 2.0L : std::abs(i - j) == 1 ? -1.0L : 0.0L);
  });
}
inline HostMatrix kahan(int64_t n) {
  const long double s = std::sin(1.2L), c = std::cos(1.2L);
  return by_formula(n, n, [=](int64_t i, int64_t j) {
    const long double scale = std::pow(s, static_cast<long double>(i));
    return Exact(i == j ? scale : i < j ? -c * scale : 0.0L);
  });
}
inline HostMatrix frank(int64_t n) {
  return by_formula(n, n, [n](int64_t i, int64_t j) {
    return Exact(j >= i - 1 ? static_cast<long double>(n - std::max(i, j)) : 0.0L);
  });
}
inline HostMatrix pascal(int64_t n) {
  HostMatrix out = by_formula(n, n, [](int64_t, int64_t) { return Exact(1); });
  for (int64_t i = 1; i < n; ++i) {
    for (int64_t j = 1; j < n; ++j) out(i, j) = out(i - 1, j) + out(i, j - 1);
  }
  return out;
}
// Of odd order, by the Siamese method.
inline HostMatrix magic_square(int64_t n) {
  return by_formula(n, n, [n](int64_t i, int64_t j) {
    return Exact(static_cast<long double>(n * ((i + j + 1 + n / 2) % n) + (i + 2 * j + 2) % n + 1));
  });
}
inline HostMatrix grcar(int64_t n) {
  return by_formula(n, n, [](int64_t i, int64_t j) {
    return Exact(j == i - 1 ? -1.0L : j >= i && j <= i + 3 ? 1.0L : 0.0L);
  });
}

// Of every kind and shape: what any matrix may be.
inline std::vector<MatrixCase> any_matrices(bool complex) {
  return {{"random 1x1", random_matrix(1, 1, 1, complex)},
          {"random 7x7", random_matrix(7, 7, 2, complex)},
          {"random 65x65", random_matrix(65, 65, 3, complex)},
          {"tall 67x13", random_matrix(67, 13, 4, complex)},
          {"wide 13x67", random_matrix(13, 67, 5, complex)},
          {"row 1x31", random_matrix(1, 31, 6, complex)},
          {"column 31x1", random_matrix(31, 1, 7, complex)},
          {"rank 5 of 40x30", of_rank(40, 30, 5, 8, complex)},
          {"rank 3 of 20x20", of_rank(20, 20, 3, 10, complex)},
          {"zero 9x6", HostMatrix(9, 6)},
          {"hilbert 12x12", hilbert(12, 12)},
          {"vandermonde 20x12", vandermonde(20, 12)},
          {"graded 30x30", graded(30, 30, 12, complex)},
          {"graded 40x17", graded(40, 17, 13, complex)},
          {"kahan 30x30", kahan(30)},
          {"magic 21x21", magic_square(21)},
          {"pascal 10x10", pascal(10)}};
}

// Square ones far from singular in every precision.
inline std::vector<MatrixCase> regular_matrices(bool complex) {
  return {{"random 1x1", random_matrix(1, 1, 1, complex)},
          {"random 7x7", random_matrix(7, 7, 2, complex)},
          {"random 65x65", random_matrix(65, 65, 3, complex)},
          {"hilbert 4x4", hilbert(4, 4)},
          {"vandermonde 5x5", vandermonde(5, 5)},
          {"graded 12x12", graded(12, 12, 14, complex)},
          {"second difference 40x40", second_difference(40)},
          {"frank 6x6", frank(6)},
          {"pascal 6x6", pascal(6)},
          {"magic 21x21", magic_square(21)},
          {"wilkinson 21x21", wilkinson(21)}};
}

inline HostMatrix hermitian_part(HostMatrix x) {
  const HostMatrix other = x.adjoint();
  return by_formula(x.rows(), x.columns(), [&](int64_t i, int64_t j) { return (x(i, j) + other(i, j)) / 2.0L; });
}

inline std::vector<MatrixCase> hermitian_matrices(bool complex) {
  return {{"random 1x1", hermitian_part(random_matrix(1, 1, 1, complex))},
          {"random 7x7", hermitian_part(random_matrix(7, 7, 2, complex))},
          {"random 65x65", hermitian_part(random_matrix(65, 65, 3, complex))},
          {"rank 4 of 30x30", hermitian_part(of_rank(30, 30, 2, 4, complex))},
          {"zero 6x6", HostMatrix(6, 6)},
          {"hilbert 12x12", hilbert(12, 12)},
          {"wilkinson 21x21", wilkinson(21)},
          {"second difference 40x40", second_difference(40)},
          {"graded 30x30", hermitian_part(graded(30, 30, 12, complex))},
          {"pascal 10x10", pascal(10)}};
}

inline std::vector<MatrixCase> positive_matrices(bool complex) {
  const auto gram = [&](int64_t n, uint64_t seed) {
    const HostMatrix x = random_matrix(n, n + 3, seed, complex);
    return hermitian_part(x * x.adjoint());
  };
  return {{"gram 1x1", gram(1, 1)},    {"gram 7x7", gram(7, 2)},
          {"gram 65x65", gram(65, 3)}, {"hilbert 4x4", hilbert(4, 4)},
          {"pascal 6x6", pascal(6)},   {"second difference 40x40", second_difference(40)}};
}

}  // namespace tern::testing
