// SPDX-License-Identifier: Apache-2.0
// The choice between elements of any dtype, which are only so many bytes.
#include "device/element_bytes.h"
#include "devices/cuda/array_entries.h"
#include "devices/cuda/strided.cuh"

namespace tern::cuda {
namespace {

// In packs, or one by one with kWidth 1. The offsets: of the condition, of a, of b, of y.
template <int kWidth, class T>
__global__ void __launch_bounds__(kPackThreads)
    select_elements(const __grid_constant__ Layout<4> layout, const uint8_t* condition, const T* a, const T* b, T* y) {
  const auto choice = [](uint8_t chosen, T p, T q) { return chosen ? p : q; };
  for (int64_t i = thread_of_grid(); i < layout.count(); i += threads_of_grid()) {
    const Offsets<4> at = layout.offsets(i);
    if constexpr (kWidth == 1) {
      y[at.at[3]] = choice(condition[at.at[0]], a[at.at[1]], b[at.at[2]]);
    } else {
      const Pack<uint8_t, kWidth> chosen = layout.load<kWidth>(0, condition + at.at[0]);
      const Pack<T, kWidth> p = layout.load<kWidth>(1, a + at.at[1]), q = layout.load<kWidth>(2, b + at.at[2]);
      store_pack(y + at.at[3], map_pack<kWidth>(choice, chosen, p, q));
    }
  }
}

template <class T>
void select_bits(const Exec& exec, const ArraySelectArgs& args) {
  constexpr int kWidth = kPackWidth<T>;
  const auto launch = [&](auto width) {
    const Layout<4> layout(args.shape, {&args.condition.strides, &args.a.strides, &args.b.strides, &args.y_strides},
                           width);
    select_elements<decltype(width)::value>
        <<<blocks_for(layout.count(), kPackThreads), kPackThreads, 0, stream_of(exec)>>>(
            layout, static_cast<const uint8_t*>(args.condition.data), static_cast<const T*>(args.a.data),
            static_cast<const T*>(args.b.data), static_cast<T*>(args.y));
  };
  const bool packs = splits_into_packs(args.shape,
                                       {{args.condition.data, 1, &args.condition.strides},
                                        {args.a.data, sizeof(T), &args.a.strides},
                                        {args.b.data, sizeof(T), &args.b.strides},
                                        {args.y, sizeof(T), &args.y_strides}},
                                       kWidth);
  packs ? launch(std::integral_constant<int, kWidth>{}) : launch(std::integral_constant<int, 1>{});
}

}  // namespace

void array_select(const Exec& exec, const ArraySelectArgs& args) noexcept {
  if (count_of(args.shape) == 0) return;
  with_bytes(size_of(args.dtype), [&](auto bits) { select_bits<decltype(bits)>(exec, args); });
  launched(exec, "array_select");
}

}  // namespace tern::cuda
