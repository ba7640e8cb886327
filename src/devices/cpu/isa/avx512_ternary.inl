// SPDX-License-Identifier: Apache-2.0
// TernaryTile on AVX-512 VNNI: vpdpbusd adds four byte products to each int32 lane, so a row of a tile keeps its lane
// throughout. Accumulators are vectors of their element type for g++ 12's sake (see avx2_pairs.inl).

struct Avx512Tile : GenericTernaryTile<Avx512Tile> {
  static constexpr int64_t kMaxRows = 12;
  static constexpr int64_t kMaxGroups = 2;  // 24 accumulators of 32 registers; each broadcast serves two products
  static constexpr int64_t kFewRows = 8;    // 16 accumulators beside the digits as they come
  static constexpr int64_t kFewPasses = 4;  // unpacking for 16 rows instead: 50 tokens/s, not 69 (one Zen 4 core)

  typedef int32_t Int32 __attribute__((vector_size(64)));

  static __m512i load(const void* p) { return _mm512_loadu_si512(p); }

  // Four activations in every lane.
  static __m512i four(const int8_t* q) {
    int32_t bits;
    memcpy(&bits, q, sizeof bits);
    return _mm512_set1_epi32(bits);
  }

  static void add(Int32& sum, __m512i u, __m512i q) {
    sum = reinterpret_cast<Int32>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), u, q));
  }

  static void prefetch(const uint8_t* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }

  // Sums over a run of two_bit tiles. The odd quads of columns keep their place two bits up and count four times in
  // `high`, which saves two of the four shifts.
  struct Sums {
    Int32 low0 = {}, low1 = {}, high0 = {}, high1 = {};

    // A lane of high0 or high1 grows by at most 4·2·128·4 in a tile: it stays within 2^29, where its shift is exact.
    static constexpr int64_t kMostTiles = int64_t{1} << 17;
    static constexpr int64_t kCols = 16;

    void add_tile(const uint8_t* tile, const int8_t* q) {
      const __m512i even = _mm512_set1_epi8(0x03), odd = _mm512_set1_epi8(0x0c);
      const __m512i v = load(tile), w = _mm512_srli_epi16(v, 4);
      add(low0, _mm512_and_si512(v, even), four(q));
      add(high0, _mm512_and_si512(v, odd), four(q + 4));
      add(low1, _mm512_and_si512(w, even), four(q + 8));
      add(high1, _mm512_and_si512(w, odd), four(q + 12));
    }

    Int32 total() const { return low0 + low1 + ((high0 + high1) >> 2); }
  };

  // The same over base3 tiles, without a digit: 3v = 256·digit + v', so Σ digit·q = (3·Σ v·q - Σ v'·q) / 256, exactly.
  struct Base3Sums {
    Int32 before0 = {}, before1 = {}, after0 = {}, after1 = {};

    // 256·2·128·20 a tile stay below 2^31; 3·Σ v·q may wrap, the difference does not.
    static constexpr int64_t kMostTiles = 1024;
    static constexpr int64_t kCols = 20;

    static __m512i triple(__m512i v) { return _mm512_add_epi8(v, _mm512_add_epi8(v, v)); }

    void add_tile(const uint8_t* tile, const int8_t* q) {
      __m512i v = load(tile);
      for (int p = 0; p < 5; ++p) {
        const __m512i x = four(q + 4 * p);
        add(p % 2 ? before1 : before0, v, x);
        v = triple(v);
        add(p % 2 ? after1 : after0, v, x);
      }
    }

    Int32 total() const {
      typedef uint32_t Uint32 __attribute__((vector_size(64)));
      const Uint32 before = reinterpret_cast<Uint32>(before0) + reinterpret_cast<Uint32>(before1);
      const Uint32 after = reinterpret_cast<Uint32>(after0) + reinterpret_cast<Uint32>(after1);
      return reinterpret_cast<Int32>(before * 3 - after) >> 8;
    }
  };

  template <class Some>
  static void dot_of(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    __m512i total = _mm512_setzero_si512();
    while (count > 0) {
      Some even, odd;  // eight chains hide the latency of vpdpbusd
      const int64_t some = smaller(count, Some::kMostTiles);
      int64_t t = 0;
      for (; t + 2 <= some; t += 2, tiles += 2 * kTernaryTileBytes, q += 2 * Some::kCols) {
        prefetch(tiles + ahead);
        prefetch(tiles + ahead + 64);
        even.add_tile(tiles, q);
        odd.add_tile(tiles + kTernaryTileBytes, q + Some::kCols);
      }
      if (t < some) {
        even.add_tile(tiles, q);
        tiles += kTernaryTileBytes;
        q += Some::kCols;
      }
      total = _mm512_add_epi32(total, reinterpret_cast<__m512i>(even.total() + odd.total()));
      count -= some;
    }
    _mm512_storeu_si512(out, total);
  }

  static void dot(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    dot_of<Sums>(tiles, count, q, ahead, out);
  }
  static void dot_base3(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    dot_of<Base3Sums>(tiles, count, q, ahead, out);
  }

  // The quads of a tile, one after the other.
  struct TwoBitDigits {
    __m512i v;
    explicit TwoBitDigits(const uint8_t* tile) : v(load(tile)) {}
    __m512i next() {
      const __m512i u = _mm512_and_si512(v, _mm512_set1_epi8(3));
      v = _mm512_srli_epi16(v, 2);
      return u;
    }
  };
  struct Base3Digits {
    __m512i v;
    explicit Base3Digits(const uint8_t* tile) : v(load(tile)) {}
    __m512i next() {
      const __mmask64 least_one = _mm512_cmpgt_epu8_mask(v, _mm512_set1_epi8(85));
      const __mmask64 is_two = _mm512_cmpgt_epu8_mask(v, _mm512_set1_epi8(static_cast<char>(170)));
      v = Base3Sums::triple(v);
      return _mm512_mask_mov_epi8(_mm512_maskz_mov_epi8(least_one, _mm512_set1_epi8(1)), is_two, _mm512_set1_epi8(2));
    }
  };

  template <TernaryLayout kLayout, int kRows>
  static void dot_rows(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t q_stride, int64_t ahead,
                       uint32_t* out) {
    constexpr bool kBase3 = kLayout == TernaryLayout::base3;
    using Digits = std::conditional_t<kBase3, Base3Digits, TwoBitDigits>;
    constexpr int kQuads = kBase3 ? 5 : 4;
    Int32 sum[kRows][2] = {};
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes) {
      prefetch(tiles + ahead);
      Digits digits(tiles);
      for (int p = 0; p < kQuads; ++p, q += 4) {
        const __m512i u = digits.next();
        for (int row = 0; row < kRows; ++row) add(sum[row][p % 2], u, four(q + row * q_stride));
      }
    }
    for (int row = 0; row < kRows; ++row) {
      const Int32 total = sum[row][0] + sum[row][1];
      memcpy(out + row * kTernaryRows, &total, sizeof total);
    }
  }

  static void unpack(const uint8_t* tiles, int64_t count, uint8_t* u) {
    const __m512i mask = _mm512_set1_epi8(3);
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes, u += 4 * kQuadBytes) {
      const __m512i v = load(tiles);
      _mm512_storeu_si512(u, _mm512_and_si512(v, mask));
      _mm512_storeu_si512(u + 64, _mm512_and_si512(_mm512_srli_epi16(v, 2), mask));
      _mm512_storeu_si512(u + 128, _mm512_and_si512(_mm512_srli_epi16(v, 4), mask));
      _mm512_storeu_si512(u + 192, _mm512_and_si512(_mm512_srli_epi16(v, 6), mask));
    }
  }

  static void unpack_base3(const uint8_t* tiles, int64_t count, uint8_t* u) {
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes) {
      Base3Digits digits(tiles);
      for (int p = 0; p < 5; ++p, u += kQuadBytes) _mm512_storeu_si512(u, digits.next());
    }
  }

  // quads > 0.
  template <int kRows, int kGroups>
  static void multiply_tile(const uint8_t* u, int64_t u_stride, int64_t quads, const int8_t* q, int64_t q_stride,
                            uint32_t* acc) {
    Int32 sum[kRows][kGroups];
    memcpy(&sum, acc, sizeof sum);
    int64_t quad = 0;
    do {
      __m512i weights[kGroups];
      for (int g = 0; g < kGroups; ++g) weights[g] = load(u + g * u_stride + quad * kQuadBytes);
      for (int row = 0; row < kRows; ++row) {
        const __m512i x = four(q + row * q_stride + quad * 4);
        for (int g = 0; g < kGroups; ++g) add(sum[row][g], weights[g], x);
      }
    } while (++quad < quads);
    memcpy(acc, &sum, sizeof sum);
  }
};
