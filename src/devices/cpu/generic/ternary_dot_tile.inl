// SPDX-License-Identifier: Apache-2.0
// TernaryTile for instruction sets with a dot product of bytes (vpdpbusd, sdot): it adds four products of a digit and
// an activation to each int32 lane, so a row of a tile keeps its lane throughout and no sum is narrower than int32.
//
// The instruction set gives Dot:
//   Int32, Words, Bytes     GNU vectors of int32_t, uint16_t and int8_t: one register each
//   add(sum, u, q)          sum[lane] += Σ u[4·lane + s]·q[4·lane + s], s = 0 … 3: bytes 0 <= u < 128, q signed
//   kMaxRows                activation rows of multiply_tile: kMaxRows·64 / sizeof(Int32) accumulators
//   kFewRows                activation rows of dot_rows: as many accumulators beside the digits as they come
//   kTilesAtOnce            tiles whose sums dot() keeps apart, to hide the latency of add

template <class Dot>
struct TernaryDotTile : GenericTernaryTile<TernaryDotTile<Dot>> {
  using Int32 = typename Dot::Int32;
  using Words = typename Dot::Words;
  using Bytes = typename Dot::Bytes;

  static constexpr int64_t kMaxRows = Dot::kMaxRows;
  static constexpr int64_t kMaxGroups = 1;
  static constexpr int64_t kFewRows = Dot::kFewRows;
  static constexpr int64_t kBytes = sizeof(Int32), kLanes = kBytes / 4;
  static constexpr int kParts = kTernaryTileBytes / kBytes;  // registers of a tile

  static Int32 four(const int8_t* q) { return four_activations<Int32>(q); }
  static void add_onto(uint32_t* sums, Int32 v) { store_vector(sums, load_vector<Int32>(sums) + v); }

  // The odd quads of columns keep their place two bits up and count four times in `high`: two shifts instead of four.
  static void add_tile(const uint8_t* tile, const int8_t* q, Int32* low, Int32* high) {
    const Int32 q0 = four(q), q1 = four(q + 4), q2 = four(q + 8), q3 = four(q + 12);
    for (int part = 0; part < kParts; ++part) {
      const Words v = load_vector<Words>(tile + part * kBytes), w = v >> 4;
      Dot::add(low[part], v & 0x0303, q0);
      Dot::add(high[part], v & 0x0c0c, q1);
      Dot::add(low[part], w & 0x0303, q2);
      Dot::add(high[part], w & 0x0c0c, q3);
    }
  }

  // A lane of `high` grows by at most 2·4·8·128 in a tile: it stays within 2^30, where its shift is exact.
  static constexpr int64_t kTilesInInt32 = int64_t{1} << 17;

  static void dot(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    memset(out, 0, kTernaryRows * sizeof *out);
    while (count > 0) {
      const int64_t some = smaller(count, kTilesInInt32);
      dot_int32(tiles, some, q, ahead, out);
      tiles += some * kTernaryTileBytes;
      q += some * 16;
      count -= some;
    }
  }

  static void dot_int32(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    constexpr int kTilesAtOnce = Dot::kTilesAtOnce;
    Int32 low[kTilesAtOnce * kParts] = {}, high[kTilesAtOnce * kParts] = {};
    for (; count >= kTilesAtOnce; count -= kTilesAtOnce) {
      for (int i = 0; i < kTilesAtOnce; ++i, tiles += kTernaryTileBytes, q += 16) {
        __builtin_prefetch(tiles + ahead);
        add_tile(tiles, q, low + i * kParts, high + i * kParts);
      }
    }
    for (; count > 0; --count, tiles += kTernaryTileBytes, q += 16) add_tile(tiles, q, low, high);
    for (int i = 0; i < kTilesAtOnce * kParts; ++i) add_onto(out + i % kParts * kLanes, low[i] + (high[i] >> 2));
  }

  static void dot_base3(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    dot_rows<TernaryLayout::base3, 1>(tiles, count, q, 0, ahead, out);
  }

