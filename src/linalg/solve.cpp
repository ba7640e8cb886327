// SPDX-License-Identifier: Apache-2.0
// Equations, inverses and determinants by LU.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "linalg/inputs.h"
#include "linalg/inverse.h"
#include "linalg/masks.h"
#include "linalg/matrices.h"
#include "linalg/on_device.h"
#include "linalg/routines.h"
#include "linalg/scaled_product.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gradients.h"
#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern::linalg {
namespace {

double cube(int64_t n) { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

// Factors in place the square matrices of `work`, which are those of x or their transposes; pivots has n for each.
template <class T>
void factor_all(const char* op, const Tensor& x, const Tensor& work, Integer* pivots) {
  const Matrices of(work.shape());
  for_matrices(x.device(), of.count, cube(of.rows) / 3, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* const a = work.data<T>() + i * of.size();
      check_finite(op, {"a", x}, a, of.size(), i);
      const Integer zero = factor_lu(of.rows, of.rows, a, pivots + i * of.rows);
      if (zero != 0) {
        fail_numerically(op, "invertible matrices", {"a", x}, i, fmt::format("is singular: its pivot {} is 0", zero));
      }
    }
  });
}

// The right-hand sides b, broadcast to `batch`, in column-major order, solved by what `solve_one(matrix of a, of b)`
// does to the columns; then in row-major order.
template <class T, class SolveOne>
Tensor solve_all(const Tensor& b, DType dtype, const Shape& a_batch, const Shape& batch, const SolveOne& solve_one) {
  const int64_t n = b.size(-2), columns = b.size(-1);
  const Tensor x = column_major(expand(b.detach(), with_axes(batch, {n, columns})), dtype);
  const std::vector<int64_t> matrix_of = broadcast_indices(a_batch, batch);
  const double work = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(columns);
  for_matrices(b.device(), batch.numel(), work, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* const right = x.data<T>() + i * n * columns;
      check_finite("solve", {"b", b}, right, n * columns, i);
      solve_one(matrix_of[static_cast<size_t>(i)], right);
    }
  });
  return columns == 1 ? x.as_strided(with_axes(batch, {n, 1}), contiguous_strides(with_axes(batch, {n, 1})), 0)
                      : from_column_major(x);
}

void check_right_sides(const char* op, const Tensor& a, const Tensor& b) {
  check_square(op, {"a", a});
  check_vectors(op, {"b", b});
  check(a.device() == b.device(), op, "expected a and b on one device, got two");
  const int64_t rows = b.rank() == 1 ? b.size(0) : b.size(-2);
  check(rows == a.size(-1), op, "expected b to have {} rows, as a of shape {} has, got shape {}", a.size(-1), a.shape(),
        b.shape());
}

Shape broadcast_batch(const char* op, const Tensor& a, const Tensor& b) {
  return broadcast_shapes(op, leading(a.shape(), 2), leading(b.shape(), 2));
}

// a·x = b  ⇒  db = a⁻ᵀ·dx and da = -db·xᵀ (Giles 2008, "Collected matrix derivative results for forward and reverse
// mode algorithmic differentiation", 2.3.1).
template <class Solve>
void record_solution(const char* op, const Tensor& a, const Tensor& b, const Tensor& x, Solve solve_transposed) {
  if (!needs_grad(a, b)) return;
  record(x, op, {a, b},
         [a = saved(a), x = saved(x), a_shape = a.shape(), b_shape = b.shape(), solve_transposed,
          for_a = a.requires_grad(), for_b = b.requires_grad()](const Tensor& dx) {
           const Tensor db = solve_transposed(transpose(a), dx);
           return Gradients{for_a ? sum_to(neg(tern::matmul(db, transpose(x))), a_shape) : Tensor(),
                            for_b ? sum_to(db, b_shape) : Tensor()};
         });
}

Tensor solved_by_lapack(const Tensor& a, const Tensor& b, const Shape& batch) {
  // Row-major a is aᵀ to LAPACK, so its factors solve a·x = b when they are asked for the transposed system.
  const Tensor lu = row_major(a, a.dtype());
  return for_element_type(a.dtype(), [&]<class T>() {
    const Matrices of(a.shape());
    std::vector<Integer> pivots(static_cast<size_t>(of.count * of.rows));
    factor_all<T>("solve", a, lu, pivots.data());
    const auto columns = static_cast<Integer>(b.size(-1));
    return solve_all<T>(b, a.dtype(), of.batch, batch, [&](int64_t i, T* right) {
      solve_factored('T', of.rows, columns, lu.data<T>() + i * of.size(), pivots.data() + i * of.rows, right);
    });
  });
}

