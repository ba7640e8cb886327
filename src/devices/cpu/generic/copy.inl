// SPDX-License-Identifier: Apache-2.0
// Strided copies between any two types, and filling.

template <class T>
void move_strided(const T* x, int64_t x_stride, T* y, int64_t y_stride, int64_t count) {
  if (x_stride == 1 && y_stride == 1) {
    memcpy(y, x, static_cast<size_t>(count) * sizeof(T));
  } else {
    for (int64_t i = 0; i < count; ++i) y[i * y_stride] = x[i * x_stride];
  }
}

template <class T>
void move_runs(const Exec& exec, const CopyArgs& args) {
  const auto* x = static_cast<const T*>(args.x);
  auto* y = static_cast<T*>(args.y);
  const int64_t x_stride = last_of(args.x_strides), y_stride = last_of(args.y_strides);
  for_runs(exec, args.shape, {&args.x_strides, &args.y_strides}, [=](int64_t, int64_t n, const auto& walk) {
    move_strided(x + walk.offset(0), x_stride, y + walk.offset(1), y_stride, n);
  });
}

// f32 to halves, of runs without gaps.
template <class V, class T>
void narrow_runs(const Exec& exec, const CopyArgs& args) {
  const int64_t bytes = share_of(exec, count_of(args.shape)) * static_cast<int64_t>(sizeof(float) + sizeof(T));
  for_runs(exec, args.shape, {&args.x_strides, &args.y_strides}, [&](int64_t, int64_t count, const auto& walk) {
    const float* const x = static_cast<const float*>(args.x) + walk.offset(0);
    T* const y = static_cast<T*>(args.y) + walk.offset(1);
    write_blocks<V>(y, count, bytes, reading_ahead(x, y), [=](T* to, int64_t i, int64_t n) [[gnu::always_inline]] {
      write_run<V, T>(x + i, to, 1, n);
    });
  });
}

// By blocks of numbers that stay in the first-level cache; contiguous f32 is its own block.
template <class V, class N>
void convert_runs(const Exec& exec, const CopyArgs& args) {
  constexpr int64_t kBlock = 256;
  const Conversion<N> convert = conversion<V, N>(args.x_dtype, args.y_dtype);
  const int64_t x_stride = last_of(args.x_strides), y_stride = last_of(args.y_strides);
  const auto x_size = static_cast<int64_t>(size_of(args.x_dtype)), y_size = static_cast<int64_t>(size_of(args.y_dtype));
  const bool x_is_block = kSame<N, float> && args.x_dtype == DType::f32 && x_stride == 1;
  const bool y_is_block = kSame<N, float> && args.y_dtype == DType::f32 && y_stride == 1;
  for_runs(exec, args.shape, {&args.x_strides, &args.y_strides}, [&](int64_t, int64_t count, const auto& walk) {
    const char* x = static_cast<const char*>(args.x) + walk.offset(0) * x_size;
    char* y = static_cast<char*>(args.y) + walk.offset(1) * y_size;
    N block[kBlock];
    for (int64_t i = 0; i < count; i += kBlock, x += kBlock * x_stride * x_size, y += kBlock * y_stride * y_size) {
      const int64_t n = smaller(kBlock, count - i);
      if (x_is_block) {
        convert.write(static_cast<const N*>(static_cast<const void*>(x)), y, y_stride, n);
      } else if (y_is_block) {
        convert.read(x, x_stride, static_cast<N*>(static_cast<void*>(y)), n);
      } else {
        convert.read(x, x_stride, block, n);
        convert.write(block, y, y_stride, n);
      }
    }
  });
}

// The axis along which x is contiguous when y is along the last and x is not: a transposition. Else -1.
int transposed_axis(const CopyArgs& args) {
  const int last = args.shape.rank - 1;
  if (args.y_strides.at[last] != 1 || args.x_strides.at[last] == 1) return -1;
  for (int axis = 0; axis < last; ++axis) {
    if (args.x_strides.at[axis] == 1 && args.shape.at[axis] >= 8 && args.shape.at[last] >= 8) return axis;
  }
  return -1;
}

// `rows` <= 32 rows of y from as many elements of each column of x, through a tile of 32 x 32, so that every cache line
// of x is read once and whole.
template <class T>
void transpose_rows(const CopyArgs& args, const T* x, T* y, int axis, int64_t rows) {
  constexpr int64_t kTile = 32;
  const int last = args.shape.rank - 1;
  const int64_t x_stride = args.x_strides.at[last], y_stride = args.y_strides.at[axis];
  T tile[kTile][kTile];
  for (int64_t begin = 0; begin < args.shape.at[last]; begin += kTile) {
    const int64_t columns = smaller(kTile, args.shape.at[last] - begin);
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = 0; r < rows; ++r) tile[c][r] = x[(begin + c) * x_stride + r];
    }
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) y[r * y_stride + begin + c] = tile[c][r];
    }
  }
}

template <class T>
void transpose(const Exec& exec, const CopyArgs& args, int axis) {
  constexpr int64_t kTile = 32;
  const int last = args.shape.rank - 1;
  const int64_t rows = args.shape.at[axis];
  const int64_t tiles = (rows + kTile - 1) / kTile;
  Dims outer = args.shape;
  outer.at[axis] = tiles;
  outer.at[last] = 1;
  parallel_for(exec, count_of(outer), kTile * args.shape.at[last], 1, [&](int64_t begin, int64_t end) {
    Dims x_strides = args.x_strides, y_strides = args.y_strides;
    x_strides.at[axis] *= kTile;
    y_strides.at[axis] *= kTile;
    for (int64_t i = begin; i < end; ++i) {
      const StridedWalk<2> walk(outer, {&x_strides, &y_strides}, i);
      transpose_rows(args, static_cast<const T*>(args.x) + walk.offset(0), static_cast<T*>(args.y) + walk.offset(1),
                     axis, smaller(kTile, rows - walk.index(axis) * kTile));
    }
  });
}

template <class V>
void copy(const Exec& exec, const CopyArgs& args) noexcept {
  const bool fits_float = has_gradient(args.x_dtype) || (has_gradient(args.y_dtype) && size_of(args.x_dtype) == 1);
  if (args.x_dtype == DType::f32 && last_of(args.x_strides) == 1 && last_of(args.y_strides) == 1) {
    if (args.y_dtype == DType::f16) return narrow_runs<V, F16>(exec, args);
    if (args.y_dtype == DType::bf16) return narrow_runs<V, Bf16>(exec, args);
  }
  if (args.x_dtype != args.y_dtype) {
    return fits_float ? convert_runs<V, float>(exec, args) : convert_runs<V, int64_t>(exec, args);
  }
  const int axis = transposed_axis(args);
  with_type(args.x_dtype, [&](auto element) {
    using T = decltype(element);
    axis < 0 ? move_runs<T>(exec, args) : transpose<T>(exec, args, axis);
  });
}

template <class T>
void fill_typed(const Exec& exec, const FillArgs& args, T value) {
  auto* y = static_cast<T*>(args.y);
  parallel_for(exec, args.count, 1, 16, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = value;
  });
}

template <class V>
void fill(const Exec& exec, const FillArgs& args) noexcept {
  with_type(args.dtype, [&](auto element) {
    using T = decltype(element);
    if constexpr (kHalf<T>) {
      const float numbers[V::kLanes] = {static_cast<float>(args.value)};
      write_run<V, T>(numbers, &element, 1, 1);
    } else {
      element = element_of<T>(args.value);
    }
    fill_typed(exec, args, element);
  });
}
