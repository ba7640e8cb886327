// SPDX-License-Identifier: Apache-2.0
// Values in int8 to packed bytes and back (tern/packed_type.h draws those), a word of eight at a time. F is the
// instruction set's Fields (packed_fields.inl).

// Bytewise, for bytes below 128 in x and y.
inline uint64_t less_bytes(uint64_t x, uint64_t y) { return ((x | 0x80 * kOnes) - y) ^ 0x80 * kOnes; }
// Bytewise, for sums below 128.
inline uint64_t more_bytes(uint64_t x, uint64_t y) { return ((x & 0x7f * kOnes) + y) ^ (x & 0x80 * kOnes); }

// Eight values in bytes <-> eight fields in bytes.
template <int bits>
struct SignedField {
  static constexpr int kBits = bits;
  static constexpr uint64_t kSign = kOnes << (bits - 1);
  static uint64_t values(uint64_t fields) { return less_bytes(fields ^ kSign, kSign); }
  static uint64_t fields(uint64_t values) { return values & kLowBits<bits>; }
};
template <int bits>
struct UnsignedField {
  static constexpr int kBits = bits;
  static uint64_t values(uint64_t fields) { return fields; }
  static uint64_t fields(uint64_t values) { return values & kLowBits<bits>; }
};
struct TernaryField {
  static constexpr int kBits = 2;
  static uint64_t values(uint64_t fields) { return less_bytes(fields, kOnes); }
  static uint64_t fields(uint64_t values) { return more_bytes(values, kOnes) & kLowBits<2>; }
};
struct SignField {
  static constexpr int kBits = 1;
  static uint64_t values(uint64_t fields) { return less_bytes(fields << 1, kOnes); }
  static uint64_t fields(uint64_t values) { return (~values >> 7) & kOnes; }
};

inline uint64_t word_at(const void* from) {
  uint64_t word;
  memcpy(&word, from, sizeof word);
  return word;
}
inline void put_word(void* to, uint64_t word) { memcpy(to, &word, sizeof word); }

// How many groups of `size` bytes, one after the other from the start of `bytes`, have eight bytes that are there.
inline int64_t whole_words(int64_t bytes, int64_t size) { return bytes < 8 ? 0 : (bytes - 8) / size + 1; }

template <class F, class Field>
struct FieldCode {
  static constexpr int64_t k = Field::kBits;

  // n values at x, where eight more bytes may be read.
  static void encode(const int8_t* x, int64_t n, uint8_t* y) {
    const int64_t whole = n / 8, fast = smaller(whole, whole_words((n * k + 7) / 8, k));
    const auto packed = [x](int64_t group) { return F::template gather<k>(Field::fields(word_at(x + 8 * group))); };
    int64_t group = 0;
    for (; group < fast; ++group) put_word(y + k * group, packed(group));
    for (; group < whole; ++group) {
      const uint64_t word = packed(group);
      memcpy(y + k * group, &word, k);
    }
    if (const int64_t rest = n % 8; rest != 0) {
      const uint64_t word = packed(group) & ((uint64_t{1} << (rest * k)) - 1);
      memcpy(y + k * group, &word, static_cast<size_t>((rest * k + 7) / 8));
    }
  }

  static void decode(const uint8_t* x, int64_t n, int8_t* y) {
    const int64_t whole = n / 8, fast = smaller(whole, whole_words((n * k + 7) / 8, k));
    const auto unpack = [](uint64_t word) { return Field::values(F::template spread<k>(word)); };
    int64_t group = 0;
    for (; group < fast; ++group) put_word(y + 8 * group, unpack(word_at(x + k * group)));
    for (; group < whole; ++group) {
      uint64_t word = 0;
      memcpy(&word, x + k * group, k);
      put_word(y + 8 * group, unpack(word));
    }
    if (const int64_t rest = n % 8; rest != 0) {
      uint64_t word = 0;
      memcpy(&word, x + k * group, static_cast<size_t>((rest * k + 7) / 8));
      word = unpack(word);
      memcpy(y + 8 * group, &word, static_cast<size_t>(rest));
    }
  }
};

