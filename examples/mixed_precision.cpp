// SPDX-License-Identifier: Apache-2.0
// Mixed precision: what 64, 32 and 16 bits of a float hold, and where they may be used. mixed_precision.py prints the
// same.
#include <tern/autograd.h>
#include <tern/elementwise.h>
#include <tern/print.h>
#include <tern/promotion.h>
#include <tern/reductions.h>

#include <iostream>
#include <string_view>

using tern::DType;
using tern::Tensor;

void show(std::string_view what, const Tensor& x) { std::cout << what << "\n" << x << "\n"; }

// The greatest difference from exact numbers, in halves of the distance from 1 to the next number of a dtype.
Tensor error_of(const Tensor& x, const Tensor& exact, DType dtype) {
  const Tensor difference = tern::abs(tern::cast(x, DType::f64) - exact);
  return tern::max(difference / tern::abs(exact)) /
         Tensor::full({}, tern::finfo(dtype).eps / 2, DType::f64, x.device());
}

int main() try {
  const tern::Device cpu = tern::Device::open("cpu");
  const auto numbers = [&](std::initializer_list<double> values, DType dtype) {
    return tern::cast(Tensor::from(values, {static_cast<int64_t>(values.size())}, cpu), dtype);
  };

  // 53, 24, 11 and 8 significant bits: 16, 7, 4 and 3 digits or so of 1/3.
  for (const DType dtype : {DType::f64, DType::f32, DType::f16, DType::bf16}) {
    std::cout << tern::size_of(dtype) << " bytes: " << tern::to_string(numbers({1.0 / 3}, dtype), {.precision = 16})
              << "\n";
  }

  // float16 ends at 65504: what is rounded to more is infinite. bfloat16 has float32's range and an eighth of float16's
  // precision: of 65504 it makes 2^16.
  show("65504, 65519, 65520 and 1e-8 in float16", numbers({65504, 65519, 65520, 1e-8}, DType::f16));
  show("in bfloat16", tern::cast(numbers({65504, 65519, 65520, 1e-8}, DType::bf16), DType::f32));

  // Ties go to even: from 1 the next of bfloat16 is 1 + 2^-7 = 1.0078125; half of the way there is rounded down to 1,
  // and from the next to the one behind it up.
  const double step = 0x1p-7;
  show("1 + 1/2, 1 and 3/2 steps of bfloat16",
       tern::cast(numbers({1 + step / 2, 1 + step, 1 + 1.5 * step}, DType::bf16), DType::f32));

  // A sum that is rounded at every step sticks at 256, where the next number is 258. sum() adds in float32.
  Tensor sticky = numbers({0}, DType::bf16);
  for (int i = 0; i < 1000; ++i) sticky = sticky + numbers({1}, DType::bf16);
  show("1000 ones, added one after the other in bfloat16", sticky);
  show("by sum()", tern::sum(Tensor::full({1000}, 1, DType::bf16, cpu)));

  // A weight that learns in small steps needs 32 bits: 1 - 0.001 is 1 in bfloat16.
  show("1 - 0.001 in bfloat16", numbers({1}, DType::bf16) - numbers({0.001}, DType::bf16));
  show("in float32", numbers({1}, DType::f32) - numbers({0.001}, DType::f32));

  // Products of matrices add in float32, too, and are rounded once, whatever their length: by half a step at most, to
  // which the thousand roundings on the way, of 2^-24 each, add less than 2 %.
  // multiplied.
  Tensor a = tern::cast(Tensor::arange(2000, DType::i64, cpu), DType::f64);
  a = tern::reshape(tern::cast(tern::sin(a) + Tensor::full({}, 2, DType::f64, cpu), DType::bf16), {2, 1000});
  const Tensor wide = tern::cast(a, DType::f64);
  const Tensor exact = tern::matmul(wide, tern::transpose(wide));
  const Tensor error = error_of(tern::matmul(a, tern::transpose(a)), exact, DType::bf16);
  show("a product of bfloat16 is half a step from the exact one at most",
       tern::less(error, Tensor::full({}, 1.02, DType::f64, cpu)));

  // Gradients are float32, whatever they are of: the derivative of x³ at 1.5 is 3·1.5² = 6.75.
  Tensor x = numbers({1.5}, DType::f16).set_requires_grad();
  tern::backward(x * x * x);
  show("derivative of a cube in float16", x.grad());
  std::cout << "bytes of it: " << tern::size_of(x.grad().dtype()) << "\n";
} catch (const tern::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
