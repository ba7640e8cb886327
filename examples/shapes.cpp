// SPDX-License-Identifier: Apache-2.0
// Shapes: views, slices, masks and broadcasting, on magic squares: their rows, columns and diagonals have one sum.
// shapes.py prints the same.
#include <tern/creation.h>
#include <tern/elementwise.h>
#include <tern/indexing.h>
#include <tern/linalg.h>
#include <tern/manipulation.h>
#include <tern/print.h>
#include <tern/reductions.h>

#include <array>
#include <iostream>
#include <string_view>

using tern::Slice;
using tern::Tensor;

void show(std::string_view what, const Tensor& x) { std::cout << what << "\n" << x << "\n"; }

Tensor row_sums(const Tensor& square) { return tern::sum(square, std::array{1}); }

int main() try {
  const tern::Device cpu = tern::Device::open("cpu");

  const auto number = [&](int64_t value) {
    return Tensor::full({}, static_cast<double>(value), tern::DType::i64, cpu);
  };

  // One number after the other, or four rows of four: the elements stay where they are.
  const Tensor square = tern::reshape(tern::arange(1, 17, 1, tern::DType::i64, cpu), {4, 4});
  show("1 to 16 as a square", square);
  show("its columns as rows", tern::transpose(square));
  show("every other element of its second row, from behind", tern::index(square, {1, Slice{{}, {}, -2}}));

  // Turn both diagonals around the middle, 1 with 16 and so on, and the square is magic.
  const Tensor i = tern::reshape(Tensor::arange(4, tern::DType::i64, cpu), {4, 1}), j = tern::transpose(i);
  const Tensor on_diagonals = tern::logical_or(tern::equal(i, j), tern::equal(i + j, number(3)));
  const Tensor magic = tern::where(on_diagonals, tern::flip(square), square);
  show("a magic square", magic);

  // n lines hold the numbers from 1 to n²: each sums to n·(n² + 1)/2, 34 for 4.
  const Tensor mirrored = tern::flip(magic, std::array{1});
  show("sums of its rows", row_sums(magic));
  show("of its columns", row_sums(tern::transpose(magic)));
  show("of its diagonals", tern::stack(std::array{tern::linalg::trace(magic), tern::linalg::trace(mirrored)}));

  // The square of 3, and a square of 9 made of it: nine copies, each 9·(a number of the square of 3, less 1) higher.
  // Axes of 1 line them up: [3, 1, 3, 1] for which copy, [1, 3, 1, 3] for where in it. Its sum is 9·82/2 = 369.
  const Tensor lo_shu = Tensor::from({2, 7, 6, 9, 5, 1, 4, 3, 8}, {3, 3}, cpu);
  const Tensor which = tern::index(lo_shu, {Slice{}, tern::kNewAxis, Slice{}, tern::kNewAxis});
  const Tensor where = tern::index(lo_shu, {tern::kNewAxis, Slice{}, tern::kNewAxis, Slice{}});
  const Tensor nine = tern::reshape(which * number(9) + where - number(9), {9, 9});
  show("a magic square of 9", nine);
  show("sums of its rows", row_sums(nine));

  // A mask takes elements, a tensor of integers rows.
  show("what is above 75, in order", tern::index(nine, {tern::greater(nine, number(75))}));
  show("the first two of rows 8 and 0", tern::index(nine, {Tensor::from({8, 0}, {2}, cpu), Slice{0, 2}}));

  // A slice is a view: what is written into it is in the tensor that it was taken from.
  const Tensor corner = tern::index(magic, {Slice{0, 2}, Slice{2, 4}});
  tern::add_(corner, number(100));
  show("with 100 more in a corner", magic);
} catch (const tern::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
