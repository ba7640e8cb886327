// SPDX-License-Identifier: Apache-2.0
// Attention over keys and values in pages, for the sequences of one pass (attention.inl does the arithmetic).

// The block of page `page` that holds the keys or values of one head.
inline std::byte* kv_block(const KvPages& kv, const KvBlock& block, int64_t page, bool values, int64_t head) {
  return kv.data + page * static_cast<int64_t>(kv.page_stride) + ((values ? kv.kv_heads : 0) + head) * block.bytes();
}

// The sequence of row `row`, from `s` on.
inline const PagedSequence* sequence_of(const PagedSequence* s, int64_t row) {
  while (row >= s->row + s->rows) ++s;
  return s;
}

template <class V>
void kv_append(const Exec& exec, const KvAppendArgs& args) noexcept {
  const KvPages& kv = args.kv;
  const PagedBatch& batch = args.batch;
  const KvBlock block = {kv.type, kv.page_tokens, kv.dim};
  const int64_t half = kv.dim / 2, width = kv.kv_heads * kv.dim;
  parallel_with_scratch(exec, batch.rows, width * 6, [&](std::byte* scratch, int64_t begin, int64_t end) {
    float* const rotated = reinterpret_cast<float*>(scratch);
    const PagedSequence* s = batch.sequence;
    for (int64_t row = begin; row < end; ++row) {
      s = sequence_of(s, row);
      const int64_t position = s->length + row - s->row, slot = position % kv.page_tokens;
      const int64_t page = batch.pages[s->table + position / kv.page_tokens];
      for (int64_t head = 0; head < kv.kv_heads; ++head) {
        const int64_t at = row * width + head * kv.dim;
        rotate<V>(args.k + at, batch.cos + position * half, batch.sin + position * half, half, false, rotated);
        write_kv<V>(block, kv_block(kv, block, page, false, head), slot, rotated);
        write_kv<V>(block, kv_block(kv, block, page, true, head), slot, args.v + at);
      }
    }
  });
}

// What AttentionBlock reads keys and values through.
template <class V>
struct PagedKeys {
  const KvPages& kv;
  KvBlock block;
  const int32_t* pages;

  // f32 in place ends at the end of a page; copies take from several.
  int64_t count(int64_t key, int64_t end, bool in_place) const {
    const int64_t most = smaller(kKeyChunk, end - key);
    return in_place && kv.type == KvType::f32 ? smaller(most, kv.page_tokens - key % kv.page_tokens) : most;
  }

  Panel read(bool values, int64_t head, int64_t key, int64_t rows, int64_t column, int64_t columns, bool in_place,
             float* room) const {
    const int64_t stride = round_up(columns, 32);
    for (int64_t done = 0; done < rows;) {
      const int64_t slot = (key + done) % kv.page_tokens, take = smaller(kv.page_tokens - slot, rows - done);
      const std::byte* from = kv_block(kv, block, pages[(key + done) / kv.page_tokens], values, head);
      if (in_place && kv.type == KvType::f32) {
        return {reinterpret_cast<const float*>(from) + slot * kv.dim + column, kv.dim};
      }
      read_kv<V>(block, from, slot, take, column, columns, room + done * stride, stride);
      done += take;
    }
    return {room, stride};
  }
};

// The pass as blocks of at most `most` rows of one key head of one sequence.
template <class V>
struct PagedAttention {
  using Block = AttentionBlock<V, PagedKeys<V>>;

  const PagedAttentionArgs& args;
  int64_t most = Block::kRows;
  int64_t blocks = 0, longest = 0;

  explicit PagedAttention(const PagedAttentionArgs& a) : args(a) { count(); }

  int64_t all_rows(const PagedSequence& s) const { return s.rows * (args.heads / args.kv.kv_heads); }
  int64_t block_rows(const PagedSequence& s) const {
    return smaller(most, Block::fitting(s.length + s.rows, args.kv.dim));
  }

