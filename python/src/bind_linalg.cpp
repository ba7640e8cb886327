// SPDX-License-Identifier: Apache-2.0
// Linear algebra; tern.linalg presents it.
#include "tern/linalg.h"

#include <cmath>

#include "keywords.h"
#include "module.h"
#include "number.h"
#include "tern/ops.h"
#include "tern/reductions.h"

namespace tern::python {
namespace {

nb::object named(const char* type, nb::tuple fields) {
  return nb::module_::import_("tern._results").attr(type)(*fields);
}

void unary(nb::module_& m, const char* name, Tensor (*op)(const Tensor&), const char* doc) {
  m.def(
      name, [op](const Tensor& x) { return without_gil([&] { return op(x); }); }, nb::arg(),
      nb::sig(signature(name, "x: Tensor, /").c_str()), doc);
}

void binary(nb::module_& m, const char* name, Tensor (*op)(const Tensor&, const Tensor&), const char* doc) {
  m.def(
      name, [op](const Tensor& x1, const Tensor& x2) { return without_gil([&] { return op(x1, x2); }); }, nb::arg(),
      nb::arg(), nb::sig(signature(name, "x1: Tensor, x2: Tensor, /").c_str()), doc);
}

// 'fro', 'nuc', or 1, -1, 2, -2, inf, -inf.
linalg::MatrixNorm norm_from(nb::handle ord) {
  if (nb::isinstance<nb::str>(ord)) return linalg::matrix_norm_from_name(nb::cast<std::string>(ord));
  const double number = scalar_from(ord, "matrix_norm").real();
  if (std::isinf(number)) return linalg::matrix_norm_from_name(number > 0 ? "inf" : "-inf");
  return linalg::matrix_norm_from_name(std::to_string(static_cast<int>(number)));
}

void bind_factorizations(nb::module_& m) {
  m.def(
      "cholesky", [](const Tensor& x, bool upper) { return without_gil([&] { return linalg::cholesky(x, upper); }); },
      nb::arg(), nb::kw_only(), nb::arg("upper") = false,
      nb::sig(signature("cholesky", "x: Tensor, /, *, upper: bool = False").c_str()),
      "l with x = l @ l.mT, or its transpose.");
  m.def(
      "qr",
      [](const Tensor& x, const std::string& mode) {
        if (mode != "reduced" && mode != "complete")
          throw Error("[qr] expected mode 'reduced' or 'complete', got '" + mode + "'");
        const linalg::Qr found = without_gil(
            [&] { return linalg::qr(x, mode == "complete" ? linalg::QrMode::complete : linalg::QrMode::reduced); });
        return named("QR", nb::make_tuple(found.q, found.r));
      },
      nb::arg(), nb::kw_only(), nb::arg("mode") = "reduced",
      nb::sig(signature("qr", "x: Tensor, /, *, mode: str = 'reduced'", "tuple[Tensor, Tensor]").c_str()),
      "Q with orthonormal columns and R upper triangular: x = Q @ R.");
  m.def(
      "svd",
      [](const Tensor& x, bool full_matrices) {
        const linalg::Svd found = without_gil([&] { return linalg::svd(x, full_matrices); });
        return named("SVD", nb::make_tuple(found.u, found.s, found.vh));
      },
      nb::arg(), nb::kw_only(), nb::arg("full_matrices") = true,
      nb::sig(signature("svd", "x: Tensor, /, *, full_matrices: bool = True", "tuple[Tensor, Tensor, Tensor]").c_str()),
      "U, S descending and Vh: x = U @ diag(S) @ Vh.");
  unary(m, "svdvals", &linalg::svdvals, "Singular values, descending.");
  m.def(
      "lu",
      [](const Tensor& x) {
        const linalg::Lu found = without_gil([&] { return linalg::lu(x); });
        return named("LU", nb::make_tuple(found.p, found.l, found.u));
      },
      nb::arg(), nb::sig(signature("lu", "x: Tensor, /", "tuple[Tensor, Tensor, Tensor]").c_str()),
      "P, L and U: x = P @ L @ U, by partial pivoting.");
  const auto eigen = [&](const char* name, linalg::Eigen (*op)(const Tensor&), const char* type, const char* doc) {
    m.def(
        name,
        [op, type](const Tensor& x) {
          const linalg::Eigen found = without_gil([&] { return op(x); });
          return named(type, nb::make_tuple(found.values, found.vectors));
        },
        nb::arg(), nb::sig(signature(name, "x: Tensor, /", "tuple[Tensor, Tensor]").c_str()), doc);
  };
  eigen("eigh", &linalg::eigh, "Eigh", "Eigenvalues, ascending, and eigenvectors of symmetric matrices.");
  eigen("eig", &linalg::eig, "Eig", "Complex eigenvalues and eigenvectors.");
  unary(m, "eigvalsh", &linalg::eigvalsh, "Eigenvalues of symmetric matrices, ascending.");
  unary(m, "eigvals", &linalg::eigvals, "Complex eigenvalues.");
}

void bind_equations(nb::module_& m) {
  binary(m, "solve", &linalg::solve, "x with x1 @ x = x2.");
  m.def(
      "solve_triangular",
      [](const Tensor& a, const Tensor& b, bool upper) {
        return without_gil([&] { return linalg::solve_triangular(a, b, upper); });
      },
      nb::arg(), nb::arg(), nb::kw_only(), nb::arg("upper") = false,
      nb::sig(signature("solve_triangular", "x1: Tensor, x2: Tensor, /, *, upper: bool = False").c_str()),
      "x with x1 @ x = x2, of x1's lower or upper triangle.");
  m.def(
      "lu_factor",
      [](const Tensor& x) {
        const linalg::LuFactors found = without_gil([&] { return linalg::lu_factor(x); });
        return named("LUFactors", nb::make_tuple(found.lu, found.pivots));
      },
      nb::arg(), nb::sig(signature("lu_factor", "x: Tensor, /", "tuple[Tensor, Tensor]").c_str()),
      "The factors of x in the form that lu_solve takes: L below U, and pivots.");
  m.def(
      "lu_solve",
      [](const std::pair<Tensor, Tensor>& factors, const Tensor& b) {
        return without_gil([&] { return linalg::lu_solve({factors.first, factors.second}, b); });
      },
      nb::arg(), nb::arg(), nb::sig(signature("lu_solve", "factors: tuple[Tensor, Tensor], x2: Tensor, /").c_str()),
      "solve() with what lu_factor found.");
  m.def(
      "lstsq",
      [](const Tensor& a, const Tensor& b, std::optional<double> rtol) {
        const linalg::LeastSquares found = without_gil([&] { return linalg::lstsq(a, b, rtol); });
        return named("LeastSquares",
                     nb::make_tuple(found.solution, found.residuals, found.rank, found.singular_values));
      },
      nb::arg(), nb::arg(), nb::kw_only(), optional_keyword("rtol"),
      nb::sig(signature("lstsq", "a: Tensor, b: Tensor, /, *, rtol: float | None = None",
                        "tuple[Tensor, Tensor, Tensor, Tensor]")
                  .c_str()),
      "The shortest x that minimizes |b - a @ x|, the residuals, the rank and the singular values.");
  unary(m, "inv", &linalg::inv, "The inverse.");
  const auto with_rtol = [&](const char* name, auto by_number, auto by_tensor, const char* doc) {
    m.def(
        name,
        [by_number, by_tensor](const Tensor& x, const std::optional<Operand>& rtol) {
          return without_gil([&] {
            if (rtol && rtol->tensor() != nullptr) return by_tensor(x, *rtol->tensor());
            return by_number(x, rtol ? std::optional(rtol->number().real()) : std::nullopt);
          });
        },
        nb::arg(), nb::kw_only(), optional_keyword("rtol"),
        nb::sig(signature(name, "x: Tensor, /, *, rtol: float | Tensor | None = None").c_str()), doc);
  };
  with_rtol(
      "pinv", [](const Tensor& x, std::optional<double> rtol) { return linalg::pinv(x, rtol); },
      [](const Tensor& x, const Tensor& rtol) { return linalg::pinv(x, rtol); }, "The Moore-Penrose inverse.");
  with_rtol(
      "matrix_rank", [](const Tensor& x, std::optional<double> rtol) { return linalg::matrix_rank(x, rtol); },
      [](const Tensor& x, const Tensor& rtol) { return linalg::matrix_rank(x, rtol); },
      "How many singular values are above rtol times the largest.");
}

void bind_numbers(nb::module_& m) {
  unary(m, "det", &linalg::det, "The determinant.");
  m.def(
      "slogdet",
      [](const Tensor& x) {
        const linalg::Slogdet found = without_gil([&] { return linalg::slogdet(x); });
        return named("Slogdet", nb::make_tuple(found.sign, found.logabsdet));
      },
      nb::arg(), nb::sig(signature("slogdet", "x: Tensor, /", "tuple[Tensor, Tensor]").c_str()),
      "The determinant's sign and the logarithm of its modulus.");
  m.def(
      "matrix_norm",
      [](const Tensor& x, bool keep, nb::handle ord) {
        const linalg::MatrixNorm norm = norm_from(ord);
        return without_gil([&] { return linalg::matrix_norm(x, norm, keep); });
      },
      nb::arg(), nb::kw_only(), nb::arg("keepdims") = false, nb::arg("ord") = "fro",
      nb::sig(signature("matrix_norm", "x: Tensor, /, *, keepdims: bool = False, ord: float | str = 'fro'").c_str()),
      "The norm of matrices: 'fro', 'nuc', 1, -1, 2, -2, inf or -inf.");
  m.def(
      "vector_norm",
      [](const Tensor& x, const std::optional<Axes>& axis, double ord, bool keep) {
        const std::vector<int> axes = axis ? axis->axes : std::vector<int>();
        return without_gil([&] { return linalg::vector_norm(x, ord, axes, keep); });
      },
      nb::arg(), nb::kw_only(), optional_keyword("axis"), nb::arg("ord") = 2.0, nb::arg("keepdims") = false,
      nb::sig(signature(
                  "vector_norm",
                  "x: Tensor, /, *, axis: int | tuple[int, ...] | None = None, ord: float = 2, keepdims: bool = False")
                  .c_str()),
      "The norm of vectors along axes, or of all elements.");
  m.def(
      "norm",
      [](const Tensor& x, std::optional<double> ord, const std::optional<Axes>& axis, bool keep) {
        const std::vector<int> axes = axis ? axis->axes : std::vector<int>();
        return without_gil([&] { return linalg::norm(x, ord, axes, keep); });
      },
      nb::arg(), nb::kw_only(), optional_keyword("ord"), optional_keyword("axis"), nb::arg("keepdims") = false,
      nb::sig(signature("norm",
                        "x: Tensor, /, *, ord: float | None = None, axis: int | tuple[int, ...] | None = None, "
                        "keepdims: bool = False")
                  .c_str()),
      "NumPy's norm: the 2-norm over axes, or of all elements; with ord, of vectors along one axis, of matrices in "
      "two.");
  m.def(
      "cond",
      [](const Tensor& x, nb::handle ord) {
        const linalg::MatrixNorm norm = ord.is_none() ? linalg::MatrixNorm::two : norm_from(ord);
        return without_gil([&] { return linalg::cond(x, norm); });
      },
      nb::arg(), nb::arg().none() = nb::none(),
      nb::sig(signature("cond", "x: Tensor, p: float | str | None = None, /").c_str()), "The condition number.");
  const auto diagonal = [&](const char* name, Tensor (*op)(const Tensor&, int64_t), const char* doc) {
    m.def(
        name, [op](const Tensor& x, int64_t offset) { return without_gil([&] { return op(x, offset); }); }, nb::arg(),
        nb::kw_only(), nb::arg("offset") = 0, nb::sig(signature(name, "x: Tensor, /, *, offset: int = 0").c_str()),
        doc);
  };
  diagonal("diagonal", &linalg::diagonal, "The diagonals of matrices, as a view.");
  m.def(
      "trace",
      [](const Tensor& x, int64_t offset, std::optional<DType> dtype) {
        return without_gil([&] {
          const int last = -1;
          return dtype ? sum(linalg::diagonal(x, offset), std::span(&last, 1), false, *dtype)
                       : linalg::trace(x, offset);
        });
      },
      nb::arg(), nb::kw_only(), nb::arg("offset") = 0, optional_keyword("dtype"),
      nb::sig(signature("trace", "x: Tensor, /, *, offset: int = 0, dtype: DType | None = None").c_str()),
      "The sum of the diagonal; without dtype, integers in 64 bits.");
}

void bind_functions(nb::module_& m) {
  binary(m, "kron", &linalg::kron, "The Kronecker product.");
  binary(m, "outer", &linalg::outer, "The products of two vectors' elements.");
  unary(m, "expm", &linalg::expm, "e to the power of a matrix.");
  m.def(
      "cross",
      [](const Tensor& a, const Tensor& b, int axis) { return without_gil([&] { return linalg::cross(a, b, axis); }); },
      nb::arg(), nb::arg(), nb::kw_only(), nb::arg("axis") = -1,
      nb::sig(signature("cross", "x1: Tensor, x2: Tensor, /, *, axis: int = -1").c_str()),
      "The product of vectors of three.");
  m.def(
      "matrix_power",
      [](const Tensor& x, int64_t n) { return without_gil([&] { return linalg::matrix_power(x, n); }); }, nb::arg(),
      nb::arg(), nb::sig(signature("matrix_power", "x: Tensor, n: int, /").c_str()), "x @ x @ ..., n times.");
}

}  // namespace

void bind_linalg(nb::module_& m) {
  binary(m, "matmul", &matmul, "The matrix product over the last two axes.");
  nb::module_ linalg = m.def_submodule("_linalg", "Linear algebra.");
  bind_factorizations(linalg);
  bind_equations(linalg);
  bind_numbers(linalg);
  bind_functions(linalg);
}

}  // namespace tern::python
