// SPDX-License-Identifier: Apache-2.0
// Causal grouped-query attention on the tiles of linear.inl (scores) and matmul.inl (weighted sums). The rows of a
// block are queries of one key head, token by token and, within a token, head by head of its group, so that a key or a
// value serves all heads of the group. A row's arithmetic does not depend on its block.

// Masks are ends: row r of a block sees the keys below end(r), which ascends with r. The products of rows that see
// different numbers of keys share the keys that all see; each goes on alone after them.
//   c [rows, dim] = Σ_j a[r, j] · b_j, j ascending below end(r)
template <class V, class End>
void masked_product(int64_t rows, const float* a, int64_t a_row, const float* b, int64_t b_row, int64_t dim, float* c,
                    int64_t c_row, const End& end) {
  for (int64_t r = 0; r < rows; r += V::kTileRows) {
    const int64_t count = smaller(V::kTileRows, rows - r);
    const int64_t shared = end(r);
    product<V>(count, dim, {shared, a + r * a_row, a_row, 1, b, b_row, c + r * c_row, c_row, false});
    for (int64_t i = r + 1; i < r + count; ++i) {
      if (end(i) == shared) continue;
      product<V>(
          1, dim,
          {end(i) - shared, a + i * a_row + shared, a_row, 1, b + shared * b_row, b_row, c + i * c_row, c_row, true});
    }
  }
}

// A row's scores to probabilities times their sum.
template <class V>
struct RowSums {
  float max, sum;

  RowSums(float* s, int64_t count, float scale) {
    for_lanes(0, count, [&](int64_t j, auto n) { store<V>(s + j, V::mul(load<V>(s + j, n), V::set1(scale)), n); });
    max = row_max<V>(s, count);
    sum = sum_exp<V>(s, count, max, [&](int64_t j, auto n, auto e) { store<V>(s + j, e, n); });
  }
};

template <class V>
struct Attention {
  static constexpr int64_t kRows = 24;
  static constexpr int64_t kFloats = int64_t{kScratchBytes / sizeof(float)};

  // Rows of a block that fit in scratch: scores, query and result of each.
  static int64_t rows_that_fit(const AttentionArgs& args) {
    const int64_t fit = kFloats / (args.kv_tokens + 2 * args.dim);
    return fit < 1 ? 1 : smaller(fit, kRows);
  }

  // Rows [row, row + rows) of one key head of one sequence.
  static void block(const AttentionArgs& args, int64_t batch, int64_t kv_head, int64_t row, int64_t rows,
                    std::byte* scratch) {
    const int64_t group = args.heads / args.kv_heads, dim = args.dim, kv_row = args.kv_heads * dim;
    const int64_t seen_first = args.kv_tokens - args.q_tokens + 1;
    const auto end = [&](int64_t r) { return seen_first + (row + r) / group; };
    // Offset of row r in q and out.
    const auto at = [&](int64_t r) {
      const int64_t token = batch * args.q_tokens + (row + r) / group;
      return (token * args.heads + kv_head * group + (row + r) % group) * dim;
    };
    float* const q = reinterpret_cast<float*>(scratch);
    float* const out = q + rows * dim;
    float* const scores = out + rows * dim;
    const int64_t keys = end(rows - 1);
    const float* const k = args.k + batch * args.kv_batch_stride + kv_head * dim;
    const float* const v = args.v + batch * args.kv_batch_stride + kv_head * dim;

    for (int64_t r = 0; r < rows; ++r) memcpy(q + r * dim, args.q + at(r), static_cast<size_t>(dim) * sizeof *q);
    dots<V, F32Weights<V>>(rows, keys, {dim, q, dim, k, kv_row, scores, keys});
    float sums[kRows];
    for (int64_t r = 0; r < rows; ++r) {
      const RowSums<V> row_sums(scores + r * keys, end(r), args.scale);
      sums[r] = row_sums.sum;
      if (args.lse) {
        const int64_t head = kv_head * group + (row + r) % group;
        args.lse[(batch * args.heads + head) * args.q_tokens + (row + r) / group] =
            row_sums.max + Math<V>::log(row_sums.sum);
      }
    }
    masked_product<V>(rows, scores, keys, v, kv_row, dim, out, dim, end);
    for (int64_t r = 0; r < rows; ++r) {
      for_lanes(0, dim, [&](int64_t i, auto n) {
        store<V>(args.out + at(r) + i, V::div(load<V>(out + r * dim + i, n), V::set1(sums[r])), n);
      });
    }
  }
};

template <class V>
void attention(const Exec& exec, const AttentionArgs& args) noexcept {
  const int64_t heads = args.batch * args.kv_heads, all_rows = args.q_tokens * (args.heads / args.kv_heads);
  if (heads == 0 || all_rows == 0) return;
  int64_t rows = Attention<V>::rows_that_fit(args);
  while (rows > 1 && exec.threads > 1 && heads * ceil_div(all_rows, rows) < 4 * exec.threads) rows /= 2;
  const int64_t blocks = ceil_div(all_rows, rows);
  parallel_with_scratch(exec, heads * blocks, rows * args.kv_tokens * (args.dim + 8) / 4,
                        [&](std::byte* scratch, int64_t begin, int64_t end) {
                          for (int64_t task = begin; task < end; ++task) {
                            const int64_t head = task / blocks, row = task % blocks * rows;
                            Attention<V>::block(args, head / args.kv_heads, head % args.kv_heads, row,
                                                smaller(rows, all_rows - row), scratch);
                          }
                        });
}