Tensor solve_matrices(const Tensor& a, const Tensor& b) {
  const Shape batch = broadcast_batch("solve", a, b);
  const Tensor x =
      on_device::holds(a) ? on_device::solve(a.detach(), b.detach(), batch) : solved_by_lapack(a, b, batch);
  record_solution("solve", a, b, x, [](const Tensor& at, const Tensor& dx) { return solve(at, dx); });
  return x;
}

void check_diagonal(const Tensor& a) {
  for_element_type(a.dtype(), [&]<class T>() {
    const std::vector<T> elements = dense(diagonal(a.detach())).to_vector<T>();
    const auto zero = std::ranges::find(elements, T(0));
    if (zero == elements.end()) return;
    const int64_t at = zero - elements.begin(), n = a.size(-1);
    fail_numerically("solve_triangular", "invertible matrices", {"a", a}, at / n,
                     fmt::format("is singular: element {} of its diagonal is 0", at % n));
  });
}

Tensor triangular_by_lapack(const Tensor& a, const Tensor& b, const Shape& batch, bool upper) {
  const Tensor rows = row_major(a, a.dtype());
  return for_element_type(a.dtype(), [&]<class T>() {
    const Matrices of(a.shape());
    const auto columns = static_cast<Integer>(b.size(-1));
    return solve_all<T>(b, a.dtype(), of.batch, batch, [&](int64_t i, T* right) {
      solve_triangle(upper ? 'L' : 'U', 'T', of.rows, columns, rows.data<T>() + i * of.size(), right);
    });
  });
}

Tensor triangular_matrices(const Tensor& a, const Tensor& b, bool upper) {
  const Shape batch = broadcast_batch("solve_triangular", a, b);
  check_diagonal(a);
  const Tensor x = on_device::holds(a) ? on_device::solve_triangular(a.detach(), b.detach(), batch, upper)
                                       : triangular_by_lapack(a, b, batch, upper);
  if (needs_grad(a, b)) {
    // As of solve, and what is not read has no gradient.
    record(x, "solve_triangular", {a, b},
           [a = saved(a), x = saved(x), b_shape = b.shape(), for_a = a.requires_grad(), for_b = b.requires_grad(),
            upper](const Tensor& dx) {
             const Tensor db = solve_triangular(transpose(a), dx, !upper);
             const Tensor mask = lower_mask(a.size(-1), 1.0f, a.device());
             const Tensor da = for_a ? sum_to(neg(tern::matmul(db, transpose(x))), a.shape()) : Tensor();
             return Gradients{for_a ? mul(da, upper ? transpose(mask) : mask) : Tensor(),
                              for_b ? sum_to(db, b_shape) : Tensor()};
           });
  }
  return x;
}

// f of matrices, for b a vector or matrices.
template <class F>
Tensor for_right_sides(const Tensor& a, const Tensor& b, F&& f) {
  const DType dtype = computed_dtype(a.dtype(), b.dtype());
  const Tensor left = cast(a, dtype), right = cast(b, dtype);
  if (b.rank() > 1) return f(left, right);
  return squeeze(f(left, unsqueeze(right, -1)), -1);
}

// The determinant from LU factors: the product of the pivots, which are `step` elements apart, negated by each exchange
// of rows.
template <class T, class Row>
ScaledProduct<T> product_of_pivots(const T* diagonal, int64_t step, const Row* pivots, int64_t n) {
  ScaledProduct<T> out;
  for (int64_t i = 0; i < n; ++i) {
    out.multiply(diagonal[i * step]);
    if (pivots[i] != i + 1) out.negate();
  }
  return out;
}

template <class T, class Take>
void determinants_on_device(const char* op, const Tensor& x, const Take& take) {
  const on_device::Pivots<T> pivots = on_device::pivots_of<T>(op, x.detach());
  const int64_t n = x.size(-1);
  for (int64_t i = 0; i < leading(x.shape(), 2).numel(); ++i) {
    take(i, product_of_pivots(pivots.diagonal.data() + i * n, 1, pivots.rows.data() + i * n, n));
  }
}

