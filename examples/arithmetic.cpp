// SPDX-License-Identifier: Apache-2.0
// Arithmetic: element by element, with numbers, between shapes and between dtypes. arithmetic.py prints the same.
#include <tern/elementwise.h>
#include <tern/print.h>

#include <iostream>
#include <string_view>

void show(std::string_view what, const tern::Tensor& x) { std::cout << what << "\n" << x << "\n"; }

int main() try {
  using tern::Tensor;
  const tern::Device cpu = tern::Device::open("cpu");

  // A column and a row broadcast to a table: what they taught at school.
  const Tensor column = Tensor::from({6, 7, 8, 9}, {4, 1}, cpu);
  const Tensor row = Tensor::from({6, 7, 8, 9}, {4}, cpu);
  show("6 to 9 times 6 to 9", column * row);

  // Division that rounds down leaves a remainder of the divisor's sign, so that 7 = -4·-2 + -1.
  const Tensor sevens = Tensor::from({7, 7, -7, -7}, {4}, cpu), twos = Tensor::from({2, -2, 2, -2}, {4}, cpu);
  const Tensor quotient = tern::floor_divide(sevens, twos), remainder = tern::remainder(sevens, twos);
  show("7, 7, -7, -7 divided by 2, -2, 2, -2, rounded down", quotient);
  show("and what it leaves", remainder);
  show("quotient * divisor + remainder", quotient * twos + remainder);
  show("true division", tern::divide(sevens, twos));

  // A number takes the dtype of the tensor beside it. In 64 bits 3^39 is the last power of 3.
  const Tensor threes = Tensor::full({3}, 3, tern::DType::i64, cpu);
  const Tensor powers = tern::pow(threes, Tensor::from({int64_t{10}, int64_t{20}, int64_t{39}}, {3}, cpu));
  show("3 to the 10, 20, 39", powers);

  // Integers wrap as the machine's do. Where dtypes differ the result has room for both: i8 and u8 meet in i16.
  const Tensor small = Tensor::from({int8_t{100}, int8_t{-100}}, {2}, cpu);
  show("100 + 100 and -100 - 100 in 8 bits", small + small);
  show("the same with 200 of unsigned 8 bits", small + Tensor::from({uint8_t{200}, uint8_t{200}}, {2}, cpu));

  // Floats follow IEEE 754.
  const Tensor zero = Tensor::from({0.0f}, {}, cpu);
  show("1, -1 and 0 over 0", Tensor::from({1.0f, -1.0f, 0.0f}, {3}, cpu) / zero);
  const Tensor root = tern::sqrt(Tensor::from({2.0f}, {}, cpu));
  show("the square root of 2 in 32 bits", root);
  show("its square", tern::square(root));

  // In place: e = 1 + 1/1·(1 + 1/2·(1 + 1/3·(…))), which is 2.718281828459045 to the last digit of a double.
  const Tensor e = Tensor::from({1.0}, {}, cpu), one = Tensor::from({1.0}, {}, cpu);
  for (int n = 20; n > 0; --n) {
    tern::divide_(e, Tensor::full({}, n, tern::DType::f64, cpu));
    tern::add_(e, one);
  }
  std::cout << "e\n" << tern::to_string(e, {.precision = 15}) << "\n";

  // What cannot be done says what was expected.
  try {
    tern::add(Tensor::zeros({2, 3}, tern::DType::f32, cpu), Tensor::zeros({4}, tern::DType::f32, cpu));
  } catch (const tern::Error& error) {
    std::cout << error.what() << "\n";
  }
} catch (const tern::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
