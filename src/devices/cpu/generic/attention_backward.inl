// SPDX-License-Identifier: Apache-2.0
// Gradients of attention.inl. One task owns one key head of one sequence: it walks the heads of the group and their
// queries in ascending order, so dk and dv grow in one order whatever the threads.

template <class V>
struct AttentionBackward {
  static constexpr int64_t kRows = 48;  // queries of a block

  const AttentionBackwardArgs& args;
  // Token strides, and the first element of this head.
  int64_t q_row, kv_row;
  const float *q, *k, *v, *out, *d_out, *lse;
  float *dq, *dk, *dv;
  // Scratch [queries, keys]: probabilities and score gradients.
  float *p, *ds;

  AttentionBackward(const AttentionBackwardArgs& a, int64_t batch, int64_t head, std::byte* scratch)
      : args(a), q_row(a.heads * a.dim), kv_row(a.kv_heads * a.dim) {
    const int64_t kv_head = head / (a.heads / a.kv_heads);
    const int64_t q_at = batch * a.tokens * q_row + head * a.dim, kv_at = batch * a.tokens * kv_row + kv_head * a.dim;
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
    ds = p + int64_t{kScratchBytes / sizeof(float)} / 2;
  }

  void zero_keys() {
    for (int64_t j = 0; j < args.tokens; ++j) {
      memset(dk + j * kv_row, 0, static_cast<size_t>(args.dim) * sizeof *dk);
      memset(dv + j * kv_row, 0, static_cast<size_t>(args.dim) * sizeof *dv);
    }
  }

  // From q·k in p and d_out·v in ds to the probabilities and score gradients of query i.
  void finish_row(int64_t i, float* p_row, float* ds_row) {
    float delta;
    dots<V, F32Weights<V>>(1, 1, {args.dim, d_out + i * q_row, 0, out + i * q_row, 0, &delta, 0});
    const typename V::F scale = V::set1(args.scale), row_lse = V::set1(lse[i]), row_delta = V::set1(delta);
    for_lanes(0, i + 1, [&](int64_t j, auto n) {
      const typename V::F prob = Math<V>::exp(V::sub(V::mul(load<V>(p_row + j, n), scale), row_lse));
      const typename V::F change = V::sub(load<V>(ds_row + j, n), row_delta);
      store<V>(p_row + j, prob, n);
      store<V>(ds_row + j, V::mul(V::mul(prob, change), scale), n);
    });
  }

  // to_j += Σ_i a[i, j] · from_i over the block's queries i >= j, ascending.
  void add_to_keys(const float* a, int64_t begin, int64_t end, const float* from, float* to) {
    for (int64_t j = 0; j <= begin; j += V::kTileRows) {
      const int64_t count = smaller(V::kTileRows, begin + 1 - j);
      product<V>(count, args.dim,
                 {end - begin, a + j, 1, end, from + begin * q_row, q_row, to + j * kv_row, kv_row, true});
    }
    for (int64_t j = begin + 1; j < end; ++j) {
      product<V>(1, args.dim,
                 {end - j, a + (j - begin) * end + j, 1, end, from + j * q_row, q_row, to + j * kv_row, kv_row, true});
    }
  }

  // Queries [begin, end); they see keys below `end`.
  void block(int64_t begin, int64_t end) {
    const int64_t rows = end - begin;
    dots<V, F32Weights<V>>(rows, end, {args.dim, q + begin * q_row, q_row, k, kv_row, p, end});
    dots<V, F32Weights<V>>(rows, end, {args.dim, d_out + begin * q_row, q_row, v, kv_row, ds, end});
    for (int64_t i = begin; i < end; ++i) finish_row(i, p + (i - begin) * end, ds + (i - begin) * end);
    masked_product<V>(rows, ds, end, k, kv_row, args.dim, dq + begin * q_row, q_row,
                      [&](int64_t r) { return begin + r + 1; });
    add_to_keys(p, begin, end, d_out, dv);
    add_to_keys(ds, begin, end, q, dk);
  }

  void run() {
    const int64_t fit = int64_t{kScratchBytes / sizeof(float)} / 2 / args.tokens;
    const int64_t rows = fit < 1 ? 1 : smaller(fit, kRows);
    for (int64_t i = 0; i < args.tokens; i += rows) block(i, smaller(i + rows, args.tokens));
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
