// SPDX-License-Identifier: Apache-2.0
// Quantiles, from what sort gives at some places.
#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/checks.h"
#include "ops/gradients.h"
#include "ops/reduce_axes.h"
#include "ops/sort.h"
#include "tern/reductions.h"
#include "tern/sorting.h"

namespace tern {
namespace {

// Between the elements `below` and `above`, `weight` of the way.
struct Place {
  int64_t below, above;
  double weight;
};

Place between(double index, int64_t n) {
  const double inside = std::clamp(index, 0.0, static_cast<double>(n - 1)), floor = std::floor(inside);
  const auto below = static_cast<int64_t>(floor);
  return {below, std::min(below + 1, n - 1), inside - floor};
}

// Hyndman and Fan's continuous kinds: the index is n·q + alpha + q·(1 - alpha - beta) - 1, counted from 0.
Place continuous(int64_t n, double q, double alpha, double beta) {
  return between(static_cast<double>(n) * q + alpha + q * (1 - alpha - beta) - 1, n);
}

// One element or its neighbour, as `stays` says of the index's part behind the point and the one before.
template <class Stays>
Place one_of_two(double index, int64_t n, const Stays& stays) {
  const double floor = std::floor(index);
  return between(stays(index - floor, floor) ? floor : floor + 1, n);
}

Place place_of(QuantileMethod method, int64_t n, double q) {
  const double count = static_cast<double>(n) * q, linear = static_cast<double>(n - 1) * q;
  switch (method) {
    case QuantileMethod::inverted_cdf:
      return one_of_two(count - 1, n, [](double part, double) { return part == 0; });
    case QuantileMethod::averaged_inverted_cdf: {
      Place place = between(count - 1, n);
      if (place.weight != 0) return {place.above, place.above, 0};
      if (count < 1) return {0, 0, 0};
      return {place.below, place.above, 0.5};
    }
    case QuantileMethod::closest_observation:
      return one_of_two(count - 1.5, n,
                        [](double part, double floor) { return part == 0 && std::fmod(floor, 2) == 1; });
    case QuantileMethod::interpolated_inverted_cdf:
      return continuous(n, q, 0, 1);
    case QuantileMethod::hazen:
      return continuous(n, q, 0.5, 0.5);
    case QuantileMethod::weibull:
      return continuous(n, q, 0, 0);
    case QuantileMethod::linear:
      return between(linear, n);
    case QuantileMethod::median_unbiased:
      return continuous(n, q, 1.0 / 3, 1.0 / 3);
    case QuantileMethod::normal_unbiased:
      return continuous(n, q, 3.0 / 8, 3.0 / 8);
    case QuantileMethod::lower:
      return between(std::floor(linear), n);
    case QuantileMethod::higher:
      return between(std::ceil(linear), n);
    case QuantileMethod::midpoint: {
      const Place place = between(linear, n);
      return {place.below, place.above, place.weight == 0 ? 0 : 0.5};
    }
    case QuantileMethod::nearest:
      break;
  }
  return between(std::nearbyint(linear), n);
}

// a + weight·(b - a), from the nearer end; a where both are the same, infinities too.
Tensor mixed(const Tensor& a, const Tensor& b, double weight) {
  const auto scalar = [&](double value) { return Tensor::full({}, value, a.dtype(), a.device()); };
  if (weight == 0) return a;
  const Tensor step = b - a;
  const Tensor y = weight < 0.5 ? a + step * scalar(weight) : b - step * scalar(1 - weight);
  return where(equal(a, b), a, y);
}

// Sorted along an axis, as far as it is looked at: at the places and the last one. Gradients need the whole order.
Tensor sorted_for(const Tensor& x, int axis, const std::vector<Place>& places) {
  if (needs_grad(x)) return sort(x, axis);
  std::vector<int64_t> at = {x.shape()[axis] - 1};
  for (const Place& place : places) at.insert(at.end(), {place.below, place.above});
  std::sort(at.begin(), at.end());
  at.erase(std::unique(at.begin(), at.end()), at.end());
  return sorted_at(x, axis, at);
}

// One for each q, as f32 or f64 x has them.
std::vector<Tensor> quantiles(const Tensor& x, std::span<const double> q, int axis, QuantileMethod method) {
  const int64_t n = x.shape()[axis];
  std::vector<Place> places;
  for (const double one : q) places.push_back(place_of(method, n, one));
  const Tensor sorted = sorted_for(x, axis, places);
  const Tensor last = select(sorted, axis, n - 1);  // NaN if any is
  const Tensor has_nan = not_equal(last, last);
  std::vector<Tensor> out;
  for (const Place& place : places) {
    const Tensor below = select(sorted, axis, place.below);
    const Tensor y = place.weight == 0 ? below : mixed(below, select(sorted, axis, place.above), place.weight);
    out.push_back(where(has_nan, last, y));
  }
  return out;
}

}  // namespace

Tensor quantile(const Tensor& x, std::span<const double> q, std::span<const int> axes, bool keep,
                QuantileMethod method) {
  check_inputs("quantile", {{"x", x}});
  check(!is_complex(x.dtype()), "quantile", "expected x of a real dtype, got {}", name_of(x.dtype()));
  for (const double one : q) check(one >= 0 && one <= 1, "quantile", "expected q in [0, 1], got {}", one);
  const AxisSet set = axis_set("quantile", axes, x.rank());
  const DType result = is_float(x.dtype()) ? x.dtype() : DType::f32;
  const Merged merged = merge_set(is_half(x.dtype())    ? cast(x, DType::f32)
                                  : is_float(x.dtype()) ? x
                                                        : cast(x, DType::f64),
                                  set);
  check(merged.x.shape()[merged.axis] > 0, "quantile", "expected at least one element, got shape {}",
        x.shape());
  const Shape shape = reduced_shape(x.shape(), set, keep);
  std::vector<Tensor> parts;
  for (const Tensor& y : quantiles(merged.x, q, merged.axis, method)) {
    parts.push_back(unsqueeze(reshape(cast(y, result), shape), 0));
  }
  Shape none = shape;
  none.insert(0, 0);
  return parts.empty() ? Tensor::empty(none, result, x.device()) : concat(parts, 0);
}

Tensor quantile(const Tensor& x, double q, std::span<const int> axes, bool keep, QuantileMethod method) {
  return squeeze(quantile(x, std::span(&q, 1), axes, keep, method), 0);
}

Tensor median(const Tensor& x, std::span<const int> axes, bool keep) { return quantile(x, 0.5, axes, keep); }

}  // namespace tern
