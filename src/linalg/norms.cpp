// SPDX-License-Identifier: Apache-2.0
// Norms of vectors and matrices.
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <limits>
#include <optional>
#include <vector>

#include "linalg/inputs.h"
#include "linalg/matrices.h"
#include "linalg/on_device.h"
#include "ops/copy.h"
#include "ops/gradients.h"
#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern::linalg {
namespace {

// Elements that one thread takes in of a long vector; the parts' results are combined in order, whatever the threads.
constexpr int64_t kChunk = 1 << 16;
// Sums that need not wait for each other; added at the end of a chunk, in order.
constexpr int64_t kLanes = 8;

enum class Kind { count, one, two, largest, least, power };

Kind kind_of(double ord) {
  if (ord == 0) return Kind::count;
  if (ord == 1) return Kind::one;
  if (ord == 2) return Kind::two;
  if (std::isinf(ord)) return ord > 0 ? Kind::largest : Kind::least;
  return Kind::power;
}

double modulus(float x) { return std::abs(static_cast<double>(x)); }
double modulus(double x) { return std::abs(x); }
double modulus(std::complex<double> x) { return std::abs(x); }
// Squares of f32 are far inside the range of double.
double modulus(std::complex<float> x) {
  const double re = static_cast<double>(x.real()), im = static_cast<double>(x.imag());
  return std::sqrt(re * re + im * im);
}

// The larger, the lesser; NaN where either is.
double larger(double a, double b) { return a > b || std::isnan(a) ? a : b; }
double lesser(double a, double b) { return a < b || std::isnan(a) ? a : b; }

// Σ term(x) over a chunk.
template <class T, class Term>
double sum_of(const T* x, int64_t count, const Term& term) {
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += term(x[i + lane]);
  }
  for (int64_t lane = 0; i < count; ++i, ++lane) sums[lane] += term(x[i]);
  double sum = 0;
  for (const double lane : sums) sum += lane;
  return sum;
}

template <class T, class Choose>
double extreme_of(const T* x, int64_t count, double start, const Choose& choose) {
  double out = start;
  for (int64_t i = 0; i < count; ++i) out = choose(modulus(x[i]), out);
  return out;
}

// What a chunk gives, every modulus divided by `unit`.
template <class T>
double partial(Kind kind, double ord, double unit, const T* x, int64_t count) {
  switch (kind) {
    case Kind::count:
      return sum_of(x, count, [](const T& value) { return value != T(0) ? 1.0 : 0.0; });
    case Kind::one:
      return sum_of(x, count, [=](const T& value) { return modulus(value) / unit; });
    case Kind::two:
      return sum_of(x, count, [=](const T& value) {
        const double scaled = modulus(value) / unit;
        return scaled * scaled;
      });
    case Kind::largest:
      return extreme_of(x, count, 0, larger);
    case Kind::least:
      return extreme_of(x, count, std::numeric_limits<double>::infinity(), lesser);
    case Kind::power:
      break;
  }
  return sum_of(x, count, [=](const T& value) { return std::pow(modulus(value) / unit, ord); });
}

double combined(Kind kind, double a, double b) {
  return kind == Kind::largest ? larger(b, a) : kind == Kind::least ? lesser(b, a) : a + b;
}

template <class T>
double fold(Kind kind, double ord, double unit, const T* x, int64_t count) {
  double out = partial(kind, ord, unit, x, std::min(count, kChunk));
  for (int64_t at = kChunk; at < count; at += kChunk) {
    out = combined(kind, out, partial(kind, ord, unit, x + at, std::min(count - at, kChunk)));
  }
  return out;
}

double root(Kind kind, double ord, double sum) {
  return kind == Kind::two ? std::sqrt(sum) : kind == Kind::power ? std::pow(sum, 1 / ord) : sum;
}

// The norm, given what its chunks gave together. Where powers may have left the range of double it is taken again, of
// the vector divided by its largest (for negative powers its least) modulus.
template <class T>
double norm_of(Kind kind, double ord, double sum, const T* x, int64_t count) {
  const bool sums_powers = kind == Kind::one || kind == Kind::two || kind == Kind::power;
  constexpr double kSmall = 1e-280, kLarge = 1e300;
  if (!sums_powers || (sum > kSmall && sum < kLarge) || std::isnan(sum)) return root(kind, ord, sum);
  const double unit = fold(ord > 0 ? Kind::largest : Kind::least, ord, 1, x, count);
  if (count == 0 || unit == 0 || std::isinf(unit) || std::isnan(unit)) return root(kind, ord, sum);
  return unit * root(kind, ord, fold(kind, ord, unit, x, count));
}

