// SPDX-License-Identifier: Apache-2.0
// Random choices of tests that try many cases.
#pragma once

#include <cstdint>
#include <random>
#include <type_traits>

namespace tern::testing {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  uint32_t below(int64_t end) { return static_cast<uint32_t>(engine_() % static_cast<uint64_t>(end)); }
  bool one_in(int64_t n) { return below(n) == 0; }
  float normal() { return normal_(engine_); }
  template <class... T>
  auto pick(T... values) {
    const std::common_type_t<T...> all[] = {values...};
    return all[below(sizeof...(T))];
  }

 private:
  std::mt19937 engine_;
  std::normal_distribution<float> normal_;
};

}  // namespace tern::testing