// Calls take(index, product of the pivots) for each matrix.
template <class T, class Take>
void determinants(const char* op, const Tensor& x, const Take& take) {
  if (on_device::holds(x)) return determinants_on_device<T>(op, x, take);
  const Tensor work = row_major(x, x.dtype());  // its transpose has the same determinant
  const Matrices of(x.shape());
  for_matrices(x.device(), of.count, cube(of.rows) / 3, [&](int64_t begin, int64_t end) {
    std::vector<Integer> pivots(static_cast<size_t>(of.rows));
    for (int64_t i = begin; i < end; ++i) {
      T* const a = work.data<T>() + i * of.size();
      check_finite(op, {"x", x}, a, of.size(), i);
      factor_lu(of.rows, of.rows, a, pivots.data());
      take(i, product_of_pivots(a, of.rows + 1, pivots.data(), of.rows));
    }
  });
}

// The gradient of the determinant is the transposed adjugate. With x = u·diag(s)·vh it is, of singular matrices, too,
// det(u·vh)·u·diag(Π_{j≠i} s_j)·vh; where x has an inverse this is det(x)·x⁻ᵀ (Giles 2008, 2.2.4).
Tensor transposed_adjugate(const Tensor& x) {
  const Svd factors = svd(x, false);
  const int64_t n = x.size(-1), count = leading(x.shape(), 2).numel();
  const Tensor orientation = det(tern::matmul(factors.u, factors.vh));
  const std::vector<float> values = factors.s.to_vector<float>(), orientations = orientation.to_vector<float>();
  std::vector<float> weights;
  for (int64_t i = 0; i < count; ++i) {
    const float* const s = values.data() + i * n;
    const float sign = orientations[static_cast<size_t>(i)] < 0 ? -1.0f : 1.0f;
    for (int64_t j = 0; j < n; ++j) {
      ScaledProduct<float> others;
      for (int64_t k = 0; k < n; ++k) {
        if (k != j) others.multiply(s[k]);
      }
      weights.push_back(sign * others.value());
    }
  }
  const Tensor weight = Tensor::from(weights, factors.s.shape(), x.device());
  return tern::matmul(mul(factors.u, unsqueeze(weight, -2)), factors.vh);
}

// The inverses of x; where there is none, on_singular(index, number of the pivot that is 0).
template <class OnSingular>
Tensor inverses(const char* op, const Tensor& x, const OnSingular& on_singular) {
  const Matrices of(x.shape());
  // The inverse of the transpose is the transpose of the inverse: row-major in, row-major out.
  const Tensor y = row_major(x, x.dtype());
  for_element_type(x.dtype(), [&]<class T>() {
    for_matrices(x.device(), of.count, cube(of.rows), [&](int64_t begin, int64_t end) {
      InverseFromLu<T> inverse(of.rows);
      std::vector<Integer> pivots(static_cast<size_t>(of.rows));
      for (int64_t i = begin; i < end; ++i) {
        T* const a = y.data<T>() + i * of.size();
        check_finite(op, {"x", x}, a, of.size(), i);
        const Integer zero = factor_lu(of.rows, of.rows, a, pivots.data());
        if (zero != 0) {
          on_singular(i, zero);
        } else {
          inverse(a, pivots.data());
        }
      }
    });
  });
  return y;
}

// dy [...] in the shape [..., 1, 1].
Tensor per_matrix(const Tensor& dy) { return unsqueeze(unsqueeze(dy, -1), -1); }

}  // namespace

LuFactors lu_factor(const Tensor& x) {
  check_square("lu_factor", {"x", x});
  const DType dtype = computed_dtype(x.dtype());
  if (on_device::holds(x)) return on_device::lu_factor(cast(x.detach(), dtype));
  const Tensor work = column_major(x, dtype);
  const Tensor pivots = Tensor::empty(leading(work.shape(), 1), DType::i32, x.device());
  for_element_type(dtype, [&]<class T>() { factor_all<T>("lu_factor", x, work, pivots.data<int32_t>()); });
  int32_t* const from_one = pivots.data<int32_t>();
  for (int64_t i = 0; i < pivots.numel(); ++i) --from_one[i];
  return {from_column_major(work), pivots};
}

Tensor lu_solve(const LuFactors& factors, const Tensor& b) {
  check_right_sides("lu_solve", factors.lu, b);
  check_inputs("lu_solve", DType::i32, {{"pivots", factors.pivots}});
  check_shape("lu_solve", {"pivots", factors.pivots}, leading(factors.lu.shape(), 1));
  return for_right_sides(factors.lu, b, [&](const Tensor& lu, const Tensor& right) {
    std::vector<int32_t> pivots = factors.pivots.to_vector<int32_t>();
    const auto n = static_cast<int32_t>(lu.size(-1));
    for (int32_t& pivot : pivots) {
      check(pivot >= 0 && pivot < n, "lu_solve", "expected pivots in [0, {}), got {}", n, pivot);
      ++pivot;
    }
    const Shape batch = broadcast_batch("lu_solve", lu, right);
    if (on_device::holds(lu)) return on_device::lu_solve(lu.detach(), pivots, right.detach(), batch);
    const Tensor work = column_major(lu, lu.dtype());
    return for_element_type(lu.dtype(), [&]<class T>() {
      const auto columns = static_cast<Integer>(right.size(-1));
      return solve_all<T>(right, lu.dtype(), leading(lu.shape(), 2), batch, [&](int64_t i, T* x) {
        solve_factored('N', n, columns, work.data<T>() + i * n * n, pivots.data() + i * n, x);
      });
    });
  });
}

