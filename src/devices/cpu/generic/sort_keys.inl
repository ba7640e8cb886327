// SPDX-License-Identifier: Apache-2.0
// Numbers as unsigned keys that are ordered alike, so that sorting knows unsigned integers only.

// Of an integer: the sign bit turned over, and all bits where the order descends.
template <class Key>
struct IntegerKey {
  static constexpr bool kIsFloat = false;
  static constexpr Key kSign = static_cast<Key>(Key{1} << (8 * sizeof(Key) - 1)), kAll = static_cast<Key>(~Key{0});
  Key turned;

  Key of(Key bits) const { return static_cast<Key>(bits ^ turned); }
  Key of_equals(Key bits) const { return of(bits); }
  Key bits_of(Key key) const { return static_cast<Key>(key ^ turned); }
};

// Of a float, by its bits: the sign bit turned over, those below 0 as a whole. NaNs are the greatest key, in both
// directions.
template <class Key>
struct FloatKey {
  static constexpr bool kIsFloat = true;
  static constexpr Key kSign = static_cast<Key>(Key{1} << (8 * sizeof(Key) - 1)), kAll = static_cast<Key>(~Key{0});
  // The bits of infinity: the exponent's of the width's IEEE format, or of bf16.
  Key infinity;
  Key descending;  // kAll or 0

  bool is_nan(Key bits) const { return static_cast<Key>(bits & ~kSign) > infinity; }

  // -0 comes just before 0.
  Key of(Key bits) const {
    const Key turned = static_cast<Key>(bits & kSign ? kAll : kSign);
    return is_nan(bits) ? kAll : static_cast<Key>((bits ^ turned) ^ descending);
  }

  // -0 and 0 are the same.
  Key of_equals(Key bits) const { return of(bits == kSign ? Key{0} : bits); }

  Key bits_of(Key key) const {
    if (key == kAll) return static_cast<Key>(infinity | (infinity >> 1));  // a quiet NaN
    const Key plain = static_cast<Key>(key ^ descending);
    return static_cast<Key>(plain ^ (plain & kSign ? kSign : kAll));
  }
};
