// SPDX-License-Identifier: Apache-2.0
// The matrix exponential by scaling and squaring: N. J. Higham, "The scaling and squaring method for the matrix
// exponential revisited", SIAM J. Matrix Anal. Appl. 26(4), 2005, Algorithm 2.3.
#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>
#include <vector>

#include "linalg/exponential.h"
#include "linalg/inputs.h"
#include "linalg/matrices.h"
#include "linalg/on_device.h"
#include "linalg/routines.h"
#include "ops/copy.h"
#include "ops/gradients.h"
#include "tern/linalg.h"
#include "tern/ops.h"

namespace tern::linalg {
namespace {

// The approximant of degree m is exact to double precision for 1-norms up to theta_m (Table 2.3), and its numerator is
// Σ b_i·xⁱ, its denominator Σ b_i·(-x)ⁱ.
constexpr double kB3[] = {120, 60, 12, 1};
constexpr double kB5[] = {30240, 15120, 3360, 420, 30, 1};
constexpr double kB7[] = {17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1};
constexpr double kB9[] = {17643225600, 8821612800, 2075673600, 302702400, 30270240, 2162160, 110880, 3960, 90, 1};
struct Approximant {
  std::span<const double> b;
  double theta;
};
constexpr Approximant kLow[] = {
    {kB3, 1.495585217958292e-2}, {kB5, 2.539398330063230e-1}, {kB7, 9.504178996162932e-1}, {kB9, 2.097847961257068e0}};

// Work memory for matrices of one order. The exponential of the transpose is the transpose of the exponential, so the
// order of elements does not matter.
template <class T>
class Exponential {
 public:
  explicit Exponential(int n) : n_(n), size_(static_cast<size_t>(n) * static_cast<size_t>(n)) {
    for (auto* matrix : {&x2_, &x4_, &x6_, &sum_, &odd_, &even_}) matrix->resize(size_);
    pivots_.resize(static_cast<size_t>(n));
  }

  // x becomes e^x.
  void operator()(T* x) {
    if (n_ == 0) return;
    const double norm = one_norm(x);
    for (const Approximant& low : kLow) {
      if (norm <= low.theta) return approximate_low(x, low.b);
    }
    const int squarings = norm > kTheta13 ? static_cast<int>(std::ceil(std::log2(norm / kTheta13))) : 0;
    const double scale = std::ldexp(1.0, -squarings);
    for (size_t i = 0; i < size_; ++i) x[i] *= scale;
    approximate_13(x);
    for (int i = 0; i < squarings; ++i) {
      times(x, x, x2_.data());
      std::ranges::copy(x2_, x);
    }
  }

 private:
  double one_norm(const T* x) const {
    double largest = 0;
    for (size_t column = 0; column < size_; column += static_cast<size_t>(n_)) {
      double sum = 0;
      for (size_t i = 0; i < static_cast<size_t>(n_); ++i) sum += std::abs(x[column + i]);
      largest = std::max(largest, sum);
    }
    return largest;
  }

  void times(const T* a, const T* b, T* c) const { multiply('N', 'N', n_, n_, n_, a, b, c); }

  // to = Σ weights[i]·powers[i] + constant on the diagonal, or is added to.
  void combine(std::vector<T>& to, std::initializer_list<const T*> powers, std::initializer_list<double> weights,
               double constant, bool add = false) const {
    if (!add) std::ranges::fill(to, T(0));
    const double* weight = weights.begin();
    for (const T* const power : powers) {
      for (size_t i = 0; i < size_; ++i) to[i] += *weight * power[i];
      ++weight;
    }
    for (size_t i = 0; i < size_; i += static_cast<size_t>(n_) + 1) to[i] += constant;
  }

  // Degrees 3 to 9, by powers of x².
  void approximate_low(T* x, std::span<const double> b) {
    times(x, x, x2_.data());
    combine(sum_, {}, {}, b[1]);
    combine(even_, {}, {}, b[0]);
    T* power = x2_.data();
    T* spare = x4_.data();
    for (size_t i = 2; i < b.size(); i += 2) {
      combine(even_, {power}, {b[i]}, 0, true);
      combine(sum_, {power}, {b[i + 1]}, 0, true);
      if (i + 2 < b.size()) {
        times(power, x2_.data(), spare);
        power = spare;
        spare = spare == x4_.data() ? x6_.data() : x4_.data();
      }
    }
    times(x, sum_.data(), odd_.data());
    quotient(x);
  }

