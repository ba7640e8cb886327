// SPDX-License-Identifier: Apache-2.0
// Conversions between the element types of arrays (array_elements.inl) in loops that compilers turn into vectors.

// y[i·y_stride] = fn(x[i·x_stride]), of `share` elements that its thread has.
template <class To, class From, class Fn>
void convert_run(const void* from, int64_t x_stride, void* to, int64_t y_stride, int64_t count, int64_t share) {
  const Fn fn;
  const From* x = static_cast<const From*>(from);
  To* y = static_cast<To*>(to);
  if (x_stride == 1 && y_stride == 1) {
    write_each<V>(y, count, share * static_cast<int64_t>(sizeof(From) + sizeof(To)), reading_ahead(x, y),
                  [=](int64_t i) { return fn(x[i]); });
  } else {
    for (int64_t i = 0; i < count; ++i) y[i * y_stride] = fn(x[i * x_stride]);
  }
}

using ConvertRun = void (*)(const void* from, int64_t x_stride, void* to, int64_t y_stride, int64_t count,
                            int64_t share);

template <class To, class From, class Fn>
ConvertRun convert_run_of(Fn) {
  return convert_run<To, From, Fn>;
}

template <class To, class From>
ConvertRun plain_conversion() {
  return convert_run_of<To, From>([](From value) { return element_of<To>(value); });
}

// Fn(x, y, count, share) for contiguous elements, the plain conversion for others.
template <class To, class From, class Fn>
ConvertRun contiguous_run_of(Fn) {
  return [](const void* x, int64_t x_stride, void* y, int64_t y_stride, int64_t count, int64_t share) {
    if (x_stride != 1 || y_stride != 1) return plain_conversion<To, From>()(x, x_stride, y, y_stride, count, share);
    Fn()(x, y, count, share);
  };
}

// By make(x + i, to, n) for n <= 64 elements.
template <class From, class To, class Make>
void convert_blocks(const From* x, To* y, int64_t count, int64_t share, const Make& make) {
  write_blocks<V>(y, count, share * static_cast<int64_t>(sizeof(From) + sizeof(To)), reading_ahead(x, y),
                  [=](To* to, int64_t i, int64_t n) [[gnu::always_inline]] { make(x + i, to, n); });
}

template <class C, class To>
ConvertRun truncation_run_of() {
  return contiguous_run_of<To, float>([](const void* x, void* y, int64_t count, int64_t share) {
    convert_blocks(static_cast<const float*>(x), static_cast<To*>(y), count, share,
                   [](const float* from, To* to, int64_t n) {
                     for (; n >= C::kAtOnce; n -= C::kAtOnce, from += C::kAtOnce, to += C::kAtOnce) C::run(from, to);
                     if (n > 0) C::run_some(from, to, n);
                   });
  });
}

// What an instruction set has of its own: H is Halves and C Truncation, templates so that one without is not asked.
template <class H, class C>
ConvertRun own_conversion(DType from, DType to) {
  if constexpr (H::kByInstruction) {
    if (from == DType::f16 && to == DType::f32) {
      return contiguous_run_of<float, F16>([](const void* x, void* y, int64_t count, int64_t share) {
        convert_blocks(static_cast<const uint16_t*>(x), static_cast<float*>(y), count, share,
                       [](const uint16_t* p, float* q, int64_t n) { H::widen(p, q, n); });
      });
    }
    if (from == DType::f32 && to == DType::f16) {
      return contiguous_run_of<F16, float>([](const void* x, void* y, int64_t count, int64_t share) {
        convert_blocks(static_cast<const float*>(x), static_cast<uint16_t*>(y), count, share,
                       [](const float* p, uint16_t* q, int64_t n) { H::narrow(p, q, n); });
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
  const int64_t share = share_of(exec, count_of(args.shape));
  for_runs(exec, args.shape, {&args.x_strides, &args.y_strides}, [&](int64_t, int64_t count, const auto& walk) {
    convert(static_cast<const char*>(args.x) + walk.offset(0) * x_size, x_stride,
            static_cast<char*>(args.y) + walk.offset(1) * y_size, y_stride, count, share);
  });
}

void array_copy(const Exec& exec, const CopyArgs& args) noexcept {
  copy_by(exec, args, conversion(args.x_dtype, args.y_dtype));
}

void array_saturate(const Exec& exec, const CopyArgs& args) noexcept {
  copy_by(exec, args, saturating_conversion(args.x_dtype, args.y_dtype));
}
