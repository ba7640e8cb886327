// SPDX-License-Identifier: Apache-2.0
// Looking things up in arrays, and moving elements by index: gathers, which vectors do not make faster.
#include <cstdint>

#include "device/element_bytes.h"
#include "devices/cpu/isa/array_tables.h"

namespace tern::cpu {
namespace {

// Each uses those above it.
// clang-format off
#include "devices/cpu/generic/parallel.inl"
#include "devices/cpu/generic/runs.inl"
#include "devices/cpu/generic/array_types.inl"
#include "devices/cpu/generic/sort_keys.inl"
// clang-format on

// A half's place among others: 0 and -0 have one, and NaNs the last.
template <class T>
uint16_t key_of(T x) {
  return FloatKey<uint16_t>{kSame<T, Bf16> ? uint16_t{0x7f80} : uint16_t{0x7c00}, 0}.of_equals(x.bits);
}

// In the order of sorting: NaNs last.
template <class T>
bool less(T a, T b) {
  if constexpr (kSame<T, Bool>) {
    return a.byte < b.byte;
  } else if constexpr (kHalf<T>) {
    return key_of(a) < key_of(b);
  } else if constexpr (kReal<T>) {
    return a < b || (b != b && a == a);
  } else {
    return a < b;
  }
}

template <class T>
bool equal(T a, T b) {
  if constexpr (kSame<T, Bool>) {
    return a.byte == b.byte;
  } else if constexpr (kHalf<T>) {
    return key_of(a) == key_of(b) && key_of(a) != 0xffff;  // the key of NaN
  } else if constexpr (kComplex<T>) {
    return a.re == b.re && a.im == b.im;
  } else {
    return a == b;
  }
}

template <class T>
bool is_zero(T x) {
  if constexpr (kSame<T, Bool>) {
    return x.byte == 0;
  } else if constexpr (kHalf<T>) {
    return (x.bits & 0x7fffu) == 0;
  } else if constexpr (kComplex<T>) {
    return x.re == 0 && x.im == 0;
  } else {
    return x == T{0};
  }
}

// By halving, without a branch on what is found.
template <class T, bool kRight>
void search_as(const Exec& exec, const SearchSortedArgs& args) {
  const T* sorted = static_cast<const T*>(args.sorted);
  const T* values = static_cast<const T*>(args.values);
  const auto at = [&](int64_t k) { return sorted[args.sorter ? args.sorter[k] : k]; };
  const auto before = [](T element, T value) { return kRight ? !less(value, element) : less(element, value); };
  parallel_for(exec, args.count, 64, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T value = values[i];
      int64_t first = 0;
      for (int64_t left = args.n; left > 1;) {
        const int64_t half = left / 2;
        first = before(at(first + half - 1), value) ? first + half : first;
        left -= half;
      }
      args.y[i] = first + (args.n > 0 && before(at(first), value) ? 1 : 0);
    }
  });
}

template <class T>
void nonzero_in_block(const NonzeroArgs& args, int64_t block, int64_t count) {
  const T* x = static_cast<const T*>(args.x);
  const int last = args.shape.rank - 1;
  const int64_t end = smaller((block + 1) * kNonzeroBlock, count);
  const int64_t blocks = ceil_div(count, kNonzeroBlock);
  const int64_t final_place = block + 1 < blocks ? args.place[block + 1] : args.total;
  int64_t index[8], rest = block * kNonzeroBlock;
  for (int axis = last; axis >= 0; --axis) {
    index[axis] = rest % args.shape.at[axis];
    rest /= args.shape.at[axis];
  }
  int64_t place = args.place[block];
  for (int64_t i = block * kNonzeroBlock; i < end && place < final_place;) {
    const int64_t run = smaller(args.shape.at[last] - index[last], end - i), first = place;
    int64_t* const y = args.y + last * args.total;
    // Each index is written, and stays where its element counts; nothing behind the block's own places is touched.
    for (int64_t k = 0; k < run && place < final_place; ++k) {
      y[place] = index[last] + k;
      place += is_zero(x[i + k]) ? 0 : 1;
    }
    for (int axis = 0; axis < last; ++axis) {
      for (int64_t j = first; j < place; ++j) args.y[axis * args.total + j] = index[axis];
    }
    i += run;
    index[last] = 0;
    for (int axis = last - 1; axis >= 0 && ++index[axis] == args.shape.at[axis]; --axis) index[axis] = 0;
  }
}

// Calls move(r, k) for every place of [rows, n].
template <class Move>
void for_places(const Exec& exec, int64_t rows, int64_t n, const Move& move) {
  if (n == 0) return;
  parallel_for(exec, rows * n, 4, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end;) {
      const int64_t r = i / n, last = smaller(end, (r + 1) * n);
      for (; i < last; ++i) move(r, i);
    }
  });
}

void search_sorted(const Exec& exec, const SearchSortedArgs& args) noexcept {
  with_type(args.dtype, [&](auto t) {
    using T = decltype(t);
    if constexpr (!kComplex<T>) args.right ? search_as<T, true>(exec, args) : search_as<T, false>(exec, args);
  });
}

void mark_starts(const Exec& exec, const MarkStartsArgs& args) noexcept {
  with_type(args.dtype, [&](auto t) {
    using T = decltype(t);
    const T* x = static_cast<const T*>(args.x);
    parallel_for(exec, args.count, 1, 1, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; ++k) args.y[k] = k == 0 || !equal(x[k], x[k - 1]) ? 1 : 0;
    });
  });
}

void nonzero(const Exec& exec, const NonzeroArgs& args) noexcept {
  const int64_t count = count_of(args.shape);
  with_type(args.dtype, [&](auto t) {
    for_rows(exec, ceil_div(count, kNonzeroBlock), kNonzeroBlock,
             [&](int64_t block) { nonzero_in_block<decltype(t)>(args, block, count); });
  });
}

void gather_in_rows(const Exec& exec, const GatherInRowsArgs& args) noexcept {
  with_bytes(args.element_bytes, [&](auto t) {
    using T = decltype(t);
    const T* x = static_cast<const T*>(args.x);
    T* y = static_cast<T*>(args.y);
    for_places(exec, args.rows, args.n, [&](int64_t r, int64_t i) { y[i] = x[r * args.x_n + args.index[i]]; });
  });
}

void scatter_in_rows(const Exec& exec, const ScatterInRowsArgs& args) noexcept {
  with_bytes(args.element_bytes, [&](auto t) {
    using T = decltype(t);
    const T* x = static_cast<const T*>(args.x);
    T* y = static_cast<T*>(args.y);
    for_places(exec, args.rows, args.n, [&](int64_t r, int64_t i) { y[r * args.y_n + args.index[i]] = x[i]; });
  });
}

}  // namespace

constexpr ArraySearchKernels kArraySearch = {.search_sorted = search_sorted,
                                             .mark_starts = mark_starts,
                                             .nonzero = nonzero,
                                             .gather_in_rows = gather_in_rows,
                                             .scatter_in_rows = scatter_in_rows};
static_assert(complete(kArraySearch));

}  // namespace tern::cpu