// Norms of the rows of a contiguous [rows, count] of type T.
template <class T>
void norms_of_rows(const Tensor& x, double ord, const Tensor& out) {
  const Kind kind = kind_of(ord);
  const int64_t rows = x.size(0), count = x.size(1), chunks = std::max<int64_t>(1, (count + kChunk - 1) / kChunk);
  const double cost = kind == Kind::power ? 30 : 2;
  std::vector<double> parts(static_cast<size_t>(rows * chunks));
  const auto elements = static_cast<double>(std::min(count, kChunk));
  for_parts(x.device(), rows * chunks, cost * elements, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i % chunks * kChunk;
      parts[static_cast<size_t>(i)] =
          partial(kind, ord, 1, x.data<T>() + i / chunks * count + at, std::min(count - at, kChunk));
    }
  });
  for (int64_t row = 0; row < rows; ++row) {
    const double* const part = parts.data() + row * chunks;
    double sum = part[0];
    for (int64_t i = 1; i < chunks; ++i) sum = combined(kind, sum, part[i]);
    out.data<Real<T>>()[row] = static_cast<Real<T>>(norm_of(kind, ord, sum, x.data<T>() + row * count, count));
  }
}

// d|x|/dx of a row: by ord, the share of each element in its norm y. 0 where the norm has a kink or a pole.
void row_gradient(double ord, const float* x, int64_t count, float norm, float dy, float* dx) {
  const Kind kind = kind_of(ord);
  const double y = static_cast<double>(norm);
  int64_t ties = 0;
  if (kind == Kind::largest || kind == Kind::least) {
    for (int64_t i = 0; i < count; ++i) ties += modulus(x[i]) == y ? 1 : 0;
  }
  for (int64_t i = 0; i < count; ++i) {
    const double size = modulus(x[i]);
    double share = 0;
    if (size != 0 && y != 0 && kind != Kind::count) {
      if (ties > 0) {
        share = size == y ? 1.0 / static_cast<double>(ties) : 0;
      } else {
        share = kind == Kind::one ? 1 : kind == Kind::two ? size / y : std::pow(size / y, ord - 1);
      }
    }
    dx[i] = static_cast<float>(std::copysign(share, static_cast<double>(x[i])) * static_cast<double>(dy));
  }
}

Tensor norms_of_rows(const Tensor& x, double ord) {
  if (on_device::holds(x)) return on_device::row_norms(x, ord);
  const Tensor out = Tensor::empty({x.size(0)}, real_dtype(x.dtype()), x.device());
  for_element_type(x.dtype(), [&]<class T>() { norms_of_rows<T>(x, ord, out); });
  return out;
}

// x [rows, count] of a dtype that is computed.
Tensor row_norms(const Tensor& x, double ord) {
  const Tensor from = dense(x.detach());
  const Tensor out = norms_of_rows(from, ord);
  if (needs_grad(x)) {
    record(out, "vector_norm", {x}, [from = saved(from), y = saved(out), ord](const Tensor& given) {
      const std::vector<float> elements = from.to_vector<float>(), norms = y.to_vector<float>(),
                               dy = dense(given).to_vector<float>();
      std::vector<float> dx(elements.size());
      const int64_t count = from.size(1);
      for (int64_t i = 0; i < from.size(0); ++i) {
        const auto row = static_cast<size_t>(i);
        row_gradient(ord, elements.data() + i * count, count, norms[row], dy[row], dx.data() + i * count);
      }
      return Gradients{Tensor::from(dx, from.shape(), from.device())};
    });
  }
  return out;
}

// Axes in a new order, those of the norm last, and the shape of the result.
struct Arrangement {
  std::vector<int> order;
  Shape result;
  int64_t rows = 1, count = 1;
};

Arrangement arranged(const char* op, const Tensor& x, std::span<const int> axes, bool keep) {
  std::array<bool, kMaxRank> chosen{};
  for (int axis = 0; axis < x.rank() && axes.empty(); ++axis) chosen[static_cast<size_t>(axis)] = true;
  for (const int given : axes) {
    const int axis = normalize_axis(op, given, x.rank());
    check(!chosen[static_cast<size_t>(axis)], op, "expected each axis once, got axis {} twice", axis);
    chosen[static_cast<size_t>(axis)] = true;
  }
  Arrangement out;
  std::vector<int> last;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const bool of_norm = chosen[static_cast<size_t>(axis)];
    (of_norm ? last : out.order).push_back(axis);
    (of_norm ? out.count : out.rows) *= x.shape()[axis];
    if (!of_norm || keep) out.result.push_back(of_norm ? 1 : x.shape()[axis]);
  }
  out.order.insert(out.order.end(), last.begin(), last.end());
  return out;
}

