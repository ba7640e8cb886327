// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers of the models and datasets: the same on every platform, addressable by (seed, counter).
// Those of arrays (tern/random.h) are by philox.h.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace tern {

// 64 random bits for one counter value: the finalizer of SplitMix64 (Steele, Lea, Flood 2014) over seed and counter,
// twice.
constexpr uint64_t random_bits(uint64_t seed, uint64_t counter) {
  auto mix = [](uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  };
  return mix(mix(seed + 0x9e3779b97f4a7c15u) + counter * 0x9e3779b97f4a7c15u);
}

// A sequence of random numbers; its whole state is (seed, position).
class Random {
 public:
  explicit Random(uint64_t seed, uint64_t position = 0) : seed_(seed), position_(position) {}

  uint64_t bits() { return random_bits(seed_, position_++); }
  // Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  // Uniform in [0, bound), bound > 0; the bias of the multiply-shift method is below 2^-32 for bound < 2^32.
  uint64_t below(uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    return static_cast<uint64_t>((static_cast<Wide>(bits()) * bound) >> 64);
  }
  // Standard normal, Box-Muller (the cosine half).
  double normal() {
    const double u = 1.0 - uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * uniform());
  }
  uint64_t position() const { return position_; }

 private:
  uint64_t seed_;
  uint64_t position_;
};

}  // namespace tern
