// SPDX-License-Identifier: Apache-2.0
// Sums over everything in double: lanes order within a block, blocks in ascending order, whatever the threads.

// Σ block(b) for b = 0 … blocks-1; a block costs `cost` element operations.
template <class Block>
double sum_blocks(const Exec& exec, int64_t blocks, int64_t cost, const Block& block) {
  constexpr int64_t kAtOnce = 1024;
  double parts[kAtOnce];
  double sum = 0.0;
  for (int64_t first = 0; first < blocks; first += kAtOnce) {
    const int64_t count = smaller(kAtOnce, blocks - first);
    parallel_for(exec, count, cost, 1, [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) parts[b] = block(first + b);
    });
    for (int64_t b = 0; b < count; ++b) sum += parts[b];
  }
  return sum;
}

template <class V>
double sum_squares_of(const Exec& exec, const SumSquaresTensor& tensor) {
  constexpr int64_t kBlock = 4096;
  return sum_blocks(exec, (tensor.count + kBlock - 1) / kBlock, kBlock, [&](int64_t block) {
    auto acc = V::zero_d();
    for_lanes(block * kBlock, smaller(tensor.count, (block + 1) * kBlock), [&](int64_t i, auto n) {
      const auto x = V::widen(load<V>(tensor.x + i, n));
      acc = V::fma_d(x, x, acc);
    });
    return V::reduce_add_d(acc);
  });
}

template <class V>
double abs_sum_of(const Exec& exec, const AbsSumMatrix& matrix) {
  return sum_blocks(exec, matrix.rows, matrix.cols, [&](int64_t row) {
    const float* x = matrix.x + row * matrix.cols;
    auto acc = V::zero_d();
    for_lanes(0, matrix.cols, [&](int64_t i, auto n) { acc = V::add_d(acc, V::widen(V::abs(load<V>(x + i, n)))); });
    return V::reduce_add_d(acc);
  });
}

template <class V>
void sum_squares(const Exec& exec, const SumSquaresArgs& args) noexcept {
  for (int64_t t = 0; t < args.tensors; ++t) args.y[t] = sum_squares_of<V>(exec, args.tensor[t]);
}

template <class V>
void abs_sum(const Exec& exec, const AbsSumArgs& args) noexcept {
  for (int64_t i = 0; i < args.matrices; ++i) args.y[i] = abs_sum_of<V>(exec, args.matrix[i]);
}
