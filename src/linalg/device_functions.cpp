// SPDX-License-Identifier: Apache-2.0
// Norms and the matrix exponential on a device.
#include <algorithm>
#include <cmath>
#include <vector>

#include "linalg/device_routines.h"
#include "linalg/exponential.h"
#include "linalg/on_device.h"
#include "linalg/products.h"
#include "tern/elementwise.h"
#include "tern/ops.h"
#include "tern/reductions.h"

namespace tern::linalg::on_device {
namespace {

constexpr int kAlongRow[] = {1};

Tensor number(double value, const Tensor& like) { return Tensor::full({}, value, like.dtype(), like.device()); }

// (Σ moduli^ord)^(1/ord) of f64 rows, of moduli divided by the largest (for negative ord the least) of their row, where
// that is a number above 0: powers stay in range.
Tensor power_norms(const Tensor& moduli, double ord) {
  const Tensor extreme = ord > 0 ? max(moduli, 1, true) : min(moduli, 1, true);
  const Tensor usable = logical_and(isfinite(extreme), greater(extreme, number(0, extreme)));
  const Tensor unit = where(usable, extreme, number(1, extreme));
  const Tensor scaled = div(moduli, unit);
  const Tensor powers = ord == 1 ? scaled : ord == 2 ? mul(scaled, scaled) : pow(scaled, number(ord, scaled));
  const Tensor sums = sum(powers, kAlongRow);
  const Tensor roots = ord == 1 ? sums : ord == 2 ? sqrt(sums) : pow(sums, number(1 / ord, sums));
  return mul(roots, squeeze(unit, 1));
}

Tensor wide_norms(const Tensor& moduli, double ord) {
  if (ord == 0) return sum(cast(not_equal(moduli, number(0, moduli)), DType::f64), kAlongRow);
  if (moduli.size(0) == 0) return Tensor::empty({0}, DType::f64, moduli.device());
  if (std::isinf(ord)) return ord > 0 ? max(moduli, 1) : min(moduli, 1);
  if (moduli.size(1) == 0) return Tensor::full({moduli.size(0)}, std::pow(0.0, 1 / ord), DType::f64, moduli.device());
  return power_norms(moduli, ord);
}

// Σ weights[i]·powers[i] + constant on the diagonal.
Tensor combination(std::initializer_list<Tensor> powers, std::initializer_list<double> weights, double constant) {
  Tensor out = mul(identity({}, powers.begin()->size(-1), powers.begin()->dtype(), powers.begin()->device()),
                   number(constant, *powers.begin()));
  const double* weight = weights.begin();
  for (const Tensor& power : powers) out = add(out, mul(power, number(*weight++, power)));
  return out;
}

}  // namespace

Tensor row_norms(const Tensor& x, double ord) {
  return cast(wide_norms(cast(abs(x), DType::f64), ord), linalg::real_dtype(x.dtype()));
}

// Of degree 13 for matrices of every norm, (2.10) to (2.12) of Higham's, all matrices together: those that need fewer
// squarings than another keep what they have.
Tensor expm(const Tensor& given) {
  check_all_finite("expm", {"x", given}, given);
  if (given.numel() == 0) return given;
  constexpr int kRows[] = {-2}, kColumns[] = {-1};
  const std::vector<double> norms = max(sum(abs(given), kRows), kColumns).to_vector<double>();
  std::vector<int64_t> squarings;
  std::vector<double> scales;
  for (const double norm : norms) {
    squarings.push_back(norm > kTheta13 ? static_cast<int64_t>(std::ceil(std::log2(norm / kTheta13))) : 0);
    scales.push_back(std::ldexp(1.0, -static_cast<int>(squarings.back())));
  }
  const Shape batch = leading(given.shape(), 2);
  const Device& device = given.device();
  const Tensor x = mul(given, cast(per_matrix(Tensor::from(scales, batch, device)), given.dtype()));
  const Tensor x2 = product(x, x), x4 = product(x2, x2), x6 = product(x2, x4);
  const auto& b = kB13;
  const Tensor odd = product(x, add(product(x6, combination({x6, x4, x2}, {b[13], b[11], b[9]}, 0)),
                                    combination({x6, x4, x2}, {b[7], b[5], b[3]}, b[1])));
  const Tensor even = add(product(x6, combination({x6, x4, x2}, {b[12], b[10], b[8]}, 0)),
                          combination({x6, x4, x2}, {b[6], b[4], b[2]}, b[0]));
  Tensor y = solve(sub(even, odd), add(even, odd), batch);
  const Tensor wanted = per_matrix(Tensor::from(squarings, batch, device));
  for (int64_t done = 0; done < std::ranges::max(squarings); ++done) {
    y = where(greater(wanted, Tensor::full({}, static_cast<double>(done), DType::i64, device)), product(y, y), y);
  }
  return y;
}

}  // namespace tern::linalg::on_device