  // Degree 13 in six products (2.10 to 2.12).
  void approximate_13(T* x) {
    const auto& b = kB13;
    times(x, x, x2_.data());
    times(x2_.data(), x2_.data(), x4_.data());
    times(x2_.data(), x4_.data(), x6_.data());
    const auto powers = {static_cast<const T*>(x6_.data()), static_cast<const T*>(x4_.data()),
                         static_cast<const T*>(x2_.data())};
    combine(sum_, powers, {b[13], b[11], b[9]}, 0);
    times(x6_.data(), sum_.data(), even_.data());
    combine(even_, powers, {b[7], b[5], b[3]}, b[1], true);
    times(x, even_.data(), odd_.data());
    combine(sum_, powers, {b[12], b[10], b[8]}, 0);
    times(x6_.data(), sum_.data(), even_.data());
    combine(even_, powers, {b[6], b[4], b[2]}, b[0], true);
    quotient(x);
  }

  // x = (even - odd)⁻¹·(even + odd).
  void quotient(T* x) {
    for (size_t i = 0; i < size_; ++i) {
      x[i] = even_[i] + odd_[i];
      even_[i] -= odd_[i];
    }
    factor_lu(n_, n_, even_.data(), pivots_.data());
    solve_factored('N', n_, n_, even_.data(), pivots_.data(), x);
  }

  int n_;
  size_t size_;
  std::vector<T> x2_, x4_, x6_, sum_, odd_, even_;
  std::vector<Integer> pivots_;
};

// In place of x in double, `wide`.
Tensor exponential_by_lapack(const Tensor& x, const Tensor& wide) {
  const Matrices of(x.shape());
  for_element_type(wide.dtype(), [&]<class T>() {
    const double work = 8.0 * of.rows * of.rows * of.rows;
    for_matrices(x.device(), of.count, work, [&](int64_t begin, int64_t end) {
      if constexpr (std::is_same_v<Real<T>, double>) {
        Exponential<T> exponential(of.rows);
        for (int64_t i = begin; i < end; ++i) {
          T* const a = wide.data<T>() + i * of.size();
          check_finite("expm", {"x", x}, a, of.size(), i);
          exponential(a);
        }
      }
    });
  });
  return wide;
}

// The derivative of the exponential at xᵀ in the direction of dy: the corner of e^[xᵀ dy; 0 xᵀ] (Higham, "Functions of
// Matrices", 2008, (3.16); the adjoint of the derivative at x is the derivative at xᵀ).
Tensor exponential_gradient(const Tensor& x, const Tensor& dy) {
  const int64_t n = x.size(-1);
  const Tensor xt = transpose(x), zeros = Tensor::zeros(x.shape(), DType::f32, x.device());
  const Tensor above = concat(std::vector<Tensor>{xt, dy}, -1), below = concat(std::vector<Tensor>{zeros, xt}, -1);
  const Tensor all = expm(concat(std::vector<Tensor>{above, below}, -2));
  return slice(slice(all, -2, 0, n), -1, n, 2 * n);
}

}  // namespace

Tensor expm(const Tensor& given) {
  check_square("expm", {"x", given});
  const Tensor x = promoted(given);
  const Tensor wide = row_major(x.detach(), is_complex(x.dtype()) ? DType::c128 : DType::f64);
  const Tensor exponential = on_device::holds(x) ? on_device::expm(wide) : exponential_by_lapack(x, wide);
  const Tensor y = wide.dtype() == x.dtype() ? exponential : converted(exponential, x.dtype());
  if (needs_grad(x)) {
    record(y, "expm", {x}, [x = saved(x)](const Tensor& dy) { return Gradients{exponential_gradient(x, dy)}; });
  }
  return y;
}

}  // namespace tern::linalg
