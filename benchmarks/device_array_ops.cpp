// SPDX-License-Identifier: Apache-2.0
#include "device_array_ops.h"

#include <initializer_list>
#include <limits>
#include <memory>
#include <numbers>
#include <span>
#include <string_view>

#include "device_array_checks.h"
#include "tern/elementwise.h"
#include "tern/indexing.h"
#include "tern/manipulation.h"
#include "tern/ops.h"
#include "tern/random.h"
#include "tern/reductions.h"
#include "tern/sorting.h"

namespace tern::benchmarks {
namespace {

// A rounding of T, and what its sums are taken in on the host.
template <class T>
constexpr double kRounding = std::numeric_limits<T>::epsilon() / 2;
template <>
constexpr double kRounding<std::complex<float>> = 0x1p-24;

template <class T>
struct WideOf {
  using Type = long double;
};
template <>
struct WideOf<float> {
  using Type = double;
};
template <>
struct WideOf<std::complex<float>> {
  using Type = std::complex<double>;
};
template <>
struct WideOf<int32_t> {
  using Type = uint32_t;
};
template <class T>
using Wide = typename WideOf<T>::Type;

template <class T>
std::string named(std::string_view what, std::initializer_list<int64_t> extents) {
  return fmt::format("{} {} {}", what, name_of(dtype_of<T>), fmt::join(extents, " x "));
}

// ---------------------------------------------------------------- elements

template <class T>
Operation arithmetic(const Device& device, std::string_view what, int64_t n, Tensor (*op)(const Tensor&, const Tensor&),
                     T (*host)(T, T)) {
  const Tensor a = drawn<T>(device, {n}, 1), b = drawn<T>(device, {n}, 2);
  const std::string name = named<T>(what, {n});
  const auto check = [=] {
    const std::vector<T> x = a.to_vector<T>(), y = b.to_vector<T>();
    check_same<T>(name, op(a, b), x.size(), [&](size_t i) { return host(x[i], y[i]); });
  };
  return {name, check, [=] { op(a, b); }};
}

// Within so many roundings of the host's double, whose own error counts, too.
template <class T>
Operation function(const Device& device, std::string_view what, int64_t n, Tensor (*op)(const Tensor&),
                   double (*host)(double), double roundings) {
  const Tensor a = drawn<T>(device, {n}, 1);
  const std::string name = named<T>(what, {n});
  const auto check = [=] {
    const std::vector<T> x = a.to_vector<T>();
    const auto want = [&](size_t i) { return host(static_cast<double>(x[i])); };
    check_near<T>(name, op(a), x.size(), want, [&](size_t i) { return roundings * kRounding<T> * std::abs(want(i)); });
  };
  return {name, check, [=] { op(a); }};
}

Operation choice(const Device& device, int64_t n) {
  const std::vector<uint8_t> bits = drawn_bits(n, 1);
  const Tensor condition = mask_of(device, bits), a = drawn<float>(device, {n}, 2), b = drawn<float>(device, {n}, 3);
  const std::string name = named<float>("where", {n});
  const auto check = [=] {
    const std::vector<float> x = a.to_vector<float>(), y = b.to_vector<float>();
    check_same<float>(name, where(condition, a, b), x.size(), [&](size_t i) { return bits[i] != 0 ? x[i] : y[i]; });
  };
  return {name, check, [=] { where(condition, a, b); }};
}

template <class From, class To>
Operation conversion(const Device& device, int64_t n) {
  const Tensor a = drawn<From>(device, {n}, 1);
  const std::string name = fmt::format("{} to {} {}", name_of(dtype_of<From>), name_of(dtype_of<To>), n);
  const auto check = [=] {
    const std::vector<From> x = a.to_vector<From>();
    check_same<To>(name, cast(a, dtype_of<To>), x.size(), [&](size_t i) { return static_cast<To>(x[i]); });
  };
  return {name, check, [=] { cast(a, dtype_of<To>); }};
}

// ---------------------------------------------------------------- reductions and running sums

// sum or mean over the middle of `lines`. Roundings of partial sums hardly ever add up: 64 of the sum of magnitudes are
// far beyond what chains of some hundred numbers and trees of them leave.
template <class T>
Operation total(std::string name, const Tensor& x, const Lines& lines, std::vector<int> axes,
                Tensor (*op)(const Tensor&, std::span<const int>, bool), double divisor = 1) {
  const auto check = [=] {
    const std::vector<T> from = x.to_vector<T>();
    std::vector<Wide<T>> sums(lines.count());
    std::vector<double> bounds(lines.count());
    for (size_t line = 0; line < lines.count(); ++line) {
      double magnitudes = 0;
      for (int64_t k = 0; k < lines.extent; ++k) {
        const T value = from[lines.at(line, k)];
        sums[line] += static_cast<Wide<T>>(value);
        magnitudes += std::abs(static_cast<double>(value));
      }
      sums[line] /= static_cast<Wide<T>>(divisor);
      bounds[line] = 64 * kRounding<T> * magnitudes / divisor;
    }
    check_near<T>(
        name, op(x, axes, false), sums.size(), [&](size_t i) { return sums[i]; }, [&](size_t i) { return bounds[i]; });
  };
  return {name, check, [=] { op(x, axes, false); }};
}

template <class T>
Operation whole_sum(const Device& device, int64_t n) {
  return total<T>(named<T>("sum", {n}), drawn<T>(device, {n}, 1), {1, n, 1}, {}, sum);
}

Operation whole_mean(const Device& device, int64_t n) {
  return total<float>(named<float>("mean", {n}), drawn<float>(device, {n}, 1), {1, n, 1}, {}, mean,
                      static_cast<double>(n));
}

Operation axis_sum(const Device& device, int64_t rows, int64_t columns, int axis) {
  const Lines lines = axis == 0 ? Lines{1, rows, columns} : Lines{rows, columns, 1};
  const std::string name = named<float>(fmt::format("sum axis {}", axis), {rows, columns});
  return total<float>(name, drawn<float>(device, {rows, columns}, 1), lines, {axis}, sum);
}

Operation variance(const Device& device, int64_t n) {
  const Tensor x = drawn<float>(device, {n}, 1);
  const std::string name = named<float>("var", {n});
  const auto check = [=] {
    const std::vector<float> from = x.to_vector<float>();
    double sum = 0, squares = 0;
    for (const float value : from) sum += static_cast<double>(value);
    const double center = sum / static_cast<double>(n);
    for (const float value : from)
      squares += (static_cast<double>(value) - center) * (static_cast<double>(value) - center);
    const double want = squares / static_cast<double>(n);
    check_near<float>(
        name, var(x), 1, [&](size_t) { return want; }, [&](size_t) { return 0x1p-23 * want; });
  };
  return {name, check, [=] { var(x); }};
}

Operation greatest(const Device& device, int64_t n) {
  const Tensor x = drawn<float>(device, {n}, 1);
  const std::string name = named<float>("max", {n});
  const auto check = [=] {
    const std::vector<float> from = x.to_vector<float>();
    check_same<float>(name, max(x), 1, [&](size_t) { return *std::max_element(from.begin(), from.end()); });
  };
  return {name, check, [=] { max(x); }};
}

Operation first_greatest(const Device& device, int64_t rows, int64_t columns) {
  const Tensor x = drawn<float>(device, {rows, columns}, 1);
  const std::string name = named<float>("argmax axis 1", {rows, columns});
  const auto check = [=] {
    const std::vector<float> from = x.to_vector<float>();
    check_same<int64_t>(name, argmax(x, 1), static_cast<size_t>(rows), [&](size_t row) {
      const float* const begin = from.data() + static_cast<int64_t>(row) * columns;
      return std::max_element(begin, begin + columns) - begin;
    });
  };
  return {name, check, [=] { argmax(x, 1); }};
}

// Along the last axis; floats in blocks of 1024 on every device.
template <class T>
Operation running_sum(const Device& device, const Shape& shape, std::string name) {
  const Tensor x = drawn<T>(device, shape, 1);
  const auto check = [=] {
    constexpr size_t kBlock = std::is_integral_v<T> ? std::numeric_limits<size_t>::max() : 1024;
    std::vector<T> sums = x.to_vector<T>();
    const auto columns = static_cast<size_t>(shape.back());
    T within = {}, before = {};
    for (size_t i = 0; i < sums.size(); ++i) {
      const size_t k = i % columns;
      if (k % kBlock == 0) before = k == 0 ? T{} : sums[i - 1], within = T{};
      if constexpr (std::is_integral_v<T>) {
        within = static_cast<T>(static_cast<uint64_t>(within) + static_cast<uint64_t>(sums[i]));
      } else {
        within += sums[i];
      }
      sums[i] = before + within;
    }
    check_same<T>(name, cumulative_sum(x, -1), sums.size(), [&](size_t i) { return sums[i]; });
  };
  return {name, check, [=] { cumulative_sum(x, -1); }};
}

Operation softmax_of_rows(const Device& device, int64_t rows, int64_t columns) {
  const Tensor x = drawn<float>(device, {rows, columns}, 1);
  const std::string name = named<float>("softmax", {rows, columns});
  const auto check = [=] {
    const std::vector<float> from = x.to_vector<float>();
    std::vector<double> want(from.begin(), from.end());
    for (auto row = want.begin(); row != want.end(); row += columns) {
      const auto end = row + columns;
      for (auto at = row; at != end; ++at) *at = std::exp(*at);
      const double sum = std::accumulate(row, end, 0.0);
      for (auto at = row; at != end; ++at) *at /= sum;
    }
    // The difference from the greatest, below 16, is rounded before its exponential: 2^-21 at most.
    check_near<float>(
        name, softmax(x), want.size(), [&](size_t i) { return want[i]; }, [&](size_t i) { return 0x1p-19 * want[i]; });
  };
  return {name, check, [=] { softmax(x); }};
}

// ---------------------------------------------------------------- order

Operation sorted(const Device& device, const Shape& shape, std::string name) {
  const Tensor x = drawn<float>(device, shape, 1);
  const auto check = [=] {
    std::vector<float> want = x.to_vector<float>();
    for (auto row = want.begin(); row != want.end(); row += shape.back()) std::sort(row, row + shape.back());
    check_same<float>(name, sort(x), want.size(), [&](size_t i) { return want[i]; });
  };
  return {name, check, [=] { sort(x); }};
}

Operation order(const Device& device, int64_t n) {
  const Tensor x = drawn<float>(device, {n}, 1);
  const std::string name = named<float>("argsort", {n});
  const auto check = [=] {
    const std::vector<float> from = x.to_vector<float>();
    std::vector<int64_t> want(from.size());
    std::iota(want.begin(), want.end(), 0);
    std::stable_sort(want.begin(), want.end(),
                     [&](int64_t a, int64_t b) { return from[static_cast<size_t>(a)] < from[static_cast<size_t>(b)]; });
    check_same<int64_t>(name, argsort(x), want.size(), [&](size_t i) { return want[i]; });
  };
  return {name, check, [=] { argsort(x); }};
}

// ---------------------------------------------------------------- elements moved

// Not recordable, like all that follows it with indices: they are checked, and the host waits for that.
Operation rows_taken(const Device& device, int64_t rows, int64_t columns) {
  const Tensor x = drawn<float>(device, {rows, columns}, 1), indices = drawn_indices(device, rows, rows, 2);
  const std::string name = named<float>("take rows", {rows, columns});
  const auto check = [=] {
    const std::vector<float> from = x.to_vector<float>();
    const std::vector<int64_t> at = indices.to_vector<int64_t>();
    const auto width = static_cast<size_t>(columns);
    check_same<float>(name, take(x, indices, 0), from.size(),
                      [&](size_t i) { return from[static_cast<size_t>(at[i / width]) * width + i % width]; });
  };
  return {name, check, [=] { take(x, indices, 0); }, false};
}

Operation elements_taken(const Device& device, int64_t n) {
  const Tensor x = drawn<float>(device, {n}, 1), indices = drawn_indices(device, n, n, 2);
  const std::string name = named<float>("take", {n});
  const auto check = [=] {
    const std::vector<float> from = x.to_vector<float>();
    const std::vector<int64_t> at = indices.to_vector<int64_t>();
    check_same<float>(name, take(x, indices), at.size(), [&](size_t i) { return from[static_cast<size_t>(at[i])]; });
  };
  return {name, check, [=] { take(x, indices); }, false};
}

// As many as half of them, which the host has to count.
Operation elements_selected(const Device& device, int64_t n) {
  const std::vector<uint8_t> bits = drawn_bits(n, 1);
  const Tensor mask = mask_of(device, bits), x = drawn<float>(device, {n}, 2);
  const std::string name = named<float>("select by mask", {n});
  const auto check = [=] {
    const std::vector<float> from = x.to_vector<float>();
    std::vector<float> want;
    for (size_t i = 0; i < from.size(); ++i) {
      if (bits[i] != 0) want.push_back(from[i]);
    }
    check_same<float>(name, index(x, {mask}), want.size(), [&](size_t i) { return want[i]; });
  };
  return {name, check, [=] { index(x, {mask}); }, false};
}

Operation elements_put(const Device& device, int64_t n) {
  const Tensor x = Tensor::zeros({n}, DType::f32, device), values = drawn<float>(device, {n}, 1);
  const Tensor indices = drawn_order(device, n, 2);
  const std::string name = named<float>("put_along_axis", {n});
  const auto check = [=] {
    const std::vector<float> from = values.to_vector<float>();
    const std::vector<int64_t> at = indices.to_vector<int64_t>();
    std::vector<float> want(from.size());
    for (size_t i = 0; i < from.size(); ++i) want[static_cast<size_t>(at[i])] = from[i];
    put_along_axis(x, indices, values);
    check_same<float>(name, x, want.size(), [&](size_t i) { return want[i]; });
  };
  return {name, check, [=] { put_along_axis(x, indices, values); }, false};
}

Operation transposed_copy(const Device& device, int64_t rows, int64_t columns) {
  const Tensor x = drawn<float>(device, {rows, columns}, 1);
  const std::string name = named<float>("transpose", {rows, columns});
  const auto check = [=] {
    const std::vector<float> from = x.to_vector<float>();
    const auto height = static_cast<size_t>(rows), width = static_cast<size_t>(columns);
    check_same<float>(name, contiguous(transpose(x)), from.size(),
                      [&](size_t i) { return from[i % height * width + i / height]; });
  };
  return {name, check, [=] { contiguous(transpose(x)); }};
}

Operation joined(const Device& device, int64_t n) {
  const std::vector<Tensor> parts = {drawn<float>(device, {n}, 1), drawn<float>(device, {n}, 2)};
  const std::string name = named<float>("concat", {n, 2});
  const auto check = [=] {
    std::vector<float> want = parts[0].to_vector<float>();
    const std::vector<float> second = parts[1].to_vector<float>();
    want.insert(want.end(), second.begin(), second.end());
    check_same<float>(name, concat(parts, 0), want.size(), [&](size_t i) { return want[i]; });
  };
  return {name, check, [=] { concat(parts, 0); }};
}

// ---------------------------------------------------------------- products, random numbers

// Squares; 64 of their rows are checked. Sums of floats in any order are off by at most n + 1 roundings of the sum of
// magnitudes, of complex ones by twice as many; integers wrap.
template <class T>
Operation product(const Device& device, int64_t n) {
  const Tensor a = drawn<T>(device, {n, n}, 1), b = drawn<T>(device, {n, n}, 2);
  const std::string name = named<T>("matmul", {n, n, n});
  const auto check = [=] {
    constexpr int64_t kChecked = 64;
    const auto width = static_cast<size_t>(n);
    const std::vector<T> x = a.to_vector<T>(), y = b.to_vector<T>();
    const Tensor rows = slice(matmul(a, b), 0, 0, n, n / kChecked);
    std::vector<Wide<T>> sums(static_cast<size_t>(rows.numel()));
    std::vector<double> magnitudes(sums.size());
    for (size_t row = 0; row < static_cast<size_t>(kChecked); ++row) {
      for (size_t k = 0; k < width; ++k) {
        const T left = x[row * static_cast<size_t>(n / kChecked) * width + k];
        for (size_t j = 0; j < width; ++j) {
          const T right = y[k * width + j];
          sums[row * width + j] += static_cast<Wide<T>>(left) * static_cast<Wide<T>>(right);
          magnitudes[row * width + j] += static_cast<double>(std::abs(left)) * static_cast<double>(std::abs(right));
        }
      }
    }
    if constexpr (std::is_integral_v<T>) {
      check_same<T>(name, rows, sums.size(), [&](size_t i) { return static_cast<T>(sums[i]); });
    } else {
      const double roundings = (is_complex(dtype_of<T>) ? 2 : 1) * static_cast<double>(n + 1);
      check_near<T>(
          name, rows, sums.size(), [&](size_t i) { return sums[i]; },
          [&](size_t i) { return roundings * kRounding<T> * magnitudes[i]; });
    }
  };
  const double flops = 2 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
  return {name, check, [=] { matmul(a, b); }, true, is_complex(dtype_of<T>) ? 4 * flops : flops};
}

// What is known of a random number: its range, and the mean and deviation of it and of its square.
struct Distribution {
  double least, most;
  double mean, deviation;
  double mean_square, deviation_square;
};

using Draw = Tensor (*)(Generator&, int64_t count, const Device&);

// The same bits as a CPU's, and means within 5 deviations.
Operation random_numbers(const Device& device, std::string_view what, int64_t n, Draw draw, const Distribution& known) {
  const std::string name = named<float>(what, {n});
  const auto check = [=] {
    Generator generator(1), same(1);
    const Tensor y = draw(generator, n, device);
    const std::vector<float> want = draw(same, n, Device::open("cpu")).to_vector<float>();
    check_same<float>(name, y, want.size(), [&](size_t i) { return want[i]; });
    double sum = 0, squares = 0;
    for (const float value : want) {
      const auto x = static_cast<double>(value);
      if (x < known.least || x > known.most) throw std::runtime_error(fmt::format("{}: got {}", name, x));
      sum += x;
      squares += x * x;
    }
    const auto check_mean = [&](double total, double mean, double deviation) {
      const double got = total / static_cast<double>(n);
      if (std::abs(got - mean) <= 5 * deviation / std::sqrt(static_cast<double>(n))) return;
      throw std::runtime_error(fmt::format("{}: expected a mean of {}, got {}", name, mean, got));
    };
    check_mean(sum, known.mean, known.deviation);
    check_mean(squares, known.mean_square, known.deviation_square);
  };
  const auto generator = std::make_shared<Generator>(2);
  return {name, check, [=] { draw(*generator, n, device); }};
}

Operation normal_numbers(const Device& device, int64_t n) {
  const Draw draw = [](Generator& generator, int64_t count, const Device& on) {
    return generator.normal({count}, DType::f32, on);
  };
  return random_numbers(device, "normal", n, draw, {-6.8, 6.8, 0, 1, 1, std::numbers::sqrt2});
}

Operation uniform_numbers(const Device& device, int64_t n) {
  const Draw draw = [](Generator& generator, int64_t count, const Device& on) {
    return generator.uniform({count}, DType::f32, on);
  };
  return random_numbers(device, "uniform", n, draw, {0, 1, 0.5, std::sqrt(1.0 / 12), 1.0 / 3, std::sqrt(4.0 / 45)});
}

Operation product_of_integers(const Device& device, int64_t n) {
  return arithmetic<int32_t>(device, "multiply", n, multiply, [](int32_t a, int32_t b) {
    return static_cast<int32_t>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
  });
}

template <class T>
Operation addition(const Device& device, int64_t n) {
  return arithmetic<T>(device, "add", n, add, [](T a, T b) { return a + b; });
}

Operation exponential(const Device& device, int64_t n) { return function<float>(device, "exp", n, exp, std::exp, 4); }
Operation hyperbolic_tangent(const Device& device, int64_t n) {
  return function<double>(device, "tanh", n, tanh, std::tanh, 16);
}

}  // namespace

std::vector<MakeOperation> array_operations(const Device& device) {
  constexpr int64_t kSmall = 10'000, kMiddle = 1'000'000, kLarge = 10'000'000, kSide = 1000;
  std::vector<MakeOperation> all;
  const auto put = [&](auto make, auto... arguments) { all.push_back([=] { return make(device, arguments...); }); };
  const auto of_sizes = [&](Operation (*make)(const Device&, int64_t), std::initializer_list<int64_t> sizes) {
    for (const int64_t size : sizes) put(make, size);
  };

  of_sizes(addition<float>, {kSmall, kMiddle, kLarge});
  of_sizes(addition<double>, {kMiddle, kLarge});
  of_sizes(product_of_integers, {kMiddle});
  of_sizes(exponential, {kMiddle, kLarge});
  of_sizes(hyperbolic_tangent, {kMiddle});
  of_sizes(choice, {kMiddle});
  of_sizes(conversion<int32_t, float>, {kMiddle, kLarge});
  of_sizes(conversion<float, f16>, {kMiddle});
  of_sizes(conversion<bf16, float>, {kMiddle});

  of_sizes(whole_sum<float>, {kSmall, kMiddle, kLarge});
  of_sizes(whole_sum<double>, {kMiddle, kLarge});
  put(axis_sum, kSide, kSide, 1);
  put(axis_sum, kSide, kSide, 0);
  of_sizes(greatest, {kMiddle, kLarge});
  put(first_greatest, kSide, kSide);
  of_sizes(whole_mean, {kMiddle});
  of_sizes(variance, {kMiddle});
  put(running_sum<float>, Shape{kMiddle}, named<float>("cumulative_sum", {kMiddle}));
  put(running_sum<float>, Shape{kSide, kSide}, named<float>("cumulative_sum", {kSide, kSide}));
  put(running_sum<int64_t>, Shape{kMiddle}, named<int64_t>("cumulative_sum", {kMiddle}));
  put(softmax_of_rows, kSide, kSide);

  for (const int64_t n : {kSmall, kMiddle, kLarge}) put(sorted, Shape{n}, named<float>("sort", {n}));
  put(sorted, Shape{kSide, kSide}, named<float>("sort", {kSide, kSide}));
  of_sizes(order, {kMiddle});

  put(rows_taken, 100'000, 64);
  of_sizes(elements_taken, {kMiddle});
  of_sizes(elements_selected, {kMiddle});
  of_sizes(elements_put, {kMiddle});
  put(transposed_copy, 4096, 4096);
  of_sizes(joined, {kMiddle});

  of_sizes(product<double>, {1024});
  of_sizes(product<int32_t>, {512});
  of_sizes(product<std::complex<float>>, {512});
  of_sizes(normal_numbers, {kMiddle, kLarge});
  of_sizes(uniform_numbers, {kMiddle, kLarge});
  return all;
}

}  // namespace tern::benchmarks
