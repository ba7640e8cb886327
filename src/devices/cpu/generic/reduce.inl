// SPDX-License-Identifier: Apache-2.0
// Reductions over the middle axis of [outer, extent, inner], and sums of rows in the two orders of kernels.h.

// What a reduction does with f32 lanes: where it starts and how it takes one more.
template <class V>
struct SumF32 {
  static constexpr float kStart = 0.0f;
  static typename V::F take(typename V::F acc, typename V::F x) { return V::add(acc, x); }
  static float fold(typename V::F acc) { return V::reduce_add(acc); }
  static typename V::F fold_each(const typename V::F* acc) { return V::reduce_add_each(acc); }
};
template <class V>
struct MaxF32 {
  static constexpr float kStart = -__builtin_inff();
  static typename V::F take(typename V::F acc, typename V::F x) { return maximum<V>(acc, x); }
  static float fold(typename V::F acc) { return fold_nan(acc, V::reduce_max(acc)); }
  // reduce_max may lose a NaN.
  static float fold_nan(typename V::F acc, float folded) {
    return V::bits(V::ne(acc, acc)) ? __builtin_nanf("") : folded;
  }
};
template <class V>
struct MinF32 {
  static constexpr float kStart = __builtin_inff();
  static typename V::F take(typename V::F acc, typename V::F x) { return minimum<V>(acc, x); }
  static float fold(typename V::F acc) { return -MaxF32<V>::fold(V::neg(acc)); }
};

// A row's lanes.
template <class V, class R>
typename V::F lanes_of_row(const float* x, int64_t extent) {
  auto acc = V::set1(R::kStart);
  for_lanes(0, extent, [&](int64_t i, auto n) { acc = R::take(acc, load<V>(x + i, n, R::kStart)); });
  return acc;
}

// One row: lanes order.
template <class V, class R>
float reduce_row_f32(const float* x, int64_t extent) {
  return R::fold(lanes_of_row<V, R>(x, extent));
}

// Adjacent rows, 16 at a time where their folds can go together: 2000 sums of 50 take 6.9 us instead of 15.6.
template <class V, class R>
void reduce_rows_f32(const float* x, int64_t extent, float* y, int64_t rows) {
  int64_t row = 0;
  if constexpr (requires(const typename V::F* lanes) { R::fold_each(lanes); }) {
    for (; row + V::kLanes <= rows; row += V::kLanes) {
      typename V::F lanes[V::kLanes];
      for (int r = 0; r < V::kLanes; ++r) lanes[r] = lanes_of_row<V, R>(x + (row + r) * extent, extent);
      V::store(y + row, R::fold_each(lanes));
    }
  }
  for (; row < rows; ++row) y[row] = reduce_row_f32<V, R>(x + row * extent, extent);
}

// Columns in kVectors vectors, the last of which has n: ascending order.
template <class V, class R, int kVectors, class N>
void reduce_vectors_f32(const float* x, int64_t extent, int64_t stride, float* y, N n) {
  constexpr int kLast = kVectors - 1;
  typename V::F acc[kVectors];
  for (auto& lanes : acc) lanes = V::set1(R::kStart);
  for (int64_t k = 0; k < extent; ++k) {
    const float* row = x + k * stride;
    for (int u = 0; u < kLast; ++u) acc[u] = R::take(acc[u], V::load(row + u * V::kLanes));
    acc[kLast] = R::take(acc[kLast], load<V>(row + kLast * V::kLanes, n));
  }
  for (int u = 0; u < kLast; ++u) V::store(y + u * V::kLanes, acc[u]);
  store<V>(y + kLast * V::kLanes, acc[kLast], n);
}

// `count` columns at x, rows `stride` apart, up to 64 in a pass over the rows: a pass for each vector of 50 columns
// took 359 us for 20,000 rows instead of 138.
template <class V, class R>
void reduce_columns_f32(const float* x, int64_t extent, int64_t stride, float* y, int64_t count) {
  using Last = void (*)(const float*, int64_t, int64_t, float*, int64_t);
  constexpr Last kLast[] = {reduce_vectors_f32<V, R, 1, int64_t>, reduce_vectors_f32<V, R, 2, int64_t>,
                            reduce_vectors_f32<V, R, 3, int64_t>, reduce_vectors_f32<V, R, 4, int64_t>};
  constexpr int64_t kColumns = 4 * V::kLanes;
  int64_t j = 0;
  for (; j + kColumns <= count; j += kColumns) reduce_vectors_f32<V, R, 4>(x + j, extent, stride, y + j, Full{});
  if (j == count) return;
  const int64_t before = (count - j - 1) / V::kLanes;  // whole vectors before the last one
  kLast[before](x + j, extent, stride, y + j, count - j - before * V::kLanes);
}

// Calls run(outer, i, n) for the runs of n outputs [outer, i …) that make up all outputs, in parallel, `unit` outputs or a
// multiple at a time.
template <class Run>
void for_outputs(const Exec& exec, const ReduceArgs& args, int64_t unit, const Run& run) {
  parallel_for(exec, args.outer * args.inner, args.extent, unit, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t o = begin / args.inner, i = begin % args.inner;
      const int64_t n = smaller(args.inner - i, end - begin);
      run(o, i, n);
      begin += n;
    }
  });
}

