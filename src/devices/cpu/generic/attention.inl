// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention on the tiles of linear.inl (scores) and matmul.inl (weighted sums). The rows of a
// block are queries of one key head, token by token and, within a token, head by head of its group, so that a key or a
// value serves all heads of the group. A row's arithmetic does not depend on its block.

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

// Scores to probabilities times their sum.
template <class V>
struct ScoreRow {
  float max, sum;

  ScoreRow(float* s, int64_t count, float scale) {
    for_lanes(0, count, [&](int64_t j, auto n) { store<V>(s + j, V::mul(load<V>(s + j, n), V::set1(scale)), n); });
    max = row_max<V>(s, count);
    sum = sum_exp<V>(s, count, max, [&](int64_t j, auto n, auto e) { store<V>(s + j, e, n); });
  }
};

// A block of rows [row, row + rows) of one key head of one sequence.
template <class V>
struct AttentionBlock {
  static constexpr int64_t kRows = 48;
  // Fewer rows than this read keys and values where they are.
  static constexpr int64_t kGatherRows = 8;

  const AttentionArgs& args;
  int64_t batch, kv_head, row, rows;
  int64_t group, keys, score_row;
  float *q, *out, *panel, *scores;  // scratch

  // Floats of scratch: per row, and for any number of rows.
  static int64_t row_floats(const AttentionArgs& args) { return padded(args.kv_tokens) + 2 * args.dim; }
  static int64_t fixed_floats(const AttentionArgs& args) { return kKeyChunk * args.dim; }
  // A row stride that spreads the rows over the cache.
  static constexpr int64_t padded(int64_t count) { return round_up(count, 16) + 16; }

  AttentionBlock(const AttentionArgs& a, int64_t head, int64_t first, int64_t count, std::byte* scratch)
      : args(a), batch(head / a.kv_heads), kv_head(head % a.kv_heads), row(first), rows(count) {
    group = args.heads / args.kv_heads;
    keys = end(rows - 1);
    score_row = padded(keys);
    q = reinterpret_cast<float*>(scratch);
    out = q + rows * args.dim;
    panel = out + rows * args.dim;
    scores = panel + fixed_floats(args);
  }

  int64_t token(int64_t r) const { return (row + r) / group; }
  int64_t head(int64_t r) const { return kv_head * group + (row + r) % group; }
  // The number of keys row r sees.
  int64_t end(int64_t r) const { return args.kv_tokens - args.q_tokens + token(r) + 1; }
  int64_t at(int64_t r) const { return ((batch * args.q_tokens + token(r)) * args.heads + head(r)) * args.dim; }

  // Calls each(key, count, rows, row stride) for chunks of keys or values in ascending order.
  template <class Each>
  void for_chunks(const float* from, const Each& each) {
    const int64_t stride = args.kv_heads * args.dim;
    from += batch * args.kv_batch_stride + kv_head * args.dim;
    for (int64_t key = 0; key < keys; key += kKeyChunk) {
      const int64_t count = smaller(kKeyChunk, keys - key);
      if (rows < kGatherRows) {
        each(key, count, from + key * stride, stride);
      } else {
        gather_panel(count, from + key * stride, stride, args.dim, panel);
        each(key, count, static_cast<const float*>(panel), args.dim);
      }
    }
  }

  void score() {
    for (int64_t r = 0; r < rows; ++r) gather_panel(1, args.q + at(r), 0, args.dim, q + r * args.dim);
    for_chunks(args.k, [&](int64_t key, int64_t count, const float* k, int64_t k_row) {
      dots<V, F32Weights<V>>(rows, count, {args.dim, q, args.dim, k, k_row, scores + key, score_row});
    });
  }

  void add_values() {
    for_chunks(args.v, [&](int64_t key, int64_t count, const float* v, int64_t v_row) {
      masked_product<V>(rows, args.dim, {0, scores + key, score_row, 1, v, v_row, out, args.dim, key > 0},
                        [&](int64_t r) { return end(r) <= key ? 0 : smaller(end(r) - key, count); });
    });
  }

  void run() {
    score();
    float sums[kRows];
    for (int64_t r = 0; r < rows; ++r) {
      const ScoreRow<V> s(scores + r * score_row, end(r), args.scale);
      sums[r] = s.sum;
      if (!args.lse) continue;
      args.lse[(batch * args.heads + head(r)) * args.q_tokens + token(r)] = s.max + Math<V>::log(s.sum);
    }
    add_values();
    for (int64_t r = 0; r < rows; ++r) {
      for_lanes(0, args.dim, [&](int64_t i, auto n) {
        store<V>(args.out + at(r) + i, V::div(load<V>(out + r * args.dim + i, n), V::set1(sums[r])), n);
      });
    }
  }
};

template <class V>
void attention(const Exec& exec, const AttentionArgs& args) noexcept {
  using Block = AttentionBlock<V>;
  const int64_t heads = args.batch * args.kv_heads, all_rows = args.q_tokens * (args.heads / args.kv_heads);
  if (heads == 0 || all_rows == 0) return;
  constexpr int64_t kFloats = int64_t{kScratchBytes / sizeof(float)};
  static_assert(kKeyChunk * 2048 + 2 * 2048 + Block::padded(1 << 19) <= kFloats);  // the limits of AttentionArgs
  const int64_t fit = (kFloats - Block::fixed_floats(args)) / Block::row_floats(args);
  int64_t rows = smaller(fit, Block::kRows);
  while (rows > 1 && exec.threads > 1 && heads * ceil_div(all_rows, rows) < 4 * exec.threads) rows /= 2;
  const int64_t blocks = ceil_div(all_rows, rows);
  parallel_with_scratch(exec, heads * blocks, rows * args.kv_tokens * (args.dim + 8) / 4,
                        [&](std::byte* scratch, int64_t begin, int64_t end) {
                          for (int64_t task = begin; task < end; ++task) {
                            const int64_t row = task % blocks * rows;
                            Block(args, task / blocks, row, smaller(rows, all_rows - row), scratch).run();
                          }
                        });
}
