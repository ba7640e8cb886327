// SPDX-License-Identifier: Apache-2.0
// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw (Parallel Random Numbers: As Easy as 1, 2,
// 3; SC 2011): 128 random bits for every counter of 128 bits under a key of 64. What public random numbers are made of;
// random.h has the cheaper mixer of the models' and the datasets' own.
//
// Functions have internal linkage: kernels that are compiled for one instruction set include this.
#pragma once

#include <stdint.h>

namespace tern {

struct PhiloxBlock {
  uint32_t word[4];
};

static constexpr int kPhiloxRounds = 10;
static constexpr uint32_t kPhiloxFactors[2] = {0xD2511F53u, 0xCD9E8D57u};
static constexpr uint32_t kPhiloxSteps[2] = {0x9E3779B9u, 0xBB67AE85u};  // of the key

// One round on the words of a counter, or of many counters at once.
static constexpr void philox_round(uint32_t& c0, uint32_t& c1, uint32_t& c2, uint32_t& c3, uint32_t k0, uint32_t k1) {
  constexpr uint64_t kFactor0 = kPhiloxFactors[0], kFactor1 = kPhiloxFactors[1];
  const uint64_t product0 = kFactor0 * c0, product1 = kFactor1 * c2;
  c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ k0;
  c1 = static_cast<uint32_t>(product1);
  c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ k1;
  c3 = static_cast<uint32_t>(product0);
}

static constexpr PhiloxBlock philox(PhiloxBlock counter, uint64_t key) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    philox_round(counter.word[0], counter.word[1], counter.word[2], counter.word[3], k0, k1);
    constexpr uint32_t kStep0 = kPhiloxSteps[0], kStep1 = kPhiloxSteps[1];  // a GPU has no array of the host's
    k0 += kStep0;
    k1 += kStep1;
  }
  return counter;
}

// How random.h (include/tern) counts: blocks, and attempts where a number is drawn again.
static constexpr PhiloxBlock philox_counter(uint64_t block, uint32_t attempt) {
  return {{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), attempt, 0}};
}

}  // namespace tern
