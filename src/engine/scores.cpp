// SPDX-License-Identifier: Apache-2.0
#include "engine/scores.h"

#include <algorithm>

namespace tern {
namespace {

constexpr size_t kLanes = 16;  // independent comparisons, so that compilers take vectors
constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

void forbid(std::span<float> values, std::span<const uint64_t> allowed) {
  for (size_t word = 0; word < allowed.size(); ++word) {
    if (allowed[word] == ~uint64_t{0}) continue;
    const size_t end = std::min(values.size(), 64 * (word + 1));
    for (size_t i = 64 * word; i < end; ++i) {
      if ((allowed[word] >> (i % 64) & 1) == 0) values[i] = -kInfinity;
    }
  }
}

float largest_of(std::span<const float> values) {
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, -kInfinity);
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) lanes[l] = values[i + l] > lanes[l] ? values[i + l] : lanes[l];
  }
  float largest = -kInfinity;
  for (const float lane : lanes) largest = std::max(largest, lane);
  for (; i < values.size(); ++i) largest = values[i] > largest ? values[i] : largest;
  return largest;
}

bool all_below_infinity(std::span<const float> values) {
  int bad[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes) {
    for (size_t l = 0; l < kLanes; ++l) bad[l] |= !(values[i + l] < kInfinity);
  }
  for (; i < values.size(); ++i) bad[0] |= !(values[i] < kInfinity);
  return std::all_of(bad, bad + kLanes, [](int b) { return b == 0; });
}

void BestTokens::add(std::span<const float> values) {
  // A block whose largest value is below the least does not concern us; most are.
  constexpr size_t kBlock = 256;
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const auto block = values.subspan(begin, std::min(kBlock, values.size() - begin));
    if (static_cast<double>(largest_of(block)) < least_) continue;
    for (size_t i = 0; i < block.size(); ++i) {
      if (block[i] > -kInfinity) add({static_cast<int32_t>(begin + i), static_cast<double>(block[i])});
    }
  }
}

void BestTokens::shrink() {
  if (tokens_.size() <= k_) return;
  std::nth_element(tokens_.begin(), tokens_.begin() + static_cast<std::ptrdiff_t>(k_ - 1), tokens_.end(), better);
  tokens_.resize(k_);
  least_ = tokens_.back().score;
}

std::vector<ScoredToken> BestTokens::take() {
  shrink();
  return std::move(tokens_);
}

}  // namespace tern
