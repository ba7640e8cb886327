// SPDX-License-Identifier: Apache-2.0
#include "base/philox.h"

#include <gtest/gtest.h>

#include <array>

namespace tern {
namespace {

using Words = std::array<uint32_t, 4>;

Words words_of(const Words& counter, uint32_t k0, uint32_t k1) {
  const PhiloxBlock block = philox({{counter[0], counter[1], counter[2], counter[3]}}, uint64_t{k1} << 32 | k0);
  return {block.word[0], block.word[1], block.word[2], block.word[3]};
}

// The known answers that its authors publish with it (Random123, kat_vectors, philox4x32 10).
TEST(Philox, GivesTheKnownAnswers) {
  constexpr uint32_t kOnes = 0xffffffffu;
  EXPECT_EQ(words_of({0, 0, 0, 0}, 0, 0), (Words{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
  EXPECT_EQ(words_of({kOnes, kOnes, kOnes, kOnes}, kOnes, kOnes),
            (Words{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
  EXPECT_EQ(words_of({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, 0xa4093822u, 0x299f31d0u),
            (Words{0xd16cfe09u, 0x94fdcceb, 0x5001e420u, 0x24126ea1u}));
}

}  // namespace
}  // namespace tern
