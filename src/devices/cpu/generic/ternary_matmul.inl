// SPDX-License-Identifier: Apache-2.0
// int8 x ternary products over the tiles of ternary_layout.inl, exact in int32. A stored weight u is code + 1, so
// Σ code·q = Σ u·q - Σ q: the inner loops multiply unsigned bytes by signed ones and the row's sum of q comes last.
// Sums are taken modulo 2^32, so only the final one has to fit.
//
// The instruction set gives struct TernaryTile (isa/<name>_ternary.cpp):
//   dot(tiles, count, q, out)       out[lane] = Σ u·q over `count` tiles of one group: one activation row, from memory
//   unpack(tiles, count, u)         the weights as bytes, u[quad of columns][lane][column mod 4]
//   multiply<rows, groups>(u, u_stride, quads, q, q_stride, acc)
//                                   acc[row][group][lane] += Σ u·q; group g of the weights starts at u + g·u_stride
//   kMaxRows, kMaxGroups            the largest register tile of multiply
//   kBlockTiles                     tiles of a group to unpack at once: what stays in the first-level cache

// Ends the accumulators of one activation row and one group: takes Σ q off and writes what is asked for.
void finish_ternary_group(const TernaryMatmulArgs& args, const TernaryPart& part, int64_t row, int64_t group,
                          const uint32_t* acc) {
  const int64_t column = group * kTernaryRows;
  const int64_t count = smaller(part.n - column, kTernaryRows);
  const uint32_t sum = static_cast<uint32_t>(args.sums[row]);
  const int64_t at = row * part.n + column;
  if (part.acc) {
    for (int64_t j = 0; j < count; ++j) part.acc[at + j] = static_cast<int32_t>(acc[j] - sum);
  }
  if (part.y) {
    const float factor = part.weight_scale / args.q_scale[row];
    for (int64_t j = 0; j < count; ++j) {
      part.y[at + j] = static_cast<float>(static_cast<int32_t>(acc[j] - sum)) * factor;
    }
  }
}

// The parts' groups, `width` at a time, as one list of blocks: no block reaches over two parts.
struct TernaryBlocks {
  const TernaryMatmulArgs& args;
  int64_t width;

  int64_t of_part(int part) const { return (ternary_groups(args.part[part].n) + width - 1) / width; }
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
  const int64_t tiles = ternary_tiles(args.k);
  const TernaryBlocks blocks = {args, 1};
  parallel_for(exec, blocks.count(), tiles * kTernaryCols, 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      blocks.visit(block, [&](const TernaryPart& part, int64_t group, int64_t) {
        alignas(64) uint32_t acc[kTernaryRows];
        T::dot(part.packed + group * tiles * kTernaryTileBytes, tiles, args.q, acc);
        finish_ternary_group(args, part, 0, group, acc);
      });
    }
  });
}

template <class T, int kRows, int kGroups>
struct TernaryMultiply {
  // Calls multiply<rows, groups> for run-time 1 <= rows <= kRows, 1 <= groups <= kGroups.
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
    T::template multiply<kRows, kGroups>(u, u_stride, quads, q, q_stride, acc);
  }
};

// Activation rows of one block, and with them the accumulators in scratch.
constexpr int64_t kTernaryRowBlock = 128;

// Activation rows [row, row + rows) by weight groups [group, group + groups): unpacks a block of columns once for all
// rows.
template <class T>
void ternary_matmul_block(const TernaryMatmulArgs& args, const TernaryPart& part, std::byte* scratch, int64_t row,
                          int64_t rows, int64_t group, int64_t groups) {
  constexpr int64_t kCodeBytes = T::kBlockTiles * 4 * kTernaryTileBytes;
  static_assert(T::kMaxGroups * (kCodeBytes + kTernaryRowBlock * kTernaryRows * 4) <= int64_t{kScratchBytes});
  uint8_t* const codes = reinterpret_cast<uint8_t*>(scratch);
  uint32_t* const acc = reinterpret_cast<uint32_t*>(scratch + T::kMaxGroups * kCodeBytes);
  memset(acc, 0, static_cast<size_t>(rows * groups * kTernaryRows) * sizeof *acc);
  const int64_t tiles = ternary_tiles(args.k);
  for (int64_t tile = 0; tile < tiles; tile += T::kBlockTiles) {
    const int64_t count = tiles - tile < T::kBlockTiles ? tiles - tile : T::kBlockTiles;
    for (int64_t g = 0; g < groups; ++g) {
      T::unpack(part.packed + ((group + g) * tiles + tile) * kTernaryTileBytes, count, codes + g * kCodeBytes);
    }
    // Even shares rather than full tiles and a thin rest: 13 rows on a tile of 6 go as 5 + 4 + 4.
    int64_t shares = (rows - 1) / T::kMaxRows + 1;
    for (int64_t r = 0; r < rows; --shares) {
      const int64_t share = (rows - r - 1) / shares + 1;
      TernaryMultiply<T, T::kMaxRows, T::kMaxGroups>::call(share, groups, codes, kCodeBytes, count * 4,
                                                           args.q + (row + r) * args.q_stride + tile * kTernaryCols,
                                                           args.q_stride, acc + r * groups * kTernaryRows);
      r += share;
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t g = 0; g < groups; ++g) {
      finish_ternary_group(args, part, row + r, group + g, acc + (r * groups + g) * kTernaryRows);
    }
  }
}

template <class T>
void ternary_matmul_blocks(const Exec& exec, const TernaryMatmulArgs& args) {
  const TernaryBlocks blocks = {args, T::kMaxGroups};
  const int64_t columns = blocks.count();
  const int64_t row_blocks = (args.rows + kTernaryRowBlock - 1) / kTernaryRowBlock;
  const int64_t rows_each = smaller(args.rows, kTernaryRowBlock);
  const int64_t cost = ternary_tiles(args.k) * kTernaryCols * T::kMaxGroups * (rows_each + 2) / 2;
  parallel_with_scratch(exec, row_blocks * columns, cost, [&](std::byte* scratch, int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t row = block / columns * kTernaryRowBlock;
      const int64_t rows = smaller(args.rows - row, kTernaryRowBlock);
      blocks.visit(block % columns, [&](const TernaryPart& part, int64_t group, int64_t groups) {
        ternary_matmul_block<T>(args, part, scratch, row, rows, group, groups);
      });
    }
  });
}

template <class T>
void ternary_matmul(const Exec& exec, const TernaryMatmulArgs& args) noexcept {
  if (args.rows == 1) {
    ternary_matvec<T>(exec, args);
  } else {
    ternary_matmul_blocks<T>(exec, args);
  }
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
