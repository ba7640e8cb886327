// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention on the tiles of linear.inl (scores) and matmul.inl (weighted sums). The rows of a
// block are queries of one key head, token by token and, within a token, head by head of its group, so that a key or a
// value serves all heads of the group. A row's arithmetic depends neither on its block nor on how the block is split.

// Keys or values to work on at once: with 128 elements each they fill the first-level cache.
constexpr int64_t kKeyChunk = 64;

// Copies `rows` rows of dim elements together: rows a power of two apart would share a few lines of the cache.
void gather_panel(int64_t rows, const float* from, int64_t from_row, int64_t dim, float* to) {
  for (int64_t r = 0; r < rows; ++r) memcpy(to + r * dim, from + r * from_row, static_cast<size_t>(dim) * sizeof *to);
}

// c [rows, dim] (+)= Σ_j a[r, j] · b_j, j ascending below end(r), which ascends with r. Rows of a tile share the keys
// that all of them see; each goes on alone after these.
template <class V, class End>
void masked_product(int64_t rows, int64_t dim, Product p, const End& end) {
  for (int64_t r = 0; r < rows; r += V::kTileRows) {
    const int64_t count = smaller(V::kTileRows, rows - r), shared = end(r);
    product<V>(count, dim,
               {shared, p.a + r * p.a_row, p.a_row, p.a_col, p.b, p.b_row, p.c + r * p.c_row, p.c_row, p.accumulate});
    for (int64_t i = r + 1; i < r + count; ++i) {
      if (end(i) == shared) continue;
      product<V>(1, dim,
                 {end(i) - shared, p.a + i * p.a_row + shared * p.a_col, p.a_row, p.a_col, p.b + shared * p.b_row,
                  p.b_row, p.c + i * p.c_row, p.c_row, true});
    }
  }
}

// The queries of one sequence and what becomes of them; q, out [tokens, heads, dim], the last of them sees all keys.
struct AttentionQueries {
  int64_t heads, kv_heads, tokens, keys, dim;
  float scale;
  const float* q;
  const float *cos, *sin;  // of the first token, [*, dim/2]; null: q is rotated
  float *out, *lse;        // lse [heads, tokens] or null
};

// Rows of keys or values, or of some of their columns.
struct Panel {
  const float* rows;
  int64_t stride;
};

// Keys and values as tensors [keys, kv_heads, dim]. What a block reads keys and values through has these members.
template <class V>
struct DenseKeys {
  const float *k, *v;
  int64_t kv_heads, dim;

  // How many keys from `key` on, and below `end`, one panel takes; `in_place` when it need not be a copy.
  int64_t count(int64_t key, int64_t end, bool) const { return smaller(kKeyChunk, end - key); }

  // Columns [column, column + columns) of keys or values. `room`: kKeyChunk rows of round_up(columns, 32).
  Panel read(bool values, int64_t head, int64_t key, int64_t rows, int64_t column, int64_t columns, bool in_place,
             float* room) const {
    const int64_t stride = kv_heads * dim;
    const float* from = (values ? v : k) + key * stride + head * dim + column;
    if (in_place) return {from, stride};
    gather_panel(rows, from, stride, columns, room);
    return {room, columns};
  }
};

// A block of rows [row, row + rows) of one key head. Its steps are score, normalize and add_values; each may be split
// among threads: by keys, rows and columns.
template <class V, class Keys>
struct AttentionBlock {
  static constexpr int64_t kRows = 48;
  // Fewer rows than this read keys and values where they are.
  static constexpr int64_t kGatherRows = 8;

  const AttentionQueries& args;
  const Keys& source;
  int64_t kv_head, row, rows;
  int64_t group, keys, score_row;
  float *q, *out, *panel, *scores;  // scratch

  // Floats of scratch: per row, and for any number of rows.
  static constexpr int64_t row_floats(int64_t keys, int64_t dim) { return padded(keys) + 2 * dim; }
  static constexpr int64_t fixed_floats(int64_t dim) { return kKeyChunk * round_up(dim, 32); }
  // A row stride that spreads the rows over the cache, with room for a row's sum behind its scores.
  static constexpr int64_t padded(int64_t count) { return round_up(count, 16) + 16; }
  // Rows for which the scratch memory has room.
  static int64_t fitting(int64_t keys, int64_t dim) {
    constexpr int64_t kFloats = int64_t{kScratchBytes / sizeof(float)};
    static_assert(fixed_floats(kLargestHead) + row_floats(kMostKeys, kLargestHead) <= kFloats);
    return smaller((kFloats - fixed_floats(dim)) / row_floats(keys, dim), kRows);
  }

  // The scores are in scratch unless `shared` has room for them.
  AttentionBlock(const AttentionQueries& a, const Keys& k, int64_t head, int64_t first, int64_t count,
                 std::byte* scratch, float* shared = nullptr)
      : args(a), source(k), kv_head(head), row(first), rows(count) {
    group = args.heads / args.kv_heads;
    keys = end(rows - 1);
    score_row = padded(keys);
    q = reinterpret_cast<float*>(scratch);
    out = q + rows * args.dim;
    panel = out + rows * args.dim;
    scores = shared ? shared : panel + fixed_floats(args.dim);
  }