  void count() {
    blocks = longest = 0;
    for (int64_t i = 0; i < args.batch.sequences; ++i) {
      const PagedSequence& s = args.batch.sequence[i];
      blocks += args.kv.kv_heads * ceil_div(all_rows(s), block_rows(s));
      longest = longest > s.length + s.rows ? longest : s.length + s.rows;
    }
  }

  void halve() {
    most /= 2;
    count();
  }

  // Calls act(block) for the one of this number; `shared`: its scores are in args.scores.
  template <class Act>
  void with_block(int64_t index, bool shared, std::byte* scratch, const Act& act) const {
    const KvPages& kv = args.kv;
    float* scores = args.scores;
    for (const PagedSequence* s = args.batch.sequence;; ++s) {
      const int64_t keys = s->length + s->rows, all = all_rows(*s), rows = block_rows(*s), each = ceil_div(all, rows);
      const int64_t score_row = Block::padded(keys);
      if (index >= each * kv.kv_heads) {
        index -= each * kv.kv_heads;
        scores += shared ? kv.kv_heads * all * score_row : 0;
        continue;
      }
      const int64_t head = index / each, row = index % each * rows, q_at = s->row * args.heads * kv.dim;
      const int64_t turn = s->length * (kv.dim / 2);
      const PagedKeys<V> source = {kv, {kv.type, kv.page_tokens, kv.dim}, args.batch.pages + s->table};
      const AttentionQueries queries = {args.heads,
                                        kv.kv_heads,
                                        s->rows,
                                        keys,
                                        kv.dim,
                                        args.scale,
                                        args.q + q_at,
                                        args.batch.cos + turn,
                                        args.batch.sin + turn,
                                        args.out + q_at,
                                        nullptr};
      float* const room = shared ? scores + (head * all + row) * score_row : nullptr;
      return act(Block(queries, source, head, row, smaller(rows, all - row), scratch, room));
    }
  }

  // Calls act(block, part) for parts [0, parts) of every block.
  template <class Act>
  void for_parts(const Exec& exec, int64_t parts, bool shared, const Act& act) const {
    constexpr int64_t kMuch = int64_t{1} << 20;  // a range a part: sequences differ in length
    parallel_with_scratch(exec, blocks * parts, kMuch, [&](std::byte* scratch, int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        with_block(task / parts, shared, scratch, [&](Block block) { act(block, task % parts); });
      }
    });
  }

  // Every block by several threads: the scores by keys, the sums by rows, the results by columns.
  void run_shared(const Exec& exec) const {
    constexpr int64_t kFewestKeys = 256, kFewestColumns = 32;
    const int64_t parts = ceil_div(int64_t{4} * exec.threads, blocks), dim = args.kv.dim;
    const int64_t span = round_up(ceil_div(longest, smaller(parts, ceil_div(longest, kFewestKeys))), kKeyChunk);
    for_parts(exec, ceil_div(longest, span), true,
              [&](Block& block, int64_t part) { block.score(part * span, (part + 1) * span); });
    for_parts(exec, 1, true, [&](Block& block, int64_t) {
      for (int64_t r = 0; r < block.rows; ++r) block.normalize(r);
    });
    const int64_t columns = round_up(ceil_div(dim, smaller(parts, ceil_div(dim, kFewestColumns))), kFewestColumns);
    for_parts(exec, ceil_div(dim, columns), true, [&](Block& block, int64_t part) {
      block.add_values(part * columns, smaller(columns, dim - part * columns));
    });
  }
};

template <class V>
void paged_attention(const Exec& exec, const PagedAttentionArgs& args) noexcept {
  constexpr int64_t kEnough = 4, kLong = 512;  // blocks a thread; keys from which a block is worth sharing
  if (args.k) kv_append<V>(exec, {args.kv, args.batch, args.k, args.v});
  PagedAttention<V> pass(args);
  const auto few = [&] { return exec.threads > 1 && pass.blocks < kEnough * exec.threads; };
  while (few() && pass.most > 8) pass.halve();
  if (few() && args.scores && pass.longest >= kLong) return pass.run_shared(exec);
  while (few() && pass.most > 1) pass.halve();
  pass.for_parts(exec, 1, false, [](auto& block, int64_t) { block.run(); });
}
