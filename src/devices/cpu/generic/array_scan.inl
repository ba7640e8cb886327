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

template <class Fn, class T>
void scan_as(const Exec& exec, const ArrayScanArgs& args) {
  constexpr int64_t kColumns = 512;  // that go down together
  const int64_t inner = args.inner, chunks = ceil_div(inner, kColumns);
  if (args.extent == 0) return;
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
