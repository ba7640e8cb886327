// SPDX-License-Identifier: Apache-2.0
// Gradients of attention.inl. One task owns one key head of one sequence: it walks the heads of the group and their
// queries in ascending order, so dk and dv grow in one order whatever the threads. With lse known, a block of queries
// by a chunk of keys needs nothing of the others: its probabilities and score gradients never leave the near caches.

// One query head of one sequence.
template <class V>
struct AttentionBackward {
  static constexpr int64_t kRows = 48;                  // queries of a block
  static constexpr int64_t kScoreRow = kKeyChunk + 16;  // row stride of scores

  static_assert((2 * kRows * kScoreRow + 2 * (kRows + kKeyChunk) * 2048) * sizeof(float) <=
                kScratchBytes);  // dim <= 2048

  const AttentionBackwardArgs& args;
  int64_t dim, q_row, kv_row;  // token strides
  const float *q, *k, *v, *out, *d_out, *lse;
  float *dq, *dk, *dv;
  // Scratch: probabilities, score gradients, and the rows of the block and chunk side by side.
  float *p, *ds, *q_panel, *d_out_panel, *k_panel, *v_panel;
  float delta[kRows];

  AttentionBackward(const AttentionBackwardArgs& a, int64_t batch, int64_t head, std::byte* scratch)
      : args(a), dim(a.dim), q_row(a.heads * a.dim), kv_row(a.kv_heads * a.dim) {
    const int64_t kv_head = head / (a.heads / a.kv_heads);
    const int64_t q_at = batch * a.tokens * q_row + head * dim, kv_at = batch * a.tokens * kv_row + kv_head * dim;
    q = a.q + q_at;
    out = a.out + q_at;
    d_out = a.d_out + q_at;
    dq = a.dq + q_at;
    k = a.k + kv_at;
    v = a.v + kv_at;
    dk = a.dk + kv_at;
    dv = a.dv + kv_at;
    lse = a.lse + (batch * a.heads + head) * a.tokens;
    p = reinterpret_cast<float*>(scratch);
    ds = p + kRows * kScoreRow;
    q_panel = ds + kRows * kScoreRow;
    d_out_panel = q_panel + kRows * dim;
    k_panel = d_out_panel + kRows * dim;
    v_panel = k_panel + kKeyChunk * dim;
  }

  void zero_keys() {
    for (int64_t j = 0; j < args.tokens; ++j) {
      memset(dk + j * kv_row, 0, static_cast<size_t>(dim) * sizeof *dk);
      memset(dv + j * kv_row, 0, static_cast<size_t>(dim) * sizeof *dv);
    }
  }

  // From q·k and d_out·v of query i to the probabilities and score gradients of the `count` keys it sees.
  void finish_row(float* p_row, float* ds_row, int64_t count, float row_lse, float row_delta) {
    const typename V::F scale = V::set1(args.scale);
    for_lanes(0, count, [&](int64_t j, auto n) {
      const typename V::F prob = Math<V>::exp(V::sub(V::mul(load<V>(p_row + j, n), scale), V::set1(row_lse)));
      const typename V::F change = V::sub(load<V>(ds_row + j, n), V::set1(row_delta));
      store<V>(p_row + j, prob, n);
      store<V>(ds_row + j, V::mul(V::mul(prob, change), scale), n);
    });
  }

  // to_j += Σ_i a[i, j] · from_i, i ascending over the rows of the block that see key j: those from j - ahead, where
  // the first row of the block sees the keys up to `ahead` of the chunk, that one included (negative: none).
  void add_to_keys(int64_t rows, int64_t keys, int64_t ahead, const float* a, const float* from, float* to) {
    const int64_t full = ahead < 0 ? 0 : smaller(ahead + 1, keys);
    for (int64_t j = 0; j < full; j += V::kTileRows) {
      product<V>(smaller(V::kTileRows, full - j), dim,
                 {rows, a + j, 1, kScoreRow, from, dim, to + j * kv_row, kv_row, true});
    }
    for (int64_t j = full; j < keys; ++j) {
      const int64_t i = j - ahead;
      product<V>(1, dim,
                 {rows - i, a + i * kScoreRow + j, 1, kScoreRow, from + i * dim, dim, to + j * kv_row, kv_row, true});
    }
  }

  // Queries [begin, begin + rows) by keys [key, key + keys).
  void chunk(int64_t begin, int64_t rows, int64_t key, int64_t keys) {
    gather_panel(keys, k + key * kv_row, kv_row, dim, k_panel);
    gather_panel(keys, v + key * kv_row, kv_row, dim, v_panel);
    dots<V, F32Weights<V>>(rows, keys, {dim, q_panel, dim, k_panel, dim, p, kScoreRow});
    dots<V, F32Weights<V>>(rows, keys, {dim, d_out_panel, dim, v_panel, dim, ds, kScoreRow});
    const auto seen = [&](int64_t r) { return begin + r < key ? 0 : smaller(begin + r + 1 - key, keys); };
    for (int64_t r = 0; r < rows; ++r)
      finish_row(p + r * kScoreRow, ds + r * kScoreRow, seen(r), lse[begin + r], delta[r]);
    masked_product<V>(rows, dim, {0, ds, kScoreRow, 1, k_panel, dim, dq + begin * q_row, q_row, key > 0}, seen);
    add_to_keys(rows, keys, begin - key, p, d_out_panel, dv + key * kv_row);
    add_to_keys(rows, keys, begin - key, ds, q_panel, dk + key * kv_row);
  }

  void block(int64_t begin, int64_t rows) {
    gather_panel(rows, q + begin * q_row, q_row, dim, q_panel);
    gather_panel(rows, d_out + begin * q_row, q_row, dim, d_out_panel);
    for (int64_t r = 0; r < rows; ++r) {
      dots<V, F32Weights<V>>(1, 1, {dim, d_out_panel + r * dim, 0, out + (begin + r) * q_row, 0, delta + r, 0});
    }
    for (int64_t key = 0; key < begin + rows; key += kKeyChunk) {
      chunk(begin, rows, key, smaller(kKeyChunk, begin + rows - key));
    }
  }

  void run() {
    for (int64_t i = 0; i < args.tokens; i += kRows) block(i, smaller(kRows, args.tokens - i));
  }
};

template <class V>
void attention_backward(const Exec& exec, const AttentionBackwardArgs& args) noexcept {
  const int64_t group = args.heads / args.kv_heads;
  const int64_t cost = group * args.tokens * args.tokens * (args.dim + 8);
  parallel_with_scratch(exec, args.batch * args.kv_heads, cost, [&](std::byte* scratch, int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t batch = task / args.kv_heads, first = task % args.kv_heads * group;
      for (int64_t head = first; head < first + group; ++head) {
        AttentionBackward<V> backward(args, batch, head, scratch);
        if (head == first) backward.zero_keys();
        backward.run();
      }
    }
  });
}
