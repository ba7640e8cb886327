// SPDX-License-Identifier: Apache-2.0
// int8 x ternary products over the tiles of ternary_layout.inl, exact in int32. A stored digit u is code + 1, so
// Σ code·q = Σ u·q - Σ q: the inner loops multiply unsigned bytes by signed ones and the row's sum of q comes last.
// Sums are taken modulo 2^32, so only the final one has to fit.
//
// The instruction set gives struct TernaryTile (isa/<name>_ternary.cpp), which derives from GenericTernaryTile:
//   dot(tiles, count, q, prefetch, out)   out[lane] = Σ u·q over `count` two_bit tiles: one activation row, from memory
//   dot_base3(tiles, count, q, prefetch, out)   the same over base3 tiles, which the sums of their digits follow
//   dot_rows<Layout, rows>(tiles, count, q, q_stride, prefetch, out)   out[row][lane] for up to kFewRows activation rows
//   unpack(tiles, count, u), unpack_base3       the digits as bytes, u[quad of columns][lane][column mod 4]
//   multiply(rows, groups, u, u_stride, quads, q, q_stride, acc)
//       acc[row][group][lane] += Σ u·q; group g of the digits starts at u + g·u_stride. Either its own, or multiply_tile:
//   multiply_tile<rows, groups>(…)              the same in registers, for rows <= kMaxRows and groups <= kMaxGroups

template <class T, int kRows, int kGroups>
struct TernaryMultiply {
  // Calls multiply_tile<rows, groups> for run-time 1 <= rows <= kRows, 1 <= groups <= kGroups.
  static void call(int64_t rows, int64_t groups, const uint8_t* u, int64_t u_stride, int64_t quads, const int8_t* q,
                   int64_t q_stride, uint32_t* acc) {
    if constexpr (kRows > 1) {
      if (rows < kRows)
        return TernaryMultiply<T, kRows - 1, kGroups>::call(rows, groups, u, u_stride, quads, q, q_stride, acc);
    }
    if constexpr (kGroups > 1) {
      if (groups < kGroups)
        return TernaryMultiply<T, kRows, kGroups - 1>::call(rows, groups, u, u_stride, quads, q, q_stride, acc);
    }
    T::template multiply_tile<kRows, kGroups>(u, u_stride, quads, q, q_stride, acc);
  }
};

// What an instruction set need not write itself.
template <class T>
struct GenericTernaryTile {
  static constexpr int64_t kFewRows = 1, kFewPasses = 1;

  static void unpack_base3(const uint8_t* tiles, int64_t count, uint8_t* u) {
    for (int64_t t = 0; t < count; ++t, tiles += kTernaryTileBytes) {
      uint8_t rest[kTernaryTileBytes];
      memcpy(rest, tiles, sizeof rest);
      for (int p = 0; p < 5; ++p, u += kQuadBytes) {
        for (int64_t i = 0; i < kTernaryTileBytes; ++i) {
          const uint32_t triple = rest[i] * 3u;
          u[i] = static_cast<uint8_t>(triple >> 8);
          rest[i] = static_cast<uint8_t>(triple);
        }
      }
    }
  }

  static void dot_base3(const uint8_t* tiles, int64_t count, const int8_t* q, int64_t, uint32_t* out) {
    constexpr int64_t kAtOnce = 16;
    uint8_t u[kAtOnce * 5 * kQuadBytes];
    for (int64_t lane = 0; lane < kTernaryRows; ++lane) out[lane] = 0;
    while (count > 0) {
      const int64_t some = smaller(count, kAtOnce);
      T::unpack_base3(tiles, some, u);
      T::template multiply_tile<1, 1>(u, 0, some * 5, q, 0, out);
      tiles += some * kTernaryTileBytes;
      q += some * 20;
      count -= some;
    }
  }

  // Even shares rather than full tiles and a thin rest: 13 rows on a tile of 6 go as 5 + 4 + 4.
  static void multiply(int64_t rows, int64_t groups, const uint8_t* u, int64_t u_stride, int64_t quads, const int8_t* q,
                       int64_t q_stride, uint32_t* acc) {
    int64_t shares = (rows - 1) / T::kMaxRows + 1;
    for (int64_t r = 0; r < rows; --shares) {
      const int64_t share = (rows - r - 1) / shares + 1;
      TernaryMultiply<T, T::kMaxRows, T::kMaxGroups>::call(share, groups, u, u_stride, quads, q + r * q_stride, q_stride,
                                                           acc + r * groups * kTernaryRows);
      r += share;
    }
  }
};

