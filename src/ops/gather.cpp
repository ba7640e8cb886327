// SPDX-License-Identifier: Apache-2.0
#include "ops/gather.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "ops/array_call.h"
#include "base/check_kind.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr int64_t kNoneBad = std::numeric_limits<int64_t>::max();

// The axes [begin, end).
Shape part(const Shape& shape, int begin, int end) {
  return Shape(std::span(shape.begin() + begin, shape.begin() + end));
}

void append(Shape& shape, const Shape& more) {
  for (const int64_t extent : more) shape.push_back(extent);
}

// The loop over base, index and y, with axes merged but the indexed one.
IndexedArgs loop_of(const IndexedAxis& indexed, const Tensor& y) {
  const Shape& shape = indexed.base.shape();
  const std::array<Shape, 3> strides = {indexed.base.strides(), broadcast_strides(indexed.index, shape), y.strides()};
  Shape merged;
  std::array<Shape, 3> steps;
  const auto add = [&](int begin, int end, bool merges) {
    Shape extents = part(shape, begin, end);
    std::array<Shape, 3> own;
    for (size_t i = 0; i < 3; ++i) own[i] = part(strides[i], begin, end);
    if (merges) merge_axes(extents, own);
    if (merges && extents == Shape{1}) return;
    append(merged, extents);
    for (size_t i = 0; i < 3; ++i) append(steps[i], own[i]);
  };
  IndexedArgs args = {};
  if (indexed.axis > 0) add(0, indexed.axis, true);
  args.axis = merged.rank();
  add(indexed.axis, indexed.axis + 1, false);
  if (indexed.axis + 1 < shape.rank()) add(indexed.axis + 1, shape.rank(), true);
  args.element_bytes = size_of(indexed.base.dtype());
  args.shape = to_dims(merged);
  args.x = indexed.base.raw();
  args.x_strides = to_dims(steps[0]);
  args.index = indexed.index.data<int64_t>();
  args.index_strides = to_dims(steps[1]);
  args.extent = indexed.extent;
  args.scale = indexed.scale;
  args.y = y.raw();
  args.y_strides = to_dims(steps[2]);
  return args;
}

// The element at a row-major position of `shape`, to which x broadcasts.
int64_t element_at(const Tensor& x, const Shape& shape, int64_t position) {
  const Shape strides = broadcast_strides(x, shape);
  int64_t offset = 0;
  for (int axis = shape.rank() - 1; axis >= 0; position /= shape[axis--])
    offset += position % shape[axis] * strides[axis];
  return x.as_strided({1}, {1}, offset).to_vector<int64_t>()[0];
}

[[noreturn]] void fail_at(const IndexNames& names, int64_t extent, int64_t value) {
  fail_as<OutOfRange>(names.op, "expected {} in [{}, {}) of axis {}, got {}", names.index, -extent, extent, names.axis, value);
}

// An axis without elements has no index in range: no kernel is called that would read one.
void check_extent(const IndexNames& names, const Tensor& index, int64_t extent) {
  if (extent == 0 && index.numel() > 0) fail_at(names, 0, element_at(index, index.shape(), 0));
}

// The same elements by offsets that were checked.
IndexedAxis checked(const IndexedAxis& indexed) {
  if (indexed.extent == kOffsets) return indexed;
  const Tensor at = offsets(indexed.index.shape(), indexed.index, indexed.extent, indexed.scale, indexed.names);
  return {indexed.base, indexed.axis, at, kOffsets, 1, indexed.names};
}

void scatter_by(Kernel<IndexedArgs> ArrayIndexKernels::*kernel, const IndexedAxis& to, const Tensor& values) {
  const IndexedAxis at = checked(to);
  if (at.base.numel() > 0) call(at.base.device(), kernel, loop_of(at, values));
}

}  // namespace

Tensor gather(const IndexedAxis& from) {
  check_arrays(from.names.op, from.base, {from.base.dtype()});
  check_extent(from.names, from.index, from.extent);
  const Tensor y = Tensor::empty(from.base.shape(), from.base.dtype(), from.base.device());
  if (y.numel() == 0) {
    checked(from);
    return y;
  }
  IndexedArgs args = loop_of(from, y);
  int64_t first_bad = kNoneBad;
  args.first_bad = &first_bad;
  call(y.device(), &ArrayIndexKernels::gather, args);
  if (first_bad != kNoneBad) fail_at(from.names, from.extent, element_at(from.index, y.shape(), first_bad));
  return y;
}

void scatter(const IndexedAxis& to, const Tensor& values) {
  check_arrays(to.names.op, to.base, {to.base.dtype()});
  scatter_by(&ArrayIndexKernels::scatter, to, values);
}

void scatter_add(const IndexedAxis& to, const Tensor& values) {
  check_arrays(to.names.op, to.base, {to.base.dtype()});
  scatter_by(&ArrayIndexKernels::scatter_add, to, values);
}

Tensor offsets(const Shape& shape, const Tensor& index, int64_t extent, int64_t scale, const IndexNames& names,
               const Tensor& sum) {
  if (shape.numel() > 0) check_extent(names, index, extent);
  const Tensor y = sum.defined() ? sum : Tensor::empty(shape, DType::i64, index.device());
  const auto loop = make_loop<1>(shape, {broadcast_strides(index, shape)});
  int64_t first_bad = kNoneBad;
  call(y.device(), &ArrayIndexKernels::offsets,
       {.shape = loop.shape,
        .index = index.data<int64_t>(),
        .index_strides = loop.strides[0],
        .extent = extent,
        .scale = scale,
        .accumulate = sum.defined(),
        .y = y.data<int64_t>(),
        .first_bad = &first_bad});
  if (first_bad != kNoneBad) fail_at(names, extent, element_at(index, shape, first_bad));
  return y;
}

Tensor integer_index(const IndexNames& names, const Tensor& index) {
  check(is_integer(index.dtype()), names.op, "expected {} of an integer dtype, got {}", names.index,
        name_of(index.dtype()));
  if (index.dtype() == DType::u64) {
    for (const uint64_t value : index.to_vector<uint64_t>()) {
      check(value >> 63 == 0, names.op, "expected {} below 2^63, got {}", names.index, value);
    }
  }
  return index.dtype() == DType::i64 ? index.detach() : converted(index, DType::i64);
}

Tensor mask_positions(const Tensor& mask) {
  check_arrays("index", mask, {mask.dtype()});
  const Tensor from = dense(mask);
  const auto* const bytes = static_cast<const uint8_t*>(from.raw());
  const Tensor counts = Tensor::empty({(mask.numel() + kMaskBlock - 1) / kMaskBlock}, DType::i64, mask.device());
  call(mask.device(), &ArrayIndexKernels::mask_counts,
       {.count = mask.numel(), .mask = bytes, .y = counts.data<int64_t>()});
  std::vector<int64_t> starts = counts.to_vector<int64_t>();
  const int64_t total = std::reduce(starts.begin(), starts.end());
  std::exclusive_scan(starts.begin(), starts.end(), starts.begin(), int64_t{0});
  const Tensor y = Tensor::empty({total}, DType::i64, mask.device());
  const Tensor at = Tensor::from(starts, counts.shape(), mask.device());
  call(mask.device(), &ArrayIndexKernels::mask_positions,
       {.count = mask.numel(), .mask = bytes, .starts = at.data<int64_t>(), .y = y.data<int64_t>()});
  return y;
}

}  // namespace tern
