// SPDX-License-Identifier: Apache-2.0
// Quantization as BitNet b1.58 has it: weights of -1, 0 and 1, activations of 8 bits, a product that is exact in
// integers, and a gradient that passes straight through the rounding. quantization.py prints the same.
#include <tern/autograd.h>
#include <tern/ops.h>
#include <tern/print.h>

#include <iostream>
#include <string_view>

using tern::Tensor;

void show(std::string_view what, const Tensor& x) { std::cout << what << "\n" << x << "\n"; }

// x times the transposed weights, as they are once quantized; differentiable with respect to both.
Tensor bit_linear(const Tensor& x, const Tensor& weight) {
  const float scale = tern::mean_abs(weight.detach());
  const Tensor codes = tern::ternary_codes(weight.detach(), scale);
  return tern::ternary_linear_ste(x, tern::quantize_rows(x.detach()), weight, codes, tern::pack_ternary(codes, scale));
}

int main() try {
  const tern::Device cpu = tern::Device::open("cpu");

  // The scale is the mean of the moduli, 5/8, and a code the nearest of -1, 0, 1 to weight / scale: what is beyond half
  // of the scale, 0.3125, on either side is not 0.
  Tensor weight = Tensor::from({0.75f, -1.5f, 0.25f, 0.0f, -0.5f, 1.0f, -0.125f, -0.875f}, {2, 4}, cpu);
  const float scale = tern::mean_abs(weight);
  const Tensor codes = tern::ternary_codes(weight, scale);
  std::cout << "scale " << scale << "\n";
  show("codes", codes);
  show("weights that they stand for", tern::mul(tern::cast(codes, tern::DType::f32), scale));

  // Each row of activations is scaled so that its largest is 127: by 127/4 here. 31.75, -63.5 (to even), 15.875.
  Tensor x = Tensor::from({1.0f, -2.0f, 0.5f, 4.0f}, {1, 4}, cpu);
  const tern::QuantizedRows rows = tern::quantize_rows(x);
  show("activations in 8 bits", tern::slice(rows.q, 1, 0, 4));

  // 32 + 64 = 96 and -32 - 64 - 127 = -223, whatever the order; then times 0.625 · 4/127.
  const tern::PackedTernary packed = tern::pack_ternary(codes, scale);
  show("sums", tern::ternary_linear_sums(rows, packed));
  show("product", tern::ternary_linear(rows, packed));
  show("product without quantization", tern::linear(x, weight));

  // Straight through: the gradient of x is dy times the quantized weights, that of the weights dyᵀ times the quantized
  // activations (1.008, -2.016, 0.504, 4), also where a code is 0.
  x.set_requires_grad();
  weight.set_requires_grad();
  tern::backward(bit_linear(x, weight), Tensor::from({1.0f, 2.0f}, {1, 2}, cpu));
  show("gradient of the activations", x.grad());
  show("of the weights", weight.grad());

  // So weights can learn: from wrong ones to those that a ternary teacher has. Each step goes against the gradient of
  // the squared error until no code changes the answer.
  const Tensor teacher = Tensor::from({1.0f, 0.0f, -1.0f, 1.0f, 0.0f, 1.0f, 1.0f, -1.0f}, {2, 4}, cpu);
  const Tensor inputs =
      Tensor::from({3.f, 1.f, 0.f, 2.f, 0.f, 4.f, 1.f, 1.f, 1.f, 0.f, 5.f, 2.f, 2.f, 3.f, 1.f, 6.f}, {4, 4}, cpu);
  for (int step = 0; step < 100; ++step) {
    Tensor student = weight.detach().set_requires_grad();
    const Tensor y = bit_linear(inputs, student);
    tern::backward(y, y.detach() - tern::linear(inputs, teacher));
    weight = student.detach() - tern::mul(student.grad(), 0.01);
  }
  show("codes after 100 steps towards a teacher", tern::ternary_codes(weight, tern::mean_abs(weight)));
} catch (const tern::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
