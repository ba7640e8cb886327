// SPDX-License-Identifier: Apache-2.0
// Eight fields of k bits, side by side, to the low bits of eight bytes and back, without instructions of a set.

constexpr uint64_t kOnes = 0x0101010101010101u;

// k bits from the bottom of each byte.
template <int k>
constexpr uint64_t kLowBits = kOnes*((1u << k) - 1);

// In three steps that halve the distance. What lies beyond the fields is ignored.
struct Fields {
  template <int k>
  static uint64_t spread(uint64_t x) {
    x = apart<32, 4 * k>(x);
    x = apart<16, 2 * k>(x);
    return apart<8, k>(x);
  }
  template <int k>
  static uint64_t gather(uint64_t x) {
    x = together<8, k>(x);
    x = together<16, 2 * k>(x);
    return together<32, 4 * k>(x);
  }

 private:
  // The lower of each pair of fields of `bits` bits, pairs `2 · distance` bits apart.
  template <int distance, int bits>
  static constexpr uint64_t kLower = (distance == 32   ? 1
                                      : distance == 16 ? 0x0000000100000001u
                                                       : 0x0001000100010001u) *
                                     ((uint64_t{1} << bits) - 1);

  template <int distance, int bits>
  static uint64_t apart(uint64_t x) {
    return (x & kLower<distance, bits>) | ((x << (distance - bits)) & (kLower<distance, bits> << distance));
  }
  template <int distance, int bits>
  static uint64_t together(uint64_t x) {
    return (x & kLower<distance, bits>) | ((x & (kLower<distance, bits> << distance)) >> (distance - bits));
  }
};
