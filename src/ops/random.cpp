// SPDX-License-Identifier: Apache-2.0
#include "tern/random.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/philox.h"
#include "ops/array_call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "tern/indexing.h"
#include "tern/ops.h"
#include "tern/scalar.h"

namespace tern {
namespace {

void check_float(const char* op, DType dtype) {
  check(is_float(dtype), op, "expected a real float dtype, got {}", name_of(dtype));
}

// A float tensor to draw into: f64 or f32, from which halves are rounded.
Tensor drawn(const char* op, const Shape& shape, DType dtype, const Device& device) {
  check_float(op, dtype);
  const Tensor y = Tensor::empty(shape, dtype == DType::f64 ? DType::f64 : DType::f32, device);
  check_arrays(op, y, {dtype});
  return y;
}

Tensor rounded(const Tensor& y, DType dtype) { return y.dtype() == dtype ? y : converted(y, dtype); }

int64_t per_block(DType dtype) { return dtype == DType::f64 ? 2 : 4; }

// The greatest number of a float dtype below `high`.
double below_in(DType dtype, double high) {
  const double bits = dtype == DType::f64 ? 53 : dtype == DType::f32 ? 24 : dtype == DType::f16 ? 11 : 8;
  const int least = dtype == DType::f64 ? -1074 : dtype == DType::f32 ? -149 : dtype == DType::f16 ? -24 : -133;
  const double next = std::nextafter(high, -std::numeric_limits<double>::infinity());
  const double unit = std::ldexp(1.0, std::max(std::ilogb(next) + 1 - static_cast<int>(bits), least));
  return next == 0 ? next : std::floor(next / unit) * unit;
}

// The integers in [low, high) as a range for the kernel: 2^64 is 0.
void draw_integers(const Tensor& y, uint64_t seed, uint64_t counter, uint64_t low, uint64_t range) {
  call(y.device(), &ArrayRandomKernels::random_integers,
       {.dtype = y.dtype(),
        .seed = seed,
        .counter = counter,
        .count = y.numel(),
        .low = low,
        .range = range,
        .y = y.raw()});
}

}  // namespace

uint64_t Generator::take_blocks(int64_t numbers, int64_t per_block) {
  const uint64_t first = counter_;
  counter_ += static_cast<uint64_t>((numbers + per_block - 1) / per_block);
  return first;
}

Tensor Generator::uniform(const Shape& shape, DType dtype, const Device& device, double low, double high) {
  check(std::isfinite(low) && std::isfinite(high - low) && low < high, "uniform",
        "expected finite low < high, got {} and {}", low, high);
  const Tensor y = drawn("uniform", shape, dtype, device);
  call(device, &ArrayRandomKernels::random,
       {.kind = RandomKind::uniform,
        .dtype = y.dtype(),
        .seed = seed_,
        .counter = take_blocks(y.numel(), per_block(dtype)),
        .count = y.numel(),
        .a = low,
        .b = high,
        .most = below_in(dtype, high),
        .y = y.raw()});
  return rounded(y, dtype);
}

Tensor Generator::normal(const Shape& shape, DType dtype, const Device& device, double mean, double deviation) {
  check(std::isfinite(mean) && std::isfinite(deviation) && deviation >= 0, "normal",
        "expected a finite mean and deviation of 0 or more, got {} and {}", mean, deviation);
  const Tensor y = drawn("normal", shape, dtype, device);
  call(device, &ArrayRandomKernels::random,
       {.kind = RandomKind::normal,
        .dtype = y.dtype(),
        .seed = seed_,
        .counter = take_blocks(y.numel(), per_block(dtype)),
        .count = y.numel(),
        .a = mean,
        .b = deviation,
        .most = 0,
        .y = y.raw()});
  return rounded(y, dtype);
}

Tensor Generator::exponential(const Shape& shape, DType dtype, const Device& device, double mean) {
  check(std::isfinite(mean) && mean >= 0, "exponential", "expected a finite mean of 0 or more, got {}", mean);
  const Tensor y = drawn("exponential", shape, dtype, device);
  call(device, &ArrayRandomKernels::random,
       {.kind = RandomKind::exponential,
        .dtype = y.dtype(),
        .seed = seed_,
        .counter = take_blocks(y.numel(), per_block(dtype)),
        .count = y.numel(),
        .a = mean,
        .b = 0,
        .most = 0,
        .y = y.raw()});
  return rounded(y, dtype);
}

Tensor Generator::integers(int64_t low, int64_t high, const Shape& shape, DType dtype, const Device& device) {
  check(is_integer(dtype), "integers", "expected an integer dtype, got {}", name_of(dtype));
  check(low < high && Scalar(low).fits(dtype) && Scalar(high - 1).fits(dtype), "integers",
        "expected low < high that {} holds, got {} and {}", name_of(dtype), low, high);
  const Tensor y = Tensor::empty(shape, dtype, device);
  check_arrays("integers", y, {dtype});
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  draw_integers(y, seed_, take_blocks(y.numel(), range <= uint64_t{1} << 32 ? 4 : 2), static_cast<uint64_t>(low),
                range);
  return y;
}

Tensor Generator::bits(const Shape& shape, DType dtype, const Device& device) {
  check(is_integer(dtype), "bits", "expected an integer dtype, got {}", name_of(dtype));
  const Tensor y = Tensor::empty(shape, dtype, device);
  check_arrays("bits", y, {dtype});
  const bool wide = size_of(dtype) == 8;
  const uint64_t range = wide ? 0 : uint64_t{1} << 8 * size_of(dtype);
  draw_integers(y, seed_, take_blocks(y.numel(), wide ? 2 : 4), 0, range);
  return y;
}

Tensor Generator::bernoulli(double probability, const Shape& shape, const Device& device) {
  check(probability >= 0 && probability <= 1, "bernoulli", "expected a probability in [0, 1], got {}", probability);
  const Tensor y = Tensor::empty(shape, DType::boolean, device);
  check_arrays("bernoulli", y, {DType::boolean});
  const Tensor p = Tensor::from({probability}, {1}, device);
  call(device, &ArrayRandomKernels::random_chance,
       {.seed = seed_,
        .counter = take_blocks(y.numel(), 2),
        .count = y.numel(),
        .p = p.data<double>(),
        .p_stride = 0,
        .y = static_cast<uint8_t*>(y.raw())});
  return y;
}

Tensor Generator::bernoulli(const Tensor& probabilities) {
  check_inputs("bernoulli", {{"probabilities", probabilities}});
  check_float("bernoulli", probabilities.dtype());
  const Tensor y = Tensor::empty(probabilities.shape(), DType::boolean, probabilities.device());
  check_arrays("bernoulli", y, {probabilities.dtype()});
  const Tensor p = converted(probabilities, DType::f64);
  call(y.device(), &ArrayRandomKernels::random_chance,
       {.seed = seed_,
        .counter = take_blocks(y.numel(), 2),
        .count = y.numel(),
        .p = p.data<double>(),
        .p_stride = 1,
        .y = static_cast<uint8_t*>(y.raw())});
  return y;
}

uint64_t Generator::below(uint64_t bound) {
  __extension__ using Wide = unsigned __int128;
  const uint64_t block = counter_++;
  for (uint32_t attempt = 0;; ++attempt) {
    const PhiloxBlock words = philox(philox_counter(block, attempt), seed_);
    const uint64_t word = uint64_t{words.word[0]} << 32 | words.word[1];
    const Wide product = static_cast<Wide>(word) * bound;
    const auto rest = static_cast<uint64_t>(product);
    if (rest >= bound || rest >= (0 - bound) % bound) return static_cast<uint64_t>(product >> 64);
  }
}

// Fisher and Yates; the first `shape` places of a permutation.
Tensor Generator::choice(int64_t count, const Shape& shape, const Device& device, bool replace) {
  const int64_t drawn = shape.numel();
  check(count > 0 || drawn == 0, "choice", "expected a count above 0, got {}", count);
  if (replace) return integers(0, std::max<int64_t>(count, 1), shape, DType::i64, device);
  check(drawn <= count, "choice", "expected at most {} numbers without replacement, got shape {}", count, shape);
  std::vector<int64_t> all(static_cast<size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  for (int64_t i = 0; i < drawn; ++i) {
    const auto other = i + static_cast<int64_t>(below(static_cast<uint64_t>(count - i)));
    std::swap(all[static_cast<size_t>(i)], all[static_cast<size_t>(other)]);
  }
  all.resize(static_cast<size_t>(drawn));
  return Tensor::from(all, shape, device);
}

Tensor Generator::permutation(int64_t count, const Device& device) {
  check(count >= 0, "permutation", "expected a count of 0 or more, got {}", count);
  return choice(count, {count}, device, false);
}

Tensor Generator::shuffled(const Tensor& x, int axis) {
  check_inputs("shuffled", {{"x", x}});
  const int at = normalize_axis("shuffled", axis, x.rank());
  return take(x.detach(), permutation(x.shape()[at], x.device()), at);
}

// By the sums of the probabilities, taken one after the other in double.
Tensor Generator::choice(const Tensor& probabilities, const Shape& shape) {
  check_inputs("choice", {{"probabilities", probabilities}});
  check_float("choice", probabilities.dtype());
  check_rank("choice", {"probabilities", probabilities}, 1);
  std::vector<double> sums = converted(probabilities, DType::f64).to_vector<double>();
  double sum = 0;
  for (double& p : sums) {
    check(p >= 0, "choice", "expected probabilities of 0 or more, got {}", p);
    p = sum += p;
  }
  check(std::abs(sum - 1) < 1e-6, "choice", "expected probabilities that sum to 1, got {}", sum);
  const std::vector<double> u = uniform(shape, DType::f64, probabilities.device()).to_vector<double>();
  std::vector<int64_t> found;
  for (const double x : u) {
    found.push_back(std::upper_bound(sums.begin(), sums.end() - 1, x * sum) - sums.begin());
  }
  return Tensor::from(found, shape, probabilities.device());
}

}  // namespace tern
