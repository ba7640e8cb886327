// SPDX-License-Identifier: Apache-2.0
// Rows of a table by their ids: reading them, and adding into them.

void gather_rows(const Exec& exec, const GatherRowsArgs& args) noexcept {
  const auto* table = static_cast<const char*>(args.table);
  auto* y = static_cast<char*>(args.y);
  parallel_for(exec, args.count, static_cast<int64_t>(args.row_bytes / 4), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      memcpy(y + static_cast<size_t>(i) * args.row_bytes, table + static_cast<size_t>(args.ids[i]) * args.row_bytes,
             args.row_bytes);
    }
  });
}

// Split by columns, so that every element receives its terms in ascending i from one thread.
template <class V>
void scatter_add_rows(const Exec& exec, const ScatterAddRowsArgs& args) noexcept {
  parallel_for(exec, args.cols, args.count, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < args.count; ++i) {
      const float* x = args.x + i * args.cols;
      float* y = args.y + args.ids[i] * args.cols;
      for_lanes(begin, end,
                [&](int64_t j, auto n) { store<V>(y + j, V::add(load<V>(y + j, n), load<V>(x + j, n)), n); });
    }
  });
}
