// SPDX-License-Identifier: Apache-2.0
// Packing, unpacking and repacking (tern/packed_type.h draws the bytes). A thread packs a group: the values of a byte
// in base 3, else the eight that fill bytes of their own. What is unpacked is a value a thread: it lies in one or two
// bytes.
#include <cmath>
#include <concepts>
#include <type_traits>

#include "device/array_packed.h"
#include "devices/cuda/array_elements.cuh"
#include "devices/cuda/array_entries.h"
#include "devices/cuda/first_bad.h"
#include "devices/cuda/strided.cuh"

namespace tern::cuda {
namespace {

constexpr int kThreads = 256;

// ---------------------------------------------------------------- values in bytes

// What is to know of a type.
struct Code {
  explicit Code(PackedType type)
      : bits(type == PackedType::ternary ? 0 : field_bits(type)),
        group(type == PackedType::ternary ? 5 : 8),
        group_bytes(type == PackedType::ternary ? 1 : bits),
        least(least_of(type)),
        greatest(greatest_of(type)),
        is_sign(type == PackedType::sign1),
        is_shifted(is_ternary(type)) {}

  int bits;                // of a field; 0: base 3
  int group, group_bytes;  // values that fill whole bytes
  int least, greatest;
  bool is_sign;     // -1 is 0, and +1 is 1
  bool is_shifted;  // by 1, so that -1 is 0

  __device__ uint64_t field_of(int value) const {
    if (is_sign) return value > 0 ? 1 : 0;
    return static_cast<uint64_t>(is_shifted ? value + 1 : value) & ((1u << bits) - 1);
  }
  __device__ int value_of(int field) const {
    if (is_sign) return 2 * field - 1;
    if (is_shifted) return field - 1;
    return least < 0 && field > greatest ? field - (1 << bits) : field;
  }

  // Value `col` of the row at x, of whose bytes only those of the value are read.
  __device__ int value_at(const uint8_t* x, int64_t col) const {
    if (bits == 0) {
      int digits = x[col / 5];
      for (int i = static_cast<int>(col % 5); i > 0; --i) digits /= 3;
      return digits % 3 - 1;
    }
    const int64_t bit = col * bits;
    const int shift = static_cast<int>(bit & 7);
    const uint8_t* const from = x + (bit >> 3);
    const int both = shift + bits > 8 ? from[0] | from[1] << 8 : from[0];
    return value_of((both >> shift) & ((1 << bits) - 1));
  }

  // n values, of which value(i) is the i-th, to the bytes of a group. What a last one has beyond them is 0.
  template <class Value>
  __device__ void put_group(uint8_t* y, int n, const Value& value) const {
    if (bits == 0) {
      int digits = 0, weight = 1;
      for (int i = 0; i < n; ++i, weight *= 3) digits += weight * (value(i) + 1);
      *y = static_cast<uint8_t>(digits);
      return;
    }
    uint64_t fields = 0;
    for (int i = 0; i < n; ++i) fields |= field_of(value(i)) << (i * bits);
    const int bytes = (n * bits + 7) / 8;
    for (int k = 0; k < bytes; ++k) y[k] = static_cast<uint8_t>(fields >> (8 * k));
  }
};

// ---------------------------------------------------------------- numbers to values

// What becomes of a number: the nearest value, and whether that will not do.
struct Taken {
  int value;
  bool is_bad;
};

struct Rule {
  int least, greatest;
  bool is_sign, saturates;

  Rule(const Code& code, bool saturate)
      : least(code.least), greatest(code.greatest), is_sign(code.is_sign), saturates(saturate) {}

  // sign1 has no 0: saturated it is the sign.
  __device__ Taken of_integer(int64_t x) const {
    const int64_t value = is_sign ? (x < 0 ? -1 : 1) : x < least ? least : x > greatest ? greatest : x;
    return {static_cast<int>(value), value != x && !saturates};
  }
  // To nearest even; what is beyond the ends by more than 1 becomes the integer beside them.
  __device__ Taken of_float(double x) const {
    if (isnan(x)) return {greatest, true};
    const auto near = static_cast<int>(rint(fmin(fmax(x, least - 1.0), greatest + 1.0)));
    if (!is_sign) return of_integer(near);
    const int value = x < 0 ? -1 : 1;  // -1/2 is below 0, and nearest to none
    return {value, value != near && !saturates};
  }

  template <class T>
  __device__ Taken of(T x) const {
    if constexpr (is_half_element<T> || std::is_floating_point_v<T>) {
      return of_float(static_cast<double>(number_of(x)));
    } else if constexpr (std::is_same_v<T, Bool>) {
      return of_integer(number_of(x));
    } else {
      return of_integer(nearest_integer<int64_t>(x));
    }
  }
};

// ---------------------------------------------------------------- kernels

// Groups of values in rows of y, in order.
struct Groups {
  Code code;
  Divisor of_row;
  int64_t cols, row_bytes;
  uint8_t* y;

