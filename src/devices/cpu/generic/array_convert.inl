// SPDX-License-Identifier: Apache-2.0
// Conversions between the element types of arrays (array_elements.inl) in loops that compilers turn into vectors.

// y[i·y_stride] = fn(x[i·x_stride]), a part of `whole` elements.
template <class To, class From, class Fn>
void convert_run(const void* from, int64_t x_stride, void* to, int64_t y_stride, int64_t count, int64_t whole) {
  const Fn fn;
  const From* x = static_cast<const From*>(from);
  To* y = static_cast<To*>(to);
  if (x_stride == 1 && y_stride == 1) {
    const auto ahead = [=](int64_t i, int64_t n) {
      read_ahead(x + i, n);
      read_ahead(y + i, n);
    };
    write_each<V>(y, count, whole * static_cast<int64_t>(sizeof(From) + sizeof(To)), ahead,
                  [=](int64_t i) { return fn(x[i]); });
  } else {
    for (int64_t i = 0; i < count; ++i) y[i * y_stride] = fn(x[i * x_stride]);
  }
}

using ConvertRun = void (*)(const void* from, int64_t x_stride, void* to, int64_t y_stride, int64_t count,
                            int64_t whole);

template <class To, class From, class Fn>
ConvertRun convert_run_of(Fn) {
  return convert_run<To, From, Fn>;
}

template <class To, class From>
ConvertRun plain_conversion() {
  return convert_run_of<To, From>([](From value) { return element_of<To>(value); });
}

// Fn(x, y, count, whole) for contiguous elements, the plain conversion for others.
template <class To, class From, class Fn>
ConvertRun contiguous_run_of(Fn) {
  return [](const void* x, int64_t x_stride, void* y, int64_t y_stride, int64_t count, int64_t whole) {
    if (x_stride != 1 || y_stride != 1) return plain_conversion<To, From>()(x, x_stride, y, y_stride, count, whole);
    Fn()(x, y, count, whole);
  };
}

template <class C, class To>
void truncation_run(const float* x, To* y, int64_t count, int64_t whole) {
  const bool is_ahead = is_read_ahead(whole * static_cast<int64_t>(sizeof(float) + sizeof(To)));
  int64_t i = 0;
  for (; i + C::kAtOnce <= count; i += C::kAtOnce) {
    if (is_ahead) {
      read_ahead(x + i, C::kAtOnce);
      read_ahead(y + i, C::kAtOnce);
    }
    C::run(x + i, y + i);
  }
  if (i < count) C::run_some(x + i, y + i, count - i);
}

template <class C, class To>
ConvertRun truncation_run_of() {
  return contiguous_run_of<To, float>([](const void* x, void* y, int64_t count, int64_t whole) {
    truncation_run<C>(static_cast<const float*>(x), static_cast<To*>(y), count, whole);
  });
}

// What an instruction set has of its own: H is Halves and C Truncation, templates so that one without is not asked.
template <class H, class C>
ConvertRun own_conversion(DType from, DType to) {
  if constexpr (H::kByInstruction) {
    if (from == DType::f16 && to == DType::f32) {
      return contiguous_run_of<float, F16>([](const void* x, void* y, int64_t count, int64_t) {
        H::widen(static_cast<const uint16_t*>(x), static_cast<float*>(y), count);
      });
    }
    if (from == DType::f32 && to == DType::f16) {
      return contiguous_run_of<F16, float>([](const void* x, void* y, int64_t count, int64_t) {
        H::narrow(static_cast<const float*>(x), static_cast<uint16_t*>(y), count);
      });
    }
  }
  if constexpr (C::kByInstruction) {
    if (from == DType::f32 && to == DType::i8) return truncation_run_of<C, int8_t>();
    if (from == DType::f32 && to == DType::i32) return truncation_run_of<C, int32_t>();
  }
  return nullptr;
}

ConvertRun conversion(DType from, DType to) {
  ConvertRun run = own_conversion<Halves, Truncation>(from, to);
  if (run) return run;
  with_type(from, [&](auto x) { with_type(to, [&](auto y) { run = plain_conversion<decltype(y), decltype(x)>(); }); });
  return run;
}

// Differs from conversion() between integers only.
ConvertRun saturating_conversion(DType from, DType to) {
  ConvertRun run = nullptr;
  with_type(from, [&](auto x) {
    with_type(to, [&](auto y) {
      using From = decltype(x);
      using To = decltype(y);
      if constexpr (kInteger<From> && kInteger<To>) {
        run = convert_run_of<To, From>([](From value) { return nearest_integer<To>(value); });
      }
    });
  });
  return run ? run : conversion(from, to);
}

void copy_by(const Exec& exec, const CopyArgs& args, ConvertRun convert) {
  const int64_t x_stride = last_of(args.x_strides), y_stride = last_of(args.y_strides);
  const auto x_size = static_cast<int64_t>(size_of(args.x_dtype)), y_size = static_cast<int64_t>(size_of(args.y_dtype));
  const int64_t whole = count_of(args.shape);
  for_runs(exec, args.shape, {&args.x_strides, &args.y_strides}, [&](int64_t, int64_t count, const auto& walk) {
    convert(static_cast<const char*>(args.x) + walk.offset(0) * x_size, x_stride,
            static_cast<char*>(args.y) + walk.offset(1) * y_size, y_stride, count, whole);
  });
}

void array_copy(const Exec& exec, const CopyArgs& args) noexcept {
  copy_by(exec, args, conversion(args.x_dtype, args.y_dtype));
}

void array_saturate(const Exec& exec, const CopyArgs& args) noexcept {
  copy_by(exec, args, saturating_conversion(args.x_dtype, args.y_dtype));
}
