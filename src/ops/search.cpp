// SPDX-License-Identifier: Apache-2.0
// Searching in sorted vectors, and for what is not 0.
#include <vector>

#include "ops/array_call.h"
#include "ops/checks.h"
#include "ops/copy.h"
#include "ops/dims.h"
#include "ops/reduce_axes.h"
#include "ops/sort.h"
#include "tern/promotion.h"
#include "tern/sorting.h"

namespace tern {
namespace {

// How many elements of each block of kNonzeroBlock are not 0, and of the rest behind the last whole one.
std::vector<int64_t> counts_of_blocks(const Tensor& x) {
  const int64_t whole = x.numel() / kNonzeroBlock, rest = x.numel() % kNonzeroBlock;
  const auto count = [&](int64_t begin, int64_t rows, int64_t n) {
    const Tensor part = x.as_strided({rows, n}, {n, 1}, begin);
    return reduce_along(ArrayReduceOp::count_nonzero, part, 1, {.result = DType::i64}).to_vector<int64_t>();
  };
  std::vector<int64_t> counts = whole > 0 ? count(0, whole, kNonzeroBlock) : std::vector<int64_t>();
  if (rest > 0) counts.push_back(count(whole * kNonzeroBlock, 1, rest)[0]);
  return counts;
}

// [rank, found]: the index of each on every axis of `shape`, for contiguous x.
Tensor places(const Tensor& x, const Shape& shape) {
  std::vector<int64_t> place = counts_of_blocks(x);
  int64_t total = 0;
  for (int64_t& p : place) {
    const int64_t count = p;
    p = total;
    total += count;
  }
  const Tensor y = Tensor::empty({shape.rank(), total}, DType::i64, x.device());
  const Tensor begins = Tensor::from(place, {static_cast<int64_t>(place.size())}, x.device());
  call(x.device(), &ArraySearchKernels::nonzero,
       {.dtype = x.dtype(),
        .shape = to_dims(shape),
        .x = x.raw(),
        .place = begins.data<int64_t>(),
        .total = total,
        .y = y.data<int64_t>()});
  return y;
}

}  // namespace

Tensor flat_nonzero(const Tensor& x) { return reshape(places(x, {x.numel()}), {-1}); }

std::vector<Tensor> nonzero(const Tensor& x) {
  check_inputs("nonzero", {{"x", x}});
  check_arrays("nonzero", x, {x.dtype()});
  check_rank_at_least("nonzero", {"x", x}, 1);
  const Tensor found = places(dense(x.detach()), x.shape());
  std::vector<Tensor> out;
  for (int axis = 0; axis < x.rank(); ++axis) out.push_back(select(found, 0, axis));
  return out;
}

Tensor searchsorted(const Tensor& sorted, const Tensor& values, SearchSide side, const Tensor& sorter) {
  check_inputs("searchsorted", {{"sorted", sorted}, {"values", values}});
  check_arrays("searchsorted", sorted, {sorted.dtype()});
  check_rank("searchsorted", {"sorted", sorted}, 1);
  const DType common = result_type(sorted.dtype(), values.dtype());
  check(!is_complex(common), "searchsorted", "expected real dtypes or bool, got {} and {}", name_of(sorted.dtype()),
        name_of(values.dtype()));
  if (sorter.defined()) {
    check_inputs("searchsorted", DType::i64, {{"sorter", sorter}});
    check_shape("searchsorted", {"sorter", sorter}, sorted.shape());
    check_indices("searchsorted", {"sorter", sorter}, sorted.numel());
  }
  const Tensor in = dense(cast(sorted.detach(), common)), what = dense(cast(values.detach(), common));
  const Tensor order = sorter.defined() ? dense(sorter) : Tensor();
  const Tensor y = Tensor::empty(values.shape(), DType::i64, values.device());
  call(values.device(), &ArraySearchKernels::search_sorted,
       {.dtype = common,
        .right = side == SearchSide::right,
        .n = sorted.numel(),
        .count = values.numel(),
        .sorted = in.raw(),
        .sorter = order.defined() ? order.data<int64_t>() : nullptr,
        .values = what.raw(),
        .y = y.data<int64_t>()});
  return y;
}

}  // namespace tern
