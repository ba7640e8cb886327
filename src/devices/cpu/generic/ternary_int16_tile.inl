// SPDX-License-Identifier: Apache-2.0
// What instruction sets share whose products of bytes are added in int16: runs short enough that no sum wraps, each
// widened to int32 at its end.
//
// The instruction set gives T, which derives from Int16TernaryTile<T>:
//   kQuadsInInt16                                       quads of columns whose sums an int16 holds
//   multiply_int16<rows>(u, quads, q, q_stride, acc)    multiply_tile for at most so many, one group
//   kTilesInInt16, dot_int16(tiles, count, q, prefetch, out)   the same for two_bit tiles, out += their sums; only for
//                                                       sets that leave dot to this file

template <class T>
struct Int16TernaryTile : GenericTernaryTile<T> {
  static constexpr int64_t kMaxGroups = 1;

  static void dot(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t ahead, uint32_t* out) {
    memset(out, 0, kTernaryRows * sizeof *out);
    for (int64_t done = 0; done < count; done += T::kTilesInInt16) {
      T::dot_int16(tiles + done * kTernaryTileBytes, smaller(T::kTilesInInt16, count - done),
                   q + done * tile_cols(TernaryLayout::two_bit), ahead, out);
    }
  }

  template <int kRows, int kGroups>
  static void multiply_tile(const uint8_t* u, int64_t, int64_t quads, const int8_t* q, int64_t q_stride, uint32_t* acc) {
    static_assert(kGroups == 1);
    for (int64_t done = 0; done < quads; done += T::kQuadsInInt16) {
      T::template multiply_int16<kRows>(u + done * kQuadBytes, smaller(T::kQuadsInInt16, quads - done), q + done * 4,
                                        q_stride, acc);
    }
  }
};
