// SPDX-License-Identifier: Apache-2.0
// Numbers as unsigned keys that are ordered alike, so that sorting knows integers only.

// Of an integer: the sign bit turned over. Of a float, by its bits: those below 0 turned over as a whole. NaNs are the
// greatest key, in both directions.
template <class Key, bool kFloat, bool kSigned>
struct SortKey {
  static constexpr int kBits = 8 * sizeof(Key);
  static constexpr Key kSign = static_cast<Key>(Key{1} << (kBits - 1)), kAll = static_cast<Key>(~Key{0});
  // The bits of infinity: the exponent's of the width's IEEE format, or of bf16.
  Key infinity;
  Key descending;  // kAll or 0

  bool is_nan(Key bits) const { return kFloat && static_cast<Key>(bits & ~kSign) > infinity; }

  // -0 comes just before 0.
  Key of(Key bits) const {
    if constexpr (kFloat) {
      const Key turned = static_cast<Key>(bits & kSign ? kAll : kSign);
      return is_nan(bits) ? kAll : static_cast<Key>((bits ^ turned) ^ descending);
    } else {
      return static_cast<Key>(bits ^ (kSigned ? kSign : 0) ^ descending);
    }
  }

  // -0 and 0 are the same.
  Key of_equals(Key bits) const { return of(kFloat && bits == kSign ? Key{0} : bits); }

  Key bits_of(Key key) const {
    if constexpr (kFloat) {
      if (key == kAll) return static_cast<Key>(infinity | (infinity >> 1));  // a quiet NaN
      const Key plain = static_cast<Key>(key ^ descending);
      return static_cast<Key>(plain ^ (plain & kSign ? kSign : kAll));
    } else {
      return static_cast<Key>(key ^ (kSigned ? kSign : 0) ^ descending);
    }
  }
};
