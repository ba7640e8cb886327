// SPDX-License-Identifier: Apache-2.0
// How many tokens to guess ahead.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tern {

// Grows while guesses are right, shrinks while they are wrong, and pauses for longer and longer when none is right.
class DraftLength {
 public:
  explicit DraftLength(int64_t most) : most_(most), length_(std::min<int64_t>(most, 4)) {}

  // Tokens to guess in this step; 0 in a pause.
  int64_t next() {
    if (pause_ == 0) return length_;
    --pause_;
    return 0;
  }

  // What became of them.
  void update(int64_t drafted, int64_t accepted) {
    if (drafted == 0) return;
    if (accepted == drafted) {
      length_ = std::min(most_, length_ + 2);
    } else {
      length_ = std::min(most_, std::max(accepted + 1, length_ / 2));
    }
    failures_ = accepted > 0 ? 0 : std::min(failures_ + 1, kMostFailures);
    if (failures_ >= kPatience) pause_ = int64_t{1} << (failures_ - kPatience + 1);
  }

 private:
  static constexpr int kPatience = 2, kMostFailures = 6;  // pauses of 2 to 32 steps

  int64_t most_, length_;
  int64_t pause_ = 0;
  int failures_ = 0;  // steps in a row without a right guess
};

}  // namespace tern
