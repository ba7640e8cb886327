// SPDX-License-Identifier: Apache-2.0
// Operands of array operations, and their results beside what a loop on the host makes.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tern/tensor.h"

namespace tern::benchmarks {

// Normal floats; all bits of an integer.
template <class T>
T drawn_number(Random& random) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(random.bits());
  } else if constexpr (is_complex(dtype_of<T>)) {
    using Part = typename T::value_type;
    const auto real = static_cast<Part>(random.normal());
    return {real, static_cast<Part>(random.normal())};
  } else if constexpr (std::is_same_v<T, double>) {
    return random.normal();
  } else {
    return static_cast<T>(static_cast<float>(random.normal()));
  }
}

template <class T>
Tensor drawn(const Device& device, const Shape& shape, uint64_t seed) {
  Random random(seed);
  std::vector<T> x(static_cast<size_t>(shape.numel()));
  for (T& value : x) value = drawn_number<T>(random);
  return Tensor::from(x, shape, device);
}

// i64 numbers from [0, bound).
inline Tensor drawn_indices(const Device& device, int64_t count, int64_t bound, uint64_t seed) {
  Random random(seed);
  std::vector<int64_t> x(static_cast<size_t>(count));
  for (int64_t& value : x) value = static_cast<int64_t>(random.below(static_cast<uint64_t>(bound)));
  return Tensor::from(x, {count}, device);
}

// 0 … count-1 in random order.
inline Tensor drawn_order(const Device& device, int64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<int64_t> x(static_cast<size_t>(count));
  std::iota(x.begin(), x.end(), 0);
  for (size_t left = x.size(); left > 1; --left) std::swap(x[left - 1], x[random.below(left)]);
  return Tensor::from(x, {count}, device);
}

// true and false, as bytes on the host and as a mask.
inline std::vector<uint8_t> drawn_bits(int64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<uint8_t> x(static_cast<size_t>(count));
  for (uint8_t& value : x) value = static_cast<uint8_t>(random.bits() >> 63);
  return x;
}
inline Tensor mask_of(const Device& device, const std::vector<uint8_t>& bits) {
  return Tensor::from_bytes(std::as_bytes(std::span(bits)), {std::ssize(bits)}, DType::boolean, device);
}

inline void check_count(const std::string& name, size_t got, size_t want) {
  if (got != want) throw std::runtime_error(fmt::format("{}: expected {} elements, got {}", name, want, got));
}

// y[i] == want(i), a T.
template <class T, class Want>
void check_same(const std::string& name, const Tensor& y, size_t count, const Want& want) {
  const std::vector<T> got = y.to_vector<T>();
  check_count(name, got.size(), count);
  for (size_t i = 0; i < count; ++i) {
    const T expected = want(i);
    bool same = false;
    if constexpr (requires { expected.bits; }) {
      same = got[i].bits == expected.bits;
    } else {
      same = got[i] == expected;
    }
    if (!same) throw std::runtime_error(fmt::format("{}: element {} is not what the host makes", name, i));
  }
}

// |y[i] - want(i)| <= bound(i).
template <class T, class Want, class Bound>
void check_near(const std::string& name, const Tensor& y, size_t count, const Want& want, const Bound& bound) {
  const std::vector<T> got = y.to_vector<T>();
  check_count(name, got.size(), count);
  for (size_t i = 0; i < count; ++i) {
    const auto expected = want(i);
    const auto error = static_cast<double>(std::abs(static_cast<decltype(want(i))>(got[i]) - expected));
    if (error <= bound(i)) continue;
    throw std::runtime_error(fmt::format("{}: element {} is off by {}, expected at most {}", name, i, error, bound(i)));
  }
}

// The lines along the middle axis of [outer, extent, inner].
struct Lines {
  int64_t outer, extent, inner;

  size_t count() const { return static_cast<size_t>(outer * inner); }
  // Where element k of a line is.
  size_t at(size_t line, int64_t k) const {
    const auto l = static_cast<int64_t>(line);
    return static_cast<size_t>((l / inner * extent + k) * inner + l % inner);
  }
};

}  // namespace tern::benchmarks