  int64_t token(int64_t r) const { return (row + r) / group; }
  int64_t head(int64_t r) const { return kv_head * group + (row + r) % group; }
  // The number of keys row r sees.
  int64_t end(int64_t r) const { return args.keys - args.tokens + token(r) + 1; }
  int64_t at(int64_t r) const { return (token(r) * args.heads + head(r)) * args.dim; }
  float& sum(int64_t r) const { return scores[(r + 1) * score_row - 1]; }

  // Calls each(key, count, panel) for the keys or values of [begin, end) in ascending order.
  template <class Each>
  void for_chunks(bool values, int64_t begin, int64_t end, int64_t column, int64_t columns, const Each& each) {
    const bool in_place = rows < kGatherRows;
    for (int64_t key = begin; key < end;) {
      const int64_t count = source.count(key, end, in_place);
      each(key, count, source.read(values, kv_head, key, count, column, columns, in_place, panel));
      key += count;
    }
  }

  void read_queries() {
    for (int64_t r = 0; r < rows; ++r) {
      if (args.cos) {
        const int64_t half = args.dim / 2, turn = token(r) * half;
        rotate<V>(args.q + at(r), args.cos + turn, args.sin + turn, half, false, q + r * args.dim);
      } else {
        gather_panel(1, args.q + at(r), 0, args.dim, q + r * args.dim);
      }
    }
  }

  // Of the keys [begin, smaller(end, keys)).
  void score(int64_t begin, int64_t end) {
    read_queries();
    for_chunks(false, begin, smaller(end, keys), 0, args.dim, [&](int64_t key, int64_t count, Panel k) {
      dots<V, F32Weights<V>>(rows, count, {args.dim, q, args.dim, k.rows, k.stride, scores + key, score_row});
    });
  }

  // Scores of row r to probabilities times their sum.
  void normalize(int64_t r) {
    float* const s = scores + r * score_row;
    const auto scale = V::set1(args.scale);
    for_lanes(0, end(r), [&](int64_t j, auto n) { store<V>(s + j, V::mul(load<V>(s + j, n), scale), n); });
    const float max = row_max<V>(s, end(r));
    sum(r) = sum_exp<V>(s, end(r), max, [&](int64_t j, auto n, auto e) { store<V>(s + j, e, n); });
    if (args.lse) args.lse[head(r) * args.tokens + token(r)] = max + Math<V>::log(sum(r));
  }

  // Columns [column, column + columns) of the result.
  void add_values(int64_t column, int64_t columns) {
    for_chunks(true, 0, keys, column, columns, [&](int64_t key, int64_t count, Panel v) {
      masked_product<V>(rows, columns,
                        {0, scores + key, score_row, 1, v.rows, v.stride, out + column, args.dim, key > 0},
                        [&](int64_t r) { return end(r) <= key ? 0 : smaller(end(r) - key, count); });
    });
    for (int64_t r = 0; r < rows; ++r) {
      for_lanes(column, column + columns, [&](int64_t i, auto n) {
        store<V>(args.out + at(r) + i, V::div(load<V>(out + r * args.dim + i, n), V::set1(sum(r))), n);
      });
    }
  }

  void run() {
    score(0, keys);
    for (int64_t r = 0; r < rows; ++r) normalize(r);
    add_values(0, args.dim);
  }
};

template <class V>
void attention(const Exec& exec, const AttentionArgs& args) noexcept {
  using Keys = DenseKeys<V>;
  using Block = AttentionBlock<V, Keys>;
  const int64_t heads = args.batch * args.kv_heads, all_rows = args.q_tokens * (args.heads / args.kv_heads);
  if (heads == 0 || all_rows == 0) return;
  int64_t rows = Block::fitting(args.kv_tokens, args.dim);
  while (rows > 1 && exec.threads > 1 && heads * ceil_div(all_rows, rows) < 4 * exec.threads) rows /= 2;
  const int64_t blocks = ceil_div(all_rows, rows);
  parallel_with_scratch(
      exec, heads * blocks, rows * args.kv_tokens * (args.dim + 8) / 4,
      [&](std::byte* scratch, int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t batch = task / blocks / args.kv_heads, head = task / blocks % args.kv_heads;
          const int64_t row = task % blocks * rows, q_at = batch * args.q_tokens * args.heads;
          const Keys keys = {args.k + batch * args.kv_batch_stride, args.v + batch * args.kv_batch_stride, args.kv_heads,
                             args.dim};
          const AttentionQueries queries = {args.heads,
                                            args.kv_heads,
                                            args.q_tokens,
                                            args.kv_tokens,
                                            args.dim,
                                            args.scale,
                                            args.q + q_at * args.dim,
                                            nullptr,
                                            nullptr,
                                            args.out + q_at * args.dim,
                                            args.lse ? args.lse + q_at : nullptr};
          Block(queries, keys, head, row, smaller(rows, all_rows - row), scratch).run();
        }
      });
}