  Groups(const PackedOutput& output, int64_t row_cols)
      : code(output.type),
        of_row(ceil_div(row_cols, code.group)),
        cols(row_cols),
        row_bytes(packed_row_bytes(output.type, row_cols)),
        y(output.data) {}
};

// Group i of rows whose values take(col, of the row) finds. The position of the first bad one goes to first_bad.
template <class Take>
__device__ void put_group(const Groups& groups, int64_t i, unsigned long long* first_bad, const Take& take) {
  const Code& code = groups.code;
  const int64_t row = groups.of_row.quotient(i), group = i - row * groups.of_row.divisor();
  const int64_t col = group * code.group;
  const int n = static_cast<int>(min(int64_t{code.group}, groups.cols - col));
  int bad = n;
  code.put_group(groups.y + row * groups.row_bytes + group * code.group_bytes, n, [&](int k) {
    const Taken taken = take(col + k);
    if (taken.is_bad) bad = min(bad, k);
    return taken.value;
  });
  if (bad < n) atomicMin(first_bad, static_cast<unsigned long long>(row * groups.cols + col + bad));
}

// `layout` has the first elements of groups.
template <class T>
__global__ void __launch_bounds__(kThreads)
    pack_groups(const __grid_constant__ Layout<1> layout, const __grid_constant__ Groups groups,
                const __grid_constant__ Rule rule, const T* x, int64_t stride, unsigned long long* first_bad) {
  for (int64_t i = thread_of_grid(); i < layout.count(); i += threads_of_grid()) {
    const T* const row = x + layout.offsets(i).at[0];
    put_group(groups, i, first_bad, [&](int64_t col) { return rule.of(row[col * stride]); });
  }
}

// `layout` has the rows of groups.
__global__ void __launch_bounds__(kThreads)
    repack_groups(const __grid_constant__ Layout<1> layout, const __grid_constant__ Groups groups,
                  const __grid_constant__ Rule rule, const __grid_constant__ Code from, const uint8_t* x,
                  unsigned long long* first_bad) {
  for (int64_t i = thread_of_grid(); i < layout.count(); i += threads_of_grid()) {
    const uint8_t* const row = x + layout.offsets(i).at[0];
    put_group(groups, i, first_bad, [&](int64_t col) { return rule.of_integer(from.value_at(row, col)); });
  }
}

// `layout` has the rows of values, of which there are `cols` in each.
__global__ void __launch_bounds__(kThreads)
    unpack_values(const __grid_constant__ Layout<1> layout, Divisor cols, const __grid_constant__ Code from,
                  const uint8_t* x, DType dtype, void* y) {
  for (int64_t i = thread_of_grid(); i < layout.count(); i += threads_of_grid()) {
    const int64_t col = i - cols.quotient(i) * cols.divisor();
    store_as(y, dtype, i, static_cast<int8_t>(from.value_at(x + layout.offsets(i).at[0], col)));
  }
}

// The rows of a shape by groups of their values; `strides` are 0 on the last axis.
Layout<1> rows_of_groups(Dims shape, Dims strides, const Groups& groups) {
  const int last = shape.rank - 1;
  shape.at[last] = groups.of_row.divisor();
  strides.at[last] = 0;
  return {shape, {&strides}, 1};
}

// Calls launch(first_bad) with a place in the device's memory; it is null where nothing can be bad.
template <class Launch>
void find_first_bad(const Exec& exec, const char* name, bool can_be_bad, int64_t* first_bad, const Launch& launch) {
  if (!can_be_bad) {
    launch(nullptr);
    return launched(exec, name);
  }
  const FirstBad found(exec, name);
  if (!found) return;
  launch(found.word());
  launched(exec, name);
  found.report(1, first_bad);
}

}  // namespace

void array_pack(const Exec& exec, const PackArgs& args) noexcept {
  if (count_of(args.shape) == 0) return;
  const int last = args.shape.rank - 1;
  const Groups groups(args.y, args.shape.at[last]);
  const Layout<1> layout = rows_of_groups(args.shape, args.x_strides, groups);
  const bool can_be_bad = !args.saturate || is_float(args.dtype);  // NaN is, always
  find_first_bad(exec, "pack", can_be_bad, args.first_bad, [&](unsigned long long* first_bad) {
    with_array_element(args.dtype, [&](auto element) {
      using T = decltype(element);
      if constexpr (!is_complex_element<T>) {
        pack_groups<<<blocks_for(layout.count(), kThreads), kThreads, 0, stream_of(exec)>>>(
            layout, groups, Rule(groups.code, args.saturate), static_cast<const T*>(args.x), args.x_strides.at[last],
            first_bad);
      }
    });
  });
}

void array_repack(const Exec& exec, const RepackArgs& args) noexcept {
  if (count_of(args.shape) == 0) return;
  const Groups groups(args.y, args.shape.at[args.shape.rank - 1]);
  const Layout<1> layout = rows_of_groups(args.shape, args.x.strides, groups);
  find_first_bad(exec, "repack", !args.saturate, args.first_bad, [&](unsigned long long* first_bad) {
    repack_groups<<<blocks_for(layout.count(), kThreads), kThreads, 0, stream_of(exec)>>>(
        layout, groups, Rule(groups.code, args.saturate), Code(args.x.type), args.x.data, first_bad);
  });
}

void array_unpack(const Exec& exec, const UnpackArgs& args) noexcept {
  if (count_of(args.shape) == 0) return;
  const Layout<1> layout(args.shape, {&args.x.strides}, 1);
  unpack_values<<<blocks_for(layout.count(), kThreads), kThreads, 0, stream_of(exec)>>>(
      layout, Divisor(args.shape.at[args.shape.rank - 1]), Code(args.x.type), args.x.data, args.dtype, args.y);
  launched(exec, "unpack");
}

}  // namespace tern::cuda
