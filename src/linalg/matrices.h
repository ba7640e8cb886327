// SPDX-License-Identifier: Apache-2.0
// Batches of matrices, and the loop over them.
//
// A matrix in row-major order is its transpose in LAPACK's column-major order. Where a result can be had from the
// transpose's (inverse, determinant, Cholesky, QR by way of LQ, singular values), the matrices are handed over as they
// lie; elsewhere the one copy that LAPACK needs anyway, since it works in place, is a transposing one.
#pragma once

#include <algorithm>
#include <complex>
#include <cstdint>
#include <string>
#include <vector>

#include "device/parallel.h"
#include "linalg/blas_threads.h"
#include "linalg/lapack.h"
#include "tern/shape.h"
#include "tern/tensor.h"

namespace tern::linalg {

// `shape` without its last `count` axes; `batch` with further axes.
Shape leading(const Shape& shape, int count);
Shape with_axes(Shape batch, std::initializer_list<int64_t> extents);

// Extents of the matrices in a tensor, and how many there are.
struct Matrices {
  explicit Matrices(const Shape& shape);

  Shape batch;
  int64_t count;
  int rows, columns;

  int64_t size() const { return int64_t{rows} * columns; }
  int smaller() const { return std::min(rows, columns); }
  int larger() const { return std::max(rows, columns); }
};

// "the matrix", or in a batch "matrix [2, 0]": what messages call the one of that index.
std::string name_of_matrix(const Shape& batch, int64_t index);

// Which matrix of a batch meets each index of the batch that it broadcasts to.
std::vector<int64_t> broadcast_indices(const Shape& batch, const Shape& to);

// A contiguous copy with elements of `dtype`, matrices in row-major or in column-major order.
Tensor row_major(const Tensor& x, DType dtype);
Tensor column_major(const Tensor& x, DType dtype);
// The matrices [..., rows, columns] that lie in column-major order in a contiguous tensor [..., columns, rows], in
// row-major order.
Tensor from_column_major(const Tensor& x);

// f of the element type, which is f32, f64, c64 or c128.
template <class F>
decltype(auto) for_element_type(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f64:
      return f.template operator()<double>();
    case DType::c64:
      return f.template operator()<std::complex<float>>();
    case DType::c128:
      return f.template operator()<std::complex<double>>();
    default:
      return f.template operator()<float>();
  }
}

// Multiplications below which threads of ours cost more than they gain (about 20 µs of one thread), and above which
// OpenBLAS's threads gain within one matrix.
inline constexpr double kAloneWork = 5e4;
inline constexpr double kSharedMatrixWork = 4e6;

// Calls body(begin, end) on ranges that cover [0, count), on the device's threads where that pays; each of the parts
// costs about `work` multiplications. What a body throws is thrown here, that of the lowest range if several do.
template <class Body>
void for_parts(const Device& device, int64_t count, double work, const Body& body) {
  if (count == 0) return;
  const int threads = device.threads();
  if (threads == 1 || work * static_cast<double>(count) < kAloneWork) return body(int64_t{0}, count);
  const auto least = static_cast<int64_t>(std::min(kAloneWork / std::max(work, 1.0) + 1, 1e9));
  const int64_t grain = std::max(least, count / (8 * threads));
  parallel_blocks(device, (count + grain - 1) / grain,
                  [&](int, int64_t block) { body(block * grain, std::min(count, (block + 1) * grain)); });
}

// The same for matrices that LAPACK works on: many are split among the device's threads, each of which calls LAPACK for
// its own; a few large ones come one after the other with OpenBLAS's threads.
template <class Body>
void for_matrices(const Device& device, int64_t count, double work, const Body& body) {
  if (count == 0) return;
  if (device.threads() > 1 && count < 2 * device.threads() && work >= kSharedMatrixWork) {
    const ManyThreads turn(device.threads());
    return body(int64_t{0}, count);
  }
  const OneThreadEach turn;
  for_parts(device, count, work, body);
}

}  // namespace tern::linalg
