// SPDX-License-Identifier: Apache-2.0
#include "distributed/collectives.h"

#include <algorithm>

#include "base/check.h"

namespace tern {
namespace {

constexpr int64_t kBroadcastBytes = int64_t{1} << 30;  // at once: MPI counts in int

void check_contiguous(const Tensor& x) {
  check(x.is_contiguous(), "distributed", "expected a contiguous tensor, got strides {}", to_string(x.strides()));
}

void check_f32(const Tensor& x) {
  check(x.dtype() == DType::f32, "distributed", "expected f32, got {}", name_of(x.dtype()));
}

// `whole` has a part like `part` for each process.
void check_parts(const Tensor& part, const Tensor& whole, int size) {
  check_contiguous(part);
  check_contiguous(whole);
  check(part.dtype() == whole.dtype() && part.numel() * size == whole.numel(), "distributed",
        "expected {} times {} elements of one type, got {} {} and {} {}", size, part.numel(), name_of(part.dtype()),
        to_string(part.shape()), name_of(whole.dtype()), to_string(whole.shape()));
}

}  // namespace

Collectives::Operation Collectives::all_reduce_sum(const Tensor& x) const {
  check_contiguous(x);
  check_f32(x);
  return {Kind::all_reduce_sum, x, x, x.numel()};
}

Collectives::Operation Collectives::reduce_scatter_sum(const Tensor& from, const Tensor& to) const {
  check_parts(to, from, size_);
  check_f32(to);
  return {Kind::reduce_scatter_sum, from, to, to.numel()};
}

Collectives::Operation Collectives::all_gather(const Tensor& from, const Tensor& to) const {
  check_parts(from, to, size_);
  return {Kind::all_gather, from, to, from.numel()};
}

Collectives::Ticket Collectives::start(const Operation& operation) { return start(std::span(&operation, 1)); }

Collectives::Ticket Collectives::start_broadcast(const Tensor& x) {
  check_contiguous(x);
  const int64_t most = kBroadcastBytes / static_cast<int64_t>(size_of(x.dtype()));
  Ticket last = 0;
  for (int64_t begin = 0; begin < x.numel(); begin += most) {
    const int64_t count = std::min(most, x.numel() - begin);
    const Tensor piece = x.as_strided({count}, {1}, begin);
    last = start({Kind::broadcast, piece, piece, count});
  }
  return last;
}

}  // namespace tern
