// SPDX-License-Identifier: Apache-2.0
// CodedTile on registers of any width.
//
// The instruction set gives Dot:
//   Int32, Words                GNU vectors of int32_t and uint16_t: one register each
//   add_quads(sum, u, q)        sum[lane] += Σ u[quad][4·lane + s]·q[4·quad + s], quad and s = 0 … 3:
//                               bytes u of 6 bits, |q| <= 127

template <class V, class Dot>
struct CodedDotTile {
  using Int32 = typename Dot::Int32;
  using Words = typename Dot::Words;

  static constexpr int kScreenPlanes = 1;
  static constexpr int64_t kScreenRows = 4;
  static constexpr bool kUnpacks = false;
  static constexpr int64_t kBytes = sizeof(Int32);
  static constexpr int kParts = 64 / kBytes;  // registers of a word of all lanes

  // Codes of 8 bits go as two half bytes.
  template <int kBits, int kPlanes>
  static void dot(const uint8_t* codes, const int8_t* q, int64_t plane, typename V::I* sums) {
    Int32 low[kPlanes * kParts] = {}, high[kPlanes * kParts] = {};
    for (int64_t step = 0; step < kCodedSteps; ++step, codes += coded_step_bytes(kBits), q += 16) {
      for (int part = 0; part < kParts; ++part) {
        Words u[4], above[4];
        unpack<kBits>(codes + part * kBytes, u, above);
        for (int p = 0; p < kPlanes; ++p) {
          Dot::add_quads(low[p * kParts + part], u, q + p * plane);
          if constexpr (kBits == 8) Dot::add_quads(high[p * kParts + part], above, q + p * plane);
        }
      }
    }
    for (int i = 0; i < kPlanes * kParts; ++i) low[i] += high[i] << 4;
    static_assert(sizeof(typename V::I) == kParts * kBytes);
    memcpy(sums, low, sizeof low);
  }

 private:
  template <int kBits>
  static void unpack(const uint8_t* words, Words* u, Words* above) {
    if constexpr (kBits == 8) {
      for (int v = 0; v < 4; ++v) {
        const Words w = load_vector<Words>(words + v * 64);
        u[v] = w & 0x0f0f;
        above[v] = (w >> 4) & 0x0f0f;
      }
    } else if constexpr (kBits == 6) {
      const Words w0 = load_vector<Words>(words), w1 = load_vector<Words>(words + 64);
      const Words w2 = load_vector<Words>(words + 128);
      u[0] = w0 & 0x3f3f;
      u[1] = w1 & 0x3f3f;
      u[2] = w2 & 0x3f3f;
      u[3] = ((w0 >> 6) & 0x0303) | ((w1 >> 4) & 0x0c0c) | ((w2 >> 2) & 0x3030);
    } else {
      for (int v = 0; v < 2; ++v) {
        const Words w = load_vector<Words>(words + v * 64);
        u[2 * v] = w & 0x0f0f;
        u[2 * v + 1] = (w >> 4) & 0x0f0f;
      }
    }
  }
};