Tensor solve(const Tensor& a, const Tensor& b) {
  check_right_sides("solve", a, b);
  return for_right_sides(a, b, [](const Tensor& left, const Tensor& right) { return solve_matrices(left, right); });
}

Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper) {
  check_right_sides("solve_triangular", a, b);
  return for_right_sides(
      a, b, [&](const Tensor& left, const Tensor& right) { return triangular_matrices(left, right, upper); });
}

Tensor inv(const Tensor& given) {
  check_square("inv", {"x", given});
  const Tensor x = promoted(given);
  const Tensor y = on_device::holds(x) ? on_device::inverses("inv", x.detach(), false)
                                       : inverses("inv", x, [&](int64_t index, Integer pivot) {
                                           fail_numerically("inv", "invertible matrices", {"x", x}, index,
                                                            fmt::format("is singular: its pivot {} is 0", pivot));
                                         });
  if (needs_grad(x)) {
    // dx = -yᵀ·dy·yᵀ (Giles 2008, 2.2.3).
    record(y, "inv", {x}, [y = saved(y)](const Tensor& dy) {
      return Gradients{neg(tern::matmul(transpose(y), tern::matmul(dy, transpose(y))))};
    });
  }
  return y;
}

Tensor inverse_or_infinity(const char* op, const Tensor& x) {
  if (on_device::holds(x)) return on_device::inverses(op, x.detach(), true);
  std::vector<char> singular(static_cast<size_t>(leading(x.shape(), 2).numel()));
  const Tensor y = inverses(op, x, [&](int64_t index, Integer) { singular[static_cast<size_t>(index)] = 1; });
  const Matrices of(x.shape());
  for_element_type(x.dtype(), [&]<class T>() {
    for (int64_t i = 0; i < of.count; ++i) {
      if (singular[static_cast<size_t>(i)] == 0) continue;
      std::fill_n(y.data<T>() + i * of.size(), of.size(), T(std::numeric_limits<Real<T>>::infinity()));
    }
  });
  return y;
}

Tensor det(const Tensor& given) {
  check_square("det", {"x", given});
  const Tensor x = promoted(given);
  const Shape batch = leading(x.shape(), 2);
  const Tensor out = for_element_type(x.dtype(), [&]<class T>() {
    std::vector<T> values(static_cast<size_t>(batch.numel()));
    determinants<T>("det", x, [&](int64_t i, const ScaledProduct<T>& product) {
      values[static_cast<size_t>(i)] = product.value();
    });
    return Tensor::from(values, batch, x.device());
  });
  if (needs_grad(x)) {
    record(out, "det", {x},
           [x = saved(x)](const Tensor& dy) { return Gradients{mul(per_matrix(dy), transposed_adjugate(x))}; });
  }
  return out;
}

Slogdet slogdet(const Tensor& given) {
  check_square("slogdet", {"x", given});
  const Tensor x = promoted(given);
  const Shape batch = leading(x.shape(), 2);
  const Slogdet out = for_element_type(x.dtype(), [&]<class T>() {
    std::vector<T> signs(static_cast<size_t>(batch.numel()));
    std::vector<Real<T>> logarithms(signs.size());
    determinants<T>("slogdet", x, [&](int64_t i, const ScaledProduct<T>& product) {
      signs[static_cast<size_t>(i)] = product.sign();
      logarithms[static_cast<size_t>(i)] = product.log_modulus();
    });
    return Slogdet{Tensor::from(signs, batch, x.device()), Tensor::from(logarithms, batch, x.device())};
  });
  if (needs_grad(x)) {
    // d log|det x| = x⁻ᵀ (Giles 2008, 2.2.4, divided by the determinant).
    record(out.logabsdet, "slogdet", {x},
           [x = saved(x)](const Tensor& dy) { return Gradients{mul(per_matrix(dy), transpose(inv(x)))}; });
  }
  return out;
}

}  // namespace tern::linalg
