// SPDX-License-Identifier: Apache-2.0
// Running sums and products along the middle axis of [outer, extent, inner].

template <class Fn, class T>
T scanned(T a, T b) {
  if constexpr (!kComplex<T>) {
    return Fn::of(a, b);
  } else if constexpr (kSame<Fn, Plus>) {
    return {a.re + b.re, a.im + b.im};
  } else {
    return times(a, b);
  }
}

// ---------------------------------------------------------------- sums of rows, by blocks

constexpr int64_t kBlocksTogether = 4;  // each is a chain of additions
constexpr int64_t kScanGroup = kBlocksTogether * kScanRowBlock;

// Running sums within each block of n elements.
template <class T>
void sum_within_blocks(const T* __restrict x, T* __restrict y, int64_t n) {
  int64_t first = 0;
  for (; first + kScanGroup <= n; first += kScanGroup) {
    T acc[kBlocksTogether];
    for (int64_t u = 0; u < kBlocksTogether; ++u) acc[u] = y[first + u * kScanRowBlock] = x[first + u * kScanRowBlock];
    for (int64_t k = first + 1; k < first + kScanRowBlock; ++k) {
      for (int64_t u = 0; u < kBlocksTogether; ++u) {
        y[k + u * kScanRowBlock] = acc[u] = scanned<Plus>(acc[u], x[k + u * kScanRowBlock]);
      }
    }
  }
  for (; first < n; first += kScanRowBlock) {
    T acc = y[first] = x[first];
    const int64_t end = smaller(first + kScanRowBlock, n);
    for (int64_t k = first + 1; k < end; ++k) y[k] = acc = scanned<Plus>(acc, x[k]);
  }
}

// Adds `before` to n elements.
template <class T>
void add_before(T before, T* y, int64_t n) {
  for (int64_t k = 0; k < n; ++k) y[k] = scanned<Plus>(before, y[k]);
}

// A row by one thread, a group of blocks at a time.
template <class T>
void sum_row(const T* x, T* y, int64_t extent) {
  for (int64_t group = 0; group < extent; group += kScanGroup) {
    const int64_t end = smaller(group + kScanGroup, extent);
    sum_within_blocks(x + group, y + group, end - group);
    for (int64_t first = group; first < end; first += kScanRowBlock) {
      if (first > 0) add_before(y[first - 1], y + first, smaller(kScanRowBlock, end - first));
    }
  }
}

// Rows that threads share: sums within blocks, the last of each block, all others.
template <class T>
void sum_shared_rows(const Exec& exec, const ArrayScanArgs& args) {
  const T* const x = static_cast<const T*>(args.x);
  T* const y = static_cast<T*>(args.y);
  const int64_t extent = args.extent, groups = ceil_div(extent, kScanGroup), later = ceil_div(extent, kScanRowBlock) - 1;
  for_rows(exec, args.outer * groups, kScanGroup, [&](int64_t item) {
    const int64_t row = item / groups, first = item % groups * kScanGroup;
    sum_within_blocks(x + row * extent + first, y + row * args.y_stride + first, smaller(kScanGroup, extent - first));
  });
  for (int64_t row = 0; row < args.outer; ++row) {
    T* const sums = y + row * args.y_stride;
    for (int64_t first = kScanRowBlock; first < extent; first += kScanRowBlock) {
      add_before(sums[first - 1], sums + smaller(first + kScanRowBlock, extent) - 1, 1);
    }
  }
  for_rows(exec, args.outer * later, kScanRowBlock, [&](int64_t item) {
    T* const sums = y + item / later * args.y_stride;
    const int64_t first = (item % later + 1) * kScanRowBlock;
    add_before(sums[first - 1], sums + first, smaller(kScanRowBlock, extent - first) - 1);
  });
}

template <class T>
void sum_rows(const Exec& exec, const ArrayScanArgs& args) {
  if (args.outer < exec.threads && args.extent > 2 * kScanGroup) return sum_shared_rows<T>(exec, args);
  for_rows(exec, args.outer, args.extent, [&](int64_t row) {
    sum_row(static_cast<const T*>(args.x) + row * args.extent, static_cast<T*>(args.y) + row * args.y_stride,
            args.extent);
  });
}

// ---------------------------------------------------------------- all

template <class Fn, class T>
void scan_as(const Exec& exec, const ArrayScanArgs& args) {
  constexpr int64_t kColumns = 512;  // that go down together
  const int64_t inner = args.inner, chunks = ceil_div(inner, kColumns);
  if (args.extent == 0) return;
  if constexpr (kSame<Fn, Plus>) {
    if (inner == 1) return sum_rows<T>(exec, args);
  }
  for_rows(exec, args.outer * chunks, args.extent * smaller(inner, kColumns), [&](int64_t item) {
    const int64_t i = item % chunks * kColumns, n = smaller(kColumns, inner - i);
    const T* __restrict x = static_cast<const T*>(args.x) + item / chunks * args.extent * inner + i;
    T* __restrict y = static_cast<T*>(args.y) + item / chunks * args.y_stride + i;
    if (inner == 1) {
      T acc = y[0] = x[0];
      for (int64_t k = 1; k < args.extent; ++k) y[k] = acc = scanned<Fn>(acc, x[k]);
      return;
    }
    for (int64_t j = 0; j < n; ++j) y[j] = x[j];
    for (int64_t k = 1; k < args.extent; ++k) {
      const T* before = y;
      x += inner, y += inner;
      for (int64_t j = 0; j < n; ++j) y[j] = scanned<Fn>(before[j], x[j]);
    }
  });
}

template <class Fn>
void scan_with(const Exec& exec, const ArrayScanArgs& args) {
  switch (args.dtype) {
    case DType::f32:
      return scan_as<Fn, float>(exec, args);
    case DType::f64:
      return scan_as<Fn, double>(exec, args);
    case DType::c64:
      return scan_as<Fn, Complex<float>>(exec, args);
    case DType::c128:
      return scan_as<Fn, Complex<double>>(exec, args);
    default:  // of i64, too: the same bits
      return scan_as<Fn, uint64_t>(exec, args);
  }
}

void array_scan(const Exec& exec, const ArrayScanArgs& args) noexcept {
  args.op == ScanOp::sum ? scan_with<Plus>(exec, args) : scan_with<Times>(exec, args);
}
