// SPDX-License-Identifier: Apache-2.0
// Packing, unpacking and repacking: a block of a row at a time, by way of its values in int8, which stay in the
// first-level cache.

constexpr int64_t kPackedBlock = 2560;  // values of a block, which is whole bytes of every type

// Calls body(offset, flat, col, n) for the blocks of rows, in parallel: n values from column `col` on, of which `flat`
// is the first; offset is that of the row.
template <class Body>
void for_packed_blocks(const Exec& exec, const Dims& shape, const Dims& strides, const Body& body) {
  const int64_t count = count_of(shape), cols = last_of(shape);
  if (count == 0) return;
  const int64_t blocks = ceil_div(cols, kPackedBlock);
  parallel_for(exec, count / cols * blocks, smaller(cols, kPackedBlock), 1, [&](int64_t begin, int64_t end) {
    StridedWalk<1> walk(shape, {&strides}, begin / blocks * cols);
    int64_t row = begin / blocks, block = begin % blocks;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t col = block * kPackedBlock;
      body(walk.offset(0), row * cols + col, col, smaller(kPackedBlock, cols - col));
      if (++block < blocks) continue;
      block = 0;
      ++row;
      walk.next_run();
    }
  });
}

void keep_least(int64_t* at, int64_t position) {
  int64_t seen = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (position < seen &&
         !__atomic_compare_exchange_n(at, &seen, position, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

// Room for the values of a block, and what decoding may write and encoding read beyond them.
struct ValueRoom {
  alignas(64) int8_t values[kPackedBlock + 64];
};

// Encodes blocks of elements of type From, `stride` apart, that block_at(offset, col, n, room) finds or puts into a
// room.
template <class From, class Rule, class BlockAt>
void pack_blocks(const Exec& exec, const Dims& shape, const Dims& strides, const Rule& rule, int64_t stride,
                 const PackedOutput& y, int64_t* first_bad, const BlockAt& block_at) {
  const int64_t cols = last_of(shape), row_bytes = packed_row_bytes(y.type, cols);
  const Encode encode = encode_of<Fields>(y.type);
  for_packed_blocks(exec, shape, strides, [&](int64_t offset, int64_t flat, int64_t col, int64_t n) {
    ValueRoom source, room;
    const From* const x = block_at(offset, col, n, source);
    if (!take_run(x, stride, n, rule, room.values)) {
      int64_t i = 0;
      while (taken(x[i * stride], rule).bad == 0) ++i;
      return keep_least(first_bad, flat + i);
    }
    encode(room.values, n, y.data + flat / cols * row_bytes + packed_row_bytes(y.type, col));
  });
}

void array_pack(const Exec& exec, const PackArgs& args) noexcept {
  const int64_t stride = last_of(args.x_strides);
  with_rule(args.y.type, args.saturate, [&](const auto& rule) {
    with_type(args.dtype, [&](auto element) {
      using From = decltype(element);
      if constexpr (!kComplex<From>) {
        pack_blocks<From>(exec, args.shape, args.x_strides, rule, stride, args.y, args.first_bad,
                          [&](int64_t offset, int64_t col, int64_t, ValueRoom&) {
                            return static_cast<const From*>(args.x) + offset + col * stride;
                          });
      }
    });
  });
}

void array_repack(const Exec& exec, const RepackArgs& args) noexcept {
  const Decode decode = decode_of<Fields>(args.x.type);
  with_rule(args.y.type, args.saturate, [&](const auto& rule) {
    pack_blocks<int8_t>(exec, args.shape, args.x.strides, rule, 1, args.y, args.first_bad,
                        [&](int64_t offset, int64_t col, int64_t n, ValueRoom& room) {
                          decode(args.x.data + offset + packed_row_bytes(args.x.type, col), n, room.values);
                          return room.values;
                        });
  });
}

void array_unpack(const Exec& exec, const UnpackArgs& args) noexcept {
  const Decode decode = decode_of<Fields>(args.x.type);
  const GiveRun give = give_run_of(args.dtype);
  const bool in_place = args.dtype == DType::i8 || args.dtype == DType::u8;
  const auto size = static_cast<int64_t>(size_of(args.dtype));
  for_packed_blocks(exec, args.shape, args.x.strides, [&](int64_t offset, int64_t flat, int64_t col, int64_t n) {
    const uint8_t* const x = args.x.data + offset + packed_row_bytes(args.x.type, col);
    char* const y = static_cast<char*>(args.y) + flat * size;
    if (in_place) return decode(x, n, reinterpret_cast<int8_t*>(y));
    ValueRoom room;
    decode(x, n, room.values);
    give(room.values, n, y);
  });
}
