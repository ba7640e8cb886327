// SPDX-License-Identifier: Apache-2.0
// Eight fields of k bits, side by side, to the low bits of eight bytes and back, by BMI2: one instruction, where
// packed_fields.inl takes twelve. (Zen 1 and 2 have it in microcode, where it is the slower one.)

constexpr uint64_t kOnes = 0x0101010101010101u;

// k bits from the bottom of each byte.
template <int k>
constexpr uint64_t kLowBits = kOnes*((1u << k) - 1);

struct Fields {
  template <int k>
  static uint64_t spread(uint64_t x) {
    return _pdep_u64(x, kLowBits<k>);
  }
  template <int k>
  static uint64_t gather(uint64_t x) {
    return _pext_u64(x, kLowBits<k>);
  }
};
