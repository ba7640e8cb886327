// SPDX-License-Identifier: Apache-2.0
// Sorting along an axis.
#include "ops/sort.h"

#include <iterator>

#include "core/storage.h"
#include "ops/array_call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/gradients.h"
#include "tern/sorting.h"

namespace tern {
namespace {

// One kernel call: values, at all places or some, or indices of contiguous rows.
Tensor sort_rows(const Tensor& x, bool descending, bool as_index, std::span<const int64_t> places = {}) {
  const Tensor y = Tensor::empty(x.shape(), as_index ? DType::i64 : x.dtype(), x.device());
  if (x.numel() == 0) return y;
  const int64_t n = x.shape().back();
  const auto room_bytes = static_cast<int64_t>(sort_room_bytes(x.dtype(), as_index, n));
  const Tensor room = room_bytes > 0 ? Tensor::empty({room_bytes}, DType::u8, x.device()) : Tensor();
  call(x.device(), &ArraySortKernels::sort_rows,
       {.dtype = x.dtype(),
        .descending = descending,
        .rows = x.numel() / n,
        .n = n,
        .x = x.raw(),
        .y = as_index ? nullptr : y.raw(),
        .index = as_index ? y.data<int64_t>() : nullptr,
        .room = room.defined() ? room.raw() : nullptr,
        .places = places.empty() ? nullptr : places.data(),
        .place_count = std::ssize(places)});
  return y;
}

// The real or imaginary parts of contiguous complex numbers.
Tensor part(const Tensor& x, int which) {
  const DType dtype = x.dtype() == DType::c64 ? DType::f32 : DType::f64;
  Shape strides = x.strides();
  for (int axis = 0; axis < x.rank(); ++axis) strides[axis] *= 2;
  const auto* base = static_cast<const std::byte*>(x.storage()->data());
  const int64_t offset = static_cast<const std::byte*>(x.raw()) - base;
  return dense(
      Tensor::over(x.storage(), offset + which * static_cast<int64_t>(size_of(dtype)), x.shape(), strides, dtype));
}

void check_sortable(const char* op, const Tensor& x) {
  check_inputs(op, {{"x", x}});
  check_arrays(op, x, {x.dtype()});
  check(size_of(x.dtype()) >= 8 || x.numel() <= int64_t{1} << 32, op, "expected at most 2^32 elements, got {}",
        x.numel());
}

}  // namespace

Tensor rows_of_axis(const Tensor& x, int axis) {
  return axis == x.rank() - 1 ? dense(x.detach()) : dense(transpose(x.detach(), axis, -1));
}

Tensor axis_of_rows(const Tensor& rows, int axis) {
  return axis == rows.rank() - 1 ? rows : dense(transpose(rows, axis, -1));
}

Tensor order_in_rows(const Tensor& x, bool descending) {
  if (!is_complex(x.dtype())) return sort_rows(x, descending, true);
  const Tensor by_imaginary = sort_rows(part(x, 1), descending, true);
  const Tensor by_real = sort_rows(gather_in_rows(part(x, 0), by_imaginary), descending, true);
  return gather_in_rows(by_imaginary, by_real);
}

Tensor gather_in_rows(const Tensor& x, const Tensor& index) {
  const Tensor y = Tensor::empty(index.shape(), x.dtype(), x.device());
  const int64_t n = index.shape().back();
  call(x.device(), &ArraySearchKernels::gather_in_rows,
       {.rows = n == 0 ? 0 : index.numel() / n,
        .n = n,
        .x_n = x.shape().back(),
        .element_bytes = size_of(x.dtype()),
        .x = x.raw(),
        .index = index.data<int64_t>(),
        .y = y.raw()});
  return y;
}

Tensor scatter_in_rows(const Tensor& x, const Tensor& index, int64_t extent) {
  const Tensor y = Tensor::zeros(with_last(index.shape(), extent), x.dtype(), x.device());
  const int64_t n = index.shape().back();
  call(x.device(), &ArraySearchKernels::scatter_in_rows,
       {.rows = n == 0 ? 0 : index.numel() / n,
        .n = n,
        .y_n = extent,
        .element_bytes = size_of(x.dtype()),
        .x = x.raw(),
        .index = index.data<int64_t>(),
        .y = y.raw()});
  return y;
}

Tensor sort(const Tensor& x, int axis, bool descending) {
  check_sortable("sort", x);
  const int at = normalize_axis("sort", axis, x.rank());
  const Tensor rows = rows_of_axis(x, at);
  if (!needs_grad(x) && !is_complex(x.dtype())) return axis_of_rows(sort_rows(rows, descending, false), at);
  const Tensor order = order_in_rows(rows, descending);
  const Tensor y = axis_of_rows(gather_in_rows(rows, order), at);
  if (needs_grad(x)) {
    record(y, "sort", {x}, [order, at](const Tensor& dy) {
      const Tensor back = scatter_in_rows(rows_of_axis(dy, at), order, order.shape().back());
      return Gradients{axis_of_rows(back, at)};
    });
  }
  return y;
}

Tensor sorted_at(const Tensor& x, int axis, std::span<const int64_t> places) {
  return axis_of_rows(sort_rows(rows_of_axis(x, axis), false, false, places), axis);
}

Tensor argsort(const Tensor& x, int axis, bool descending) {
  check_sortable("argsort", x);
  const int at = normalize_axis("argsort", axis, x.rank());
  return axis_of_rows(order_in_rows(rows_of_axis(x, at), descending), at);
}

TopK topk(const Tensor& x, int64_t k, int axis, bool largest) {
  check_sortable("topk", x);
  const int at = normalize_axis("topk", axis, x.rank());
  check(k >= 0 && k <= x.shape()[at], "topk", "expected k in [0, {}], got {}", x.shape()[at], k);
  const Tensor rows = rows_of_axis(x, at);
  const Tensor order = dense(slice(order_in_rows(rows, largest), -1, 0, k));
  return {axis_of_rows(gather_in_rows(rows, order), at), axis_of_rows(order, at)};
}

}  // namespace tern
