// SPDX-License-Identifier: Apache-2.0
// Sets: elements in order, of which equal ones are neighbours.
#include "ops/array_call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/sort.h"
#include "tern/elementwise.h"
#include "tern/reductions.h"
#include "tern/sorting.h"

namespace tern {
namespace {

// All elements in a row.
Tensor flat(const char* op, const Tensor& x) {
  check_inputs(op, {{"x", x}});
  check_arrays(op, x, {x.dtype()});
  return reshape(dense(x.detach()), {-1});
}

// Whether an element differs from the one before.
Tensor starts(const Tensor& sorted) {
  const Tensor mask = Tensor::empty(sorted.shape(), DType::boolean, sorted.device());
  call(sorted.device(), &ArraySearchKernels::mark_starts,
       {.dtype = sorted.dtype(), .count = sorted.numel(), .x = sorted.raw(), .y = static_cast<uint8_t*>(mask.raw())});
  return mask;
}

// The lengths of runs that begin there and together have `count` elements.
Tensor lengths(const Tensor& begins, int64_t count) {
  return diff(begins, 0, 1, {}, Tensor::full({1}, static_cast<double>(count), DType::i64, begins.device()));
}

// For each element the number of its run.
Tensor run_of_each(const Tensor& mask, const Tensor& order, const Shape& shape) {
  const Tensor number = add(cumulative_sum(mask, 0), -1.0);
  return reshape(scatter_in_rows(number, order, mask.numel()), shape);
}

}  // namespace

UniqueAll unique_all(const Tensor& x) {
  const Tensor all = flat("unique_all", x), order = order_in_rows(all, false);
  const Tensor sorted = gather_in_rows(all, order), mask = starts(sorted), begins = flat_nonzero(mask);
  return {gather_in_rows(sorted, begins), gather_in_rows(order, begins), run_of_each(mask, order, x.shape()),
          lengths(begins, all.numel())};
}

UniqueCounts unique_counts(const Tensor& x) {
  const Tensor sorted = sort(flat("unique_counts", x), 0), begins = flat_nonzero(starts(sorted));
  return {gather_in_rows(sorted, begins), lengths(begins, sorted.numel())};
}

UniqueInverse unique_inverse(const Tensor& x) {
  const Tensor all = flat("unique_inverse", x), order = order_in_rows(all, false);
  const Tensor sorted = gather_in_rows(all, order), mask = starts(sorted);
  return {gather_in_rows(sorted, flat_nonzero(mask)), run_of_each(mask, order, x.shape())};
}

Tensor unique_values(const Tensor& x) {
  const Tensor sorted = sort(flat("unique_values", x), 0);
  return gather_in_rows(sorted, flat_nonzero(starts(sorted)));
}

// What is in the set has a first and a last place in it that differ. NaNs have, too, but equal nothing.
Tensor isin(const Tensor& x, const Tensor& values, bool invert) {
  check_inputs("isin", {{"x", x}, {"values", values}});
  const Tensor sorted = sort(flat("isin", values), 0);
  const Tensor placed = not_equal(searchsorted(sorted, x), searchsorted(sorted, x, SearchSide::right));
  const Tensor found = is_float(x.dtype()) ? logical_and(placed, equal(x.detach(), x.detach())) : placed;
  return invert ? logical_not(found) : found;
}

}  // namespace tern
