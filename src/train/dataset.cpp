// SPDX-License-Identifier: Apache-2.0
#include "train/dataset.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/random.h"

namespace tern {
namespace {

constexpr int kRounds = 4;
constexpr uint64_t kOrderStream = 0x6f72646572, kOffsetStream = 0x6f6666736574;  // "order", "offset"

uint64_t feistel(uint64_t value, int half_bits, uint64_t key) {
  const uint64_t mask = (uint64_t{1} << half_bits) - 1;
  uint64_t left = value >> half_bits, right = value & mask;
  for (uint64_t round = 0; round < kRounds; ++round) {
    const uint64_t mixed = left ^ (random_bits(key + round, right) & mask);
    left = right;
    right = mixed;
  }
  return (left << half_bits) | right;
}

}  // namespace

uint64_t permuted(uint64_t index, uint64_t count, uint64_t key) {
  const int half_bits = (std::bit_width(count - 1) + 1) / 2;
  do {
    index = feistel(index, half_bits, key);
  } while (index >= count);
  return index;
}

WindowSampler::WindowSampler(int64_t tokens, int64_t length, uint64_t seed)
    : tokens_(tokens), length_(length), windows_(std::max<int64_t>(1, tokens / length - 1)), seed_(seed) {
  check(tokens > length, "train", "expected a training text of at least {} tokens (sequence_length + 1), got {}",
        length + 1, tokens);
}

int64_t WindowSampler::window_begin(int64_t sample) const {
  const auto epoch = static_cast<uint64_t>(sample / windows_);
  const int64_t offsets = tokens_ - windows_ * length_;
  const auto offset = static_cast<int64_t>(Random(seed_ ^ kOffsetStream, epoch).below(static_cast<uint64_t>(offsets)));
  const auto window = permuted(static_cast<uint64_t>(sample % windows_), static_cast<uint64_t>(windows_),
                               random_bits(seed_ ^ kOrderStream, epoch));
  return offset + static_cast<int64_t>(window) * length_;
}

TokenBatch make_batch(std::span<const int32_t> text, const WindowSampler& sampler, int64_t first, int64_t rows,
                      int64_t length) {
  TokenBatch batch{rows, {}, {}};
  for (int64_t row = 0; row < rows; ++row) {
    const auto window =
        text.subspan(static_cast<size_t>(sampler.window_begin(first + row)), static_cast<size_t>(length) + 1);
    batch.ids.insert(batch.ids.end(), window.begin(), window.end() - 1);
    batch.targets.insert(batch.targets.end(), window.begin() + 1, window.end());
  }
  return batch;
}

}  // namespace tern