  // The quads of a part of a tile, one after the other.
  struct TwoBitDigits {
    Words v;
    void start(const uint8_t* part) { v = load_vector<Words>(part); }
    Words next() {
      const Words u = v & 0x0303;
      v >>= 2;
      return u;
    }
  };
  // v - 128 as a signed byte compares with the two borders 256/3 and 512/3; three times that is 3v - 128.
  struct Base3Digits {
    typedef uint8_t Wrapping __attribute__((vector_size(sizeof(Bytes))));
    Wrapping v;
    void start(const uint8_t* part) {
      v = reinterpret_cast<Wrapping>(load_vector<Bytes>(part) ^ static_cast<int8_t>(-128));
    }
    Words next() {
      const Bytes signs = reinterpret_cast<Bytes>(v);
      const Bytes minus = (signs > static_cast<int8_t>(85 - 128)) + (signs > static_cast<int8_t>(170 - 128));
      v += v + v;
      return reinterpret_cast<Words>(-minus);
    }
  };
  template <TernaryLayout kLayout>
  using Digits = std::conditional_t<kLayout == TernaryLayout::base3, Base3Digits, TwoBitDigits>;

  template <TernaryLayout kLayout, int kRows>
  static void dot_rows(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t q_stride, int64_t ahead,
                       uint32_t* out) {
    Int32 sum[kRows * kParts] = {};
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes) {
      __builtin_prefetch(tiles + ahead);
      Digits<kLayout> digits[kParts];
      for (int part = 0; part < kParts; ++part) digits[part].start(tiles + part * kBytes);
      for (int64_t quad = 0; quad < tile_quads(kLayout); ++quad, q += 4) {
        Words u[kParts];
        for (int part = 0; part < kParts; ++part) u[part] = digits[part].next();
        for (int row = 0; row < kRows; ++row) {
          const Int32 x = four(q + row * q_stride);
          for (int part = 0; part < kParts; ++part) Dot::add(sum[row * kParts + part], u[part], x);
        }
      }
    }
    for (int i = 0; i < kRows * kParts; ++i) store_vector(out + i * kLanes, sum[i]);
  }

  template <TernaryLayout kLayout>
  static void unpack_tiles(const uint8_t* tiles, int64_t count, uint8_t* u) {
    constexpr int64_t kQuads = tile_quads(kLayout);
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes, u += kQuads * kQuadBytes) {
      for (int part = 0; part < kParts; ++part) {
        Digits<kLayout> digits;
        digits.start(tiles + part * kBytes);
        for (int64_t quad = 0; quad < kQuads; ++quad) {
          store_vector(u + quad * kQuadBytes + part * kBytes, digits.next());
        }
      }
    }
  }
  static void unpack(const uint8_t* tiles, int64_t count, uint8_t* u) {
    unpack_tiles<TernaryLayout::two_bit>(tiles, count, u);
  }
  static void unpack_base3(const uint8_t* tiles, int64_t count, uint8_t* u) {
    unpack_tiles<TernaryLayout::base3>(tiles, count, u);
  }

  template <int kRows, int kGroups>
  static void multiply_tile(const uint8_t* u, int64_t, int64_t quads, const int8_t* q, int64_t q_stride,
                            uint32_t* acc) {
    static_assert(kGroups == 1);
    Int32 sum[kRows * kParts] = {};
    for (; quads > 0; --quads, u += kQuadBytes, q += 4) {
      Words weights[kParts];
      for (int part = 0; part < kParts; ++part) weights[part] = load_vector<Words>(u + part * kBytes);
      for (int row = 0; row < kRows; ++row) {
        const Int32 x = four(q + row * q_stride);
        for (int part = 0; part < kParts; ++part) Dot::add(sum[row * kParts + part], weights[part], x);
      }
    }
    for (int i = 0; i < kRows * kParts; ++i) add_onto(acc + i * kLanes, sum[i]);
  }
};