// Ends `count` accumulators: takes Σ q off and writes what is asked for, at acc_out and y_out unless null. Inlined with a
// constant count it is a few vector instructions; as a loop of unknown length after each group it cost a matrix-vector
// product an eighth of its speed.
inline __attribute__((always_inline)) void finish_ternary_lanes(const uint32_t* __restrict acc, int64_t count, uint32_t sum,
                                                                float factor, int32_t* __restrict acc_out,
                                                                float* __restrict y_out) {
  if (acc_out) {
    for (int64_t j = 0; j < count; ++j) acc_out[j] = static_cast<int32_t>(acc[j] - sum);
  }
  if (y_out) {
    for (int64_t j = 0; j < count; ++j) y_out[j] = static_cast<float>(static_cast<int32_t>(acc[j] - sum)) * factor;
  }
}

// Ends one activation row and one group.
void finish_ternary_group(const TernaryMatmulArgs& args, const TernaryPart& part, int64_t row, int64_t group,
                          const uint32_t* acc) {
  const int64_t column = group * kTernaryRows, at = row * part.n + column, count = part.n - column;
  const uint32_t sum = static_cast<uint32_t>(args.sums[row]);
  const float factor = part.weight_scale / args.q_scale[row];
  int32_t* const acc_out = part.acc ? part.acc + at : nullptr;
  float* const y_out = part.y ? part.y + at : nullptr;
  if (count >= kTernaryRows) {
    finish_ternary_lanes(acc, kTernaryRows, sum, factor, acc_out, y_out);
  } else {
    finish_ternary_lanes(acc, count, sum, factor, acc_out, y_out);
  }
}

// The parts' groups, `width` at a time, as one list of blocks: no block reaches over two parts.
struct TernaryBlocks {
  const TernaryMatmulArgs& args;
  int64_t width;

  int64_t of_part(int part) const { return ceil_div(ternary_groups(args.part[part].n), width); }
  int64_t count() const {
    int64_t sum = 0;
    for (int part = 0; part < args.parts; ++part) sum += of_part(part);
    return sum;
  }

  // Calls each(part, first group, groups) for a block.
  template <class Each>
  void visit(int64_t block, const Each& each) const {
    int part = 0;
    for (; block >= of_part(part); ++part) block -= of_part(part);
    const int64_t groups = ternary_groups(args.part[part].n);
    each(args.part[part], block * width, smaller(width, groups - block * width));
  }
};

// One activation row: bound by reading the weights, which are used where they are loaded.
template <class T>
void ternary_matvec(const Exec& exec, const TernaryMatmulArgs& args) {
  const TernaryBlocks blocks = {args, 1};
  parallel_for(exec, blocks.count(), args.k, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      blocks.visit(block, [&](const TernaryPart& part, int64_t group, int64_t) {
        const int64_t tiles = ternary_tiles(part.layout, args.k);
        const uint8_t* const at = part.packed + group * ternary_group_bytes(part.layout, args.k);
        alignas(64) uint32_t acc[kTernaryRows];
        if (part.layout == TernaryLayout::base3) {
          T::dot_base3(at, tiles, args.q, exec.ternary.prefetch_bytes, acc);
        } else {
          T::dot(at, tiles, args.q, exec.ternary.prefetch_bytes, acc);
        }
        finish_ternary_group(args, part, 0, group, acc);
      });
    }
  });
}

// Activation rows [row, row + rows), 1 <= rows <= kRows, by one group.
template <class T, int kRows>
void ternary_few_rows_group(const TernaryMatmulArgs& args, const TernaryPart& part, int64_t group, int64_t ahead,
                            int64_t row, int64_t rows) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return ternary_few_rows_group<T, kRows - 1>(args, part, group, ahead, row, rows);
  }
  const int64_t tiles = ternary_tiles(part.layout, args.k);
  const uint8_t* const at = part.packed + group * ternary_group_bytes(part.layout, args.k);
  const int8_t* const q = args.q + row * args.q_stride;
  alignas(64) uint32_t acc[kRows * kTernaryRows];
  if (part.layout == TernaryLayout::base3) {
    T::template dot_rows<TernaryLayout::base3, kRows>(at, tiles, q, args.q_stride, ahead, acc);
  } else {
    T::template dot_rows<TernaryLayout::two_bit, kRows>(at, tiles, q, args.q_stride, ahead, acc);
  }
  for (int64_t r = 0; r < kRows; ++r) finish_ternary_group(args, part, row + r, group, acc + r * kTernaryRows);
}