template <class V, class R>
void reduce_f32(const Exec& exec, const ReduceArgs& args) {
  const auto* x = static_cast<const float*>(args.x);
  auto* y = static_cast<float*>(args.y);
  if (args.inner == 1) {
    return parallel_for(exec, args.outer, args.extent, 1, [&](int64_t begin, int64_t end) {
      reduce_rows_f32<V, R>(x + begin * args.extent, args.extent, y + begin, end - begin);
    });
  }
  // Whoever reads a part of every row reads its lines of cache whole. (50 columns of 20,000 rows with two threads: 423 us
  // in eight ranges of seven columns.)
  constexpr int64_t kLine = 16;
  const int64_t outputs = args.outer * args.inner;
  if (outputs == 0) return;
  const int64_t unit = smaller(4 * kLine, round_up(ceil_div(outputs, exec.threads), kLine));
  for_outputs(exec, args, unit, [&](int64_t o, int64_t i, int64_t n) {
    reduce_columns_f32<V, R>(x + o * args.extent * args.inner + i, args.extent, args.inner, y + o * args.inner + i, n);
  });
}

// Every output by itself: y = fn(its first element, stride).
template <class T, class Y, class Fn>
void reduce_each(const Exec& exec, const ReduceArgs& args, const Fn& fn) {
  const auto* x = static_cast<const T*>(args.x);
  auto* y = static_cast<Y*>(args.y);
  for_outputs(exec, args, 1, [&](int64_t o, int64_t i, int64_t n) {
    for (int64_t j = i; j < i + n; ++j) y[o * args.inner + j] = fn(x + o * args.extent * args.inner + j, args.inner);
  });
}

template <class T, class U>
void sum_integer(const Exec& exec, const ReduceArgs& args) {
  reduce_each<T, T>(exec, args, [&](const T* x, int64_t stride) {
    U sum = 0;
    for (int64_t k = 0; k < args.extent; ++k) sum += static_cast<U>(x[k * stride]);
    return static_cast<T>(sum);
  });
}

// The index of the first element that no other is better than; a NaN is better than any number.
template <class T, class Better>
int64_t index_of_best(const T* x, int64_t extent, int64_t stride, const Better& better) {
  int64_t best = 0;
  for (int64_t k = 1; k < extent; ++k) {
    const T v = x[k * stride], b = x[best * stride];
    if (b == b && (v != v || better(v, b))) best = k;
  }
  return best;
}

// The extreme of a contiguous row, then where it first stands: two passes that read whole vectors.
template <class V, class R>
int64_t index_in_row(const float* x, int64_t extent) {
  const auto best = V::set1(reduce_row_f32<V, R>(x, extent));
  for (int64_t i = 0;; i += V::kLanes) {
    const auto v = i + V::kLanes <= extent ? V::load(x + i) : V::load_n(x + i, extent - i);
    const uint32_t found = V::bits(V::eq(v, best)) | (V::bits(V::ne(best, best)) & V::bits(V::ne(v, v)));
    if (found) return i + __builtin_ctz(found);
  }
}

template <class V>
void index_f32(const Exec& exec, const ReduceArgs& args) {
  const bool greatest = args.op == ReduceOp::argmax;
  reduce_each<float, int64_t>(exec, args, [&](const float* x, int64_t stride) {
    if (stride == 1) {
      return greatest ? index_in_row<V, MaxF32<V>>(x, args.extent) : index_in_row<V, MinF32<V>>(x, args.extent);
    }
    return greatest ? index_of_best(x, args.extent, stride, [](float a, float b) { return a > b; })
                    : index_of_best(x, args.extent, stride, [](float a, float b) { return a < b; });
  });
}

template <class T, class U>
void reduce_integer(const Exec& exec, const ReduceArgs& args) {
  const auto greater = [](T a, T b) { return a > b; };
  const auto less = [](T a, T b) { return a < b; };
  const auto index = [&](auto better) {
    reduce_each<T, int64_t>(exec, args,
                            [&](const T* x, int64_t s) { return index_of_best(x, args.extent, s, better); });
  };
  const auto value = [&](auto better) {
    reduce_each<T, T>(exec, args,
                      [&](const T* x, int64_t s) { return x[index_of_best(x, args.extent, s, better) * s]; });
  };
  switch (args.op) {
    case ReduceOp::sum:
      return sum_integer<T, U>(exec, args);
    case ReduceOp::max:
      return value(greater);
    case ReduceOp::min:
      return value(less);
    case ReduceOp::argmax:
      return index(greater);
    case ReduceOp::argmin:
      return index(less);
  }
}

template <class V>
void reduce(const Exec& exec, const ReduceArgs& args) noexcept {
  if (args.dtype == DType::i32) return reduce_integer<int32_t, uint32_t>(exec, args);
  if (args.dtype == DType::i64) return reduce_integer<int64_t, uint64_t>(exec, args);
  switch (args.op) {
    case ReduceOp::sum:
      return reduce_f32<V, SumF32<V>>(exec, args);
    case ReduceOp::max:
      return reduce_f32<V, MaxF32<V>>(exec, args);
    case ReduceOp::min:
      return reduce_f32<V, MinF32<V>>(exec, args);
    default:
      return index_f32<V>(exec, args);
  }
}
