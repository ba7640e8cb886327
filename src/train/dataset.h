// SPDX-License-Identifier: Apache-2.0
// The order in which training sees its text: any sample by its number, so that a resumed run replays nothing.
#pragma once

#include <cstdint>
#include <span>

#include "tern/model.h"

namespace tern {

// A permutation of 0 … count-1 chosen by `key`, at `index`: a Feistel network of four rounds on the smallest even
// number of bits that covers count, walked along its cycle until the value is in range.
uint64_t permuted(uint64_t index, uint64_t count, uint64_t key);

// Windows of length + 1 tokens (length inputs, and the same shifted by one as targets), `length` apart, of a text of
// `tokens` tokens. Every epoch starts at an offset of its own and takes its windows in an order of its own; both follow
// from (seed, epoch). All epochs have the same number of windows, at most one less than fit.
class WindowSampler {
 public:
  // Throws Error when the text is shorter than one window.
  WindowSampler(int64_t tokens, int64_t length, uint64_t seed);

  int64_t windows_per_epoch() const { return windows_; }
  // The first token of the sample's window; sample counts from 0 over all epochs.
  int64_t window_begin(int64_t sample) const;

 private:
  int64_t tokens_, length_, windows_;
  uint64_t seed_;
};

// The windows of the samples first, …, first + rows - 1.
TokenBatch make_batch(std::span<const int32_t> text, const WindowSampler& sampler, int64_t first, int64_t rows,
                      int64_t length);

}  // namespace tern