// Two to T::kFewRows · T::kFewPasses activation rows: still bound by reading the weights, so still used where they are
// loaded, by even shares of the rows in turn while a group is near.
template <class T>
void ternary_few_rows(const Exec& exec, const TernaryMatmulArgs& args) {
  const TernaryBlocks blocks = {args, 1};
  parallel_for(exec, blocks.count(), args.k * args.rows / 2, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      blocks.visit(block, [&](const TernaryPart& part, int64_t group, int64_t) {
        int64_t shares = ceil_div(args.rows, T::kFewRows);
        for (int64_t row = 0; row < args.rows; --shares) {
          const int64_t share = ceil_div(args.rows - row, shares);
          ternary_few_rows_group<T, int{T::kFewRows}>(args, part, group, exec.ternary.prefetch_bytes, row, share);
          row += share;
        }
      });
    }
  });
}

// Activation rows [row, row + rows) by weight groups [group, group + groups): unpacks a block of columns once for all
// rows.
template <class T>
void ternary_matmul_block(const TernaryTuning& tuning, const TernaryMatmulArgs& args, const TernaryPart& part,
                          std::byte* scratch, int64_t row, int64_t rows, int64_t group, int64_t groups) {
  const int64_t quads = tile_quads(part.layout), tiles = ternary_tiles(part.layout, args.k);
  const int64_t group_bytes = ternary_group_bytes(part.layout, args.k);
  const int64_t block_tiles = tuning.block_quads / quads, u_stride = tuning.block_quads * kQuadBytes;
  uint8_t* const u = reinterpret_cast<uint8_t*>(scratch);
  uint32_t* const acc = reinterpret_cast<uint32_t*>(u + groups * u_stride);
  memset(acc, 0, static_cast<size_t>(rows * groups * kTernaryRows) * sizeof *acc);
  for (int64_t tile = 0; tile < tiles; tile += block_tiles) {
    const int64_t count = smaller(tiles - tile, block_tiles);
    for (int64_t g = 0; g < groups; ++g) {
      const uint8_t* const from = part.packed + (group + g) * group_bytes + tile * kTernaryTileBytes;
      // What is unpacked next comes from memory while this block is multiplied: with 16 rows and without it, unpacking
      // took half as long as the products (one Zen 4 core).
      const int64_t next = tile + count < tiles ? count * kTernaryTileBytes : groups * group_bytes - tile * kTernaryTileBytes;
      for (int64_t t = 0; t < count; ++t) __builtin_prefetch(from + next + t * kTernaryTileBytes);
      if (part.layout == TernaryLayout::base3) {
        T::unpack_base3(from, count, u + g * u_stride);
      } else {
        T::unpack(from, count, u + g * u_stride);
      }
    }
    T::multiply(rows, groups, u, u_stride, count * quads, args.q + row * args.q_stride + tile * quads * 4, args.q_stride,
                acc);
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t g = 0; g < groups; ++g) {
      finish_ternary_group(args, part, row + r, group + g, acc + (r * groups + g) * kTernaryRows);
    }
  }
}

template <class T>
void ternary_matmul_blocks(const Exec& exec, const TernaryMatmulArgs& args) {
  const TernaryTuning& tuning = exec.ternary;
  const TernaryBlocks blocks = {args, T::kMaxGroups};
  const int64_t columns = blocks.count();
  const int64_t row_blocks = ceil_div(args.rows, tuning.block_rows);
  const int64_t rows_each = smaller(args.rows, tuning.block_rows);
  const int64_t cost = args.k * T::kMaxGroups * (rows_each + 2) / 2;
  parallel_with_scratch(exec, row_blocks * columns, cost, [&](std::byte* scratch, int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t row = block / columns * tuning.block_rows;
      const int64_t rows = smaller(args.rows - row, tuning.block_rows);
      blocks.visit(block % columns, [&](const TernaryPart& part, int64_t group, int64_t groups) {
        ternary_matmul_block<T>(tuning, args, part, scratch, row, rows, group, groups);
      });
    }
  });
}

template <class T>
void ternary_matmul(const Exec& exec, const TernaryMatmulArgs& args) noexcept {
  if (args.rows == 1) return ternary_matvec<T>(exec, args);
  if constexpr (T::kFewRows > 1) {
    if (args.rows > 1 && args.rows <= T::kFewRows * T::kFewPasses) return ternary_few_rows<T>(exec, args);
  }
  ternary_matmul_blocks<T>(exec, args);
}

template <class T>
constexpr TernaryKernels ternary_kernels() {
  TernaryKernels t = {};
  t.ternary_tile_rows = kTernaryRows;
  t.ternary_packed_bytes = ternary_packed_bytes;
  t.ternary_pack = ternary_pack;
  t.ternary_unpack = ternary_unpack;
  t.ternary_matmul = ternary_matmul<T>;
  return t;
}