// The five values of each byte of base 3, and three bytes of no meaning, as a word; of a byte beyond 242 too, which
// only somebody's writing into the bytes can make.
struct Base3Words {
  uint64_t at[256];
};
constexpr Base3Words make_base3_words() {
  Base3Words words = {};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t rest = byte;
    for (int i = 0; i < 5; ++i, rest /= 3) {
      const uint64_t value = (rest % 3 + 255) & 255;
      words.at[byte] |= value << (8 * i);
    }
  }
  return words;
}
constexpr Base3Words kBase3Words = make_base3_words();

struct Base3Code {
  // d0 + 3·d1 + … of five digits in bytes: byte 4 of a product, where no lower byte carries.
  static uint8_t number(uint64_t digits) {
    constexpr uint64_t kPowers = (uint64_t{1} << 32) | (3u << 24) | (9u << 16) | (27u << 8) | 81u;
    return static_cast<uint8_t>((digits * kPowers) >> 32);
  }

  static void encode(const int8_t* x, int64_t n, uint8_t* y) {
    const auto digits = [x](int64_t byte) { return TernaryField::fields(word_at(x + 5 * byte)); };
    const int64_t whole = n / 5;
    for (int64_t byte = 0; byte < whole; ++byte) y[byte] = number(digits(byte));
    if (const int64_t rest = n % 5; rest != 0) y[whole] = number(digits(whole) & ((uint64_t{1} << (8 * rest)) - 1));
  }

  static void decode(const uint8_t* x, int64_t n, int8_t* y) {
    const int64_t whole = n / 5, fast = smaller(whole, whole_words(n, 5));
    int64_t byte = 0;
    for (; byte < fast; ++byte) put_word(y + 5 * byte, kBase3Words.at[x[byte]]);
    for (; byte < whole; ++byte) memcpy(y + 5 * byte, &kBase3Words.at[x[byte]], 5);
    if (const int64_t rest = n % 5; rest != 0) {
      memcpy(y + 5 * byte, &kBase3Words.at[x[byte]], static_cast<size_t>(rest));
    }
  }
};

// Calls fn(Code{}) with what encodes and decodes a type.
template <class F, class Fn>
void with_code(PackedType type, const Fn& fn) {
  switch (type) {
    case PackedType::ternary:
      return fn(Base3Code{});
    case PackedType::ternary2:
      return fn(FieldCode<F, TernaryField>{});
    case PackedType::sign1:
      return fn(FieldCode<F, SignField>{});
    case PackedType::i2:
      return fn(FieldCode<F, SignedField<2>>{});
    case PackedType::i3:
      return fn(FieldCode<F, SignedField<3>>{});
    case PackedType::i4:
      return fn(FieldCode<F, SignedField<4>>{});
    case PackedType::i5:
      return fn(FieldCode<F, SignedField<5>>{});
    case PackedType::i6:
      return fn(FieldCode<F, SignedField<6>>{});
    case PackedType::i7:
      return fn(FieldCode<F, SignedField<7>>{});
    case PackedType::u1:
      return fn(FieldCode<F, UnsignedField<1>>{});
    case PackedType::u2:
      return fn(FieldCode<F, UnsignedField<2>>{});
    case PackedType::u3:
      return fn(FieldCode<F, UnsignedField<3>>{});
    case PackedType::u4:
      return fn(FieldCode<F, UnsignedField<4>>{});
    case PackedType::u5:
      return fn(FieldCode<F, UnsignedField<5>>{});
    case PackedType::u6:
      return fn(FieldCode<F, UnsignedField<6>>{});
    case PackedType::u7:
      return fn(FieldCode<F, UnsignedField<7>>{});
  }
}

using Encode = void (*)(const int8_t* x, int64_t n, uint8_t* y);
using Decode = void (*)(const uint8_t* x, int64_t n, int8_t* y);

template <class F>
Encode encode_of(PackedType type) {
  Encode found = nullptr;
  with_code<F>(type, [&](auto code) { found = decltype(code)::encode; });
  return found;
}
template <class F>
Decode decode_of(PackedType type) {
  Decode found = nullptr;
  with_code<F>(type, [&](auto code) { found = decltype(code)::decode; });
  return found;
}