Tensor norm_over(const Tensor& x, double ord, std::initializer_list<int> axes) {
  return vector_norm(x, ord, std::span(axes.begin(), axes.size()));
}

// Without `keep`.
Tensor norm_of_matrices(const Tensor& x, MatrixNorm ord) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  switch (ord) {
    case MatrixNorm::one:
      return norm_over(norm_over(x, 1, {-2}), kInfinity, {-1});
    case MatrixNorm::minus_one:
      return norm_over(norm_over(x, 1, {-2}), -kInfinity, {-1});
    case MatrixNorm::inf:
      return norm_over(norm_over(x, 1, {-1}), kInfinity, {-1});
    case MatrixNorm::minus_inf:
      return norm_over(norm_over(x, 1, {-1}), -kInfinity, {-1});
    case MatrixNorm::two:
      return norm_over(svdvals(x), kInfinity, {-1});
    case MatrixNorm::minus_two:
      return norm_over(svdvals(x), -kInfinity, {-1});
    case MatrixNorm::nuc:
      return norm_over(svdvals(x), 1, {-1});
    case MatrixNorm::fro:
      break;
  }
  return norm_over(x, 2, {-2, -1});
}

MatrixNorm matrix_norm_from_number(double ord) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (ord == 1) return MatrixNorm::one;
  if (ord == -1) return MatrixNorm::minus_one;
  if (ord == 2) return MatrixNorm::two;
  if (ord == -2) return MatrixNorm::minus_two;
  if (ord == kInfinity) return MatrixNorm::inf;
  if (ord == -kInfinity) return MatrixNorm::minus_inf;
  fail("norm", "expected ord of two axes to be 1, -1, 2, -2, inf or -inf, got {}", ord);
}

}  // namespace

Tensor vector_norm(const Tensor& given, double ord, std::span<const int> axes, bool keep) {
  check_inputs("vector_norm", {{"x", given}});
  check_device("vector_norm", {"x", given});
  check(!std::isnan(ord), "vector_norm", "expected ord to be a number, got NaN");
  const Tensor x = promoted(given);
  const Arrangement to = arranged("vector_norm", x, axes, keep);
  check(to.count > 0 || !std::isinf(ord) || to.rows == 0, "vector_norm",
        "expected at least one element for a maximum or minimum, got shape {}", x.shape());
  return reshape(row_norms(reshape(permute(x, to.order), {to.rows, to.count}), ord), to.result);
}

MatrixNorm matrix_norm_from_name(std::string_view name) {
  constexpr std::string_view names[] = {"fro", "nuc", "1", "-1", "2", "-2", "inf", "-inf"};
  for (size_t i = 0; i < std::size(names); ++i) {
    if (names[i] == name) return static_cast<MatrixNorm>(i);
  }
  fail("matrix_norm", "expected ord to be fro, nuc, 1, -1, 2, -2, inf or -inf, got {}", name);
}

Tensor matrix_norm(const Tensor& x, MatrixNorm ord, bool keep) {
  check_matrices("matrix_norm", {"x", x});
  const Tensor out = norm_of_matrices(x, ord);
  return keep ? unsqueeze(unsqueeze(out, -1), -1) : out;
}

Tensor norm(const Tensor& x, std::optional<double> ord, std::span<const int> axes, bool keep) {
  check_inputs("norm", {{"x", x}});
  if (!ord) return vector_norm(x, 2, axes, keep);
  const int rank = axes.empty() ? x.rank() : static_cast<int>(axes.size());
  check(rank == 1 || rank == 2, "norm", "expected one axis or two for ord {}, got {}", *ord, rank);
  if (rank == 1) return vector_norm(x, *ord, axes, keep);
  const int row = axes.empty() ? 0 : normalize_axis("norm", axes[0], x.rank());
  const int column = axes.empty() ? 1 : normalize_axis("norm", axes[1], x.rank());
  check(row != column, "norm", "expected two different axes, got axis {} twice", row);
  std::vector<int> order;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (axis != row && axis != column) order.push_back(axis);
  }
  order.push_back(row);
  order.push_back(column);
  Tensor out = matrix_norm(permute(x, order), matrix_norm_from_number(*ord));
  if (!keep) return out;
  out = unsqueeze(out, std::min(row, column));
  return unsqueeze(out, std::max(row, column));
}

}  // namespace tern::linalg
