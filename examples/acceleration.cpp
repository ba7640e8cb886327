// SPDX-License-Identifier: Apache-2.0
// Devices: the same program on a CPU and on a GPU, with the same exact sums: acceleration [DEVICE], "cpu" unless it is
// named. acceleration.py prints the same.
#include <tern/ops.h>
#include <tern/print.h>

#include <array>
#include <iostream>
#include <vector>

using tern::Tensor;

// The numbers 0, 1, … times `step`, modulo `period`, less `offset`: small integers in no plain order.
Tensor integers(const tern::Shape& shape, int64_t step, int64_t period, int64_t offset, const tern::Device& device) {
  std::vector<float> values;
  for (int64_t i = 0; i < shape.numel(); ++i) values.push_back(static_cast<float>(i * step % period - offset));
  return Tensor::from(values, shape, device);
}

int main(int argc, char** argv) try {
  // Where this build or this machine lacks the device, the error says what there is.
  const tern::Device device = tern::Device::open(argc > 1 ? argv[1] : "cpu");
  std::cerr << device.description() << "\n";

  // 512 x 256 times 256 x 128, of integers so small that floats add them exactly. The sum of all elements of a product
  // is that of (sum of column k of a) · (sum of row k of b).
  const Tensor a = integers({512, 256}, 7, 11, 5, device), b = integers({256, 128}, 5, 13, 6, device);
  const Tensor product = tern::matmul(a, b);
  const Tensor columns = tern::sum(a, std::array{0}), rows = tern::sum(b, std::array{1});
  std::cout << "a product begins with " << tern::slice(tern::select(product, 0, 0), 0, 0, 4) << "\n"
            << "its sum " << tern::sum(product) << ", by columns and rows " << tern::sum(columns * rows) << "\n";

  // BitLinear with 4 rows of 256 activations in 8 bits and 128 x 256 weights of -1, 0, 1.
  const Tensor x = integers({4, 256}, 9, 255, 127, device), weight = integers({128, 256}, 3, 7, 3, device);
  const float scale = tern::mean_abs(weight);
  const Tensor codes = tern::ternary_codes(weight, scale);
  const tern::QuantizedRows quantized = tern::quantize_rows(x);
  const Tensor sums = tern::ternary_linear_sums(quantized, tern::pack_ternary(codes, scale));
  std::cout << "ternary sums begin with " << tern::slice(tern::select(sums, 0, 0), 0, 0, 4) << "\n";

  // The same in plain integers. x's rows hold -127 to 127, so that they are their own quantization.
  const std::vector<float> activations = x.to_vector<float>();
  const std::vector<int8_t> weights = codes.to_vector<int8_t>();
  std::vector<int32_t> plain;
  for (size_t row = 0; row < 4; ++row) {
    for (size_t out = 0; out < 128; ++out) {
      int32_t sum = 0;
      for (size_t k = 0; k < 256; ++k) sum += static_cast<int32_t>(activations[row * 256 + k]) * weights[out * 256 + k];
      plain.push_back(sum);
    }
  }
  std::cout << "as plain integers have them: " << (sums.to_vector<int32_t>() == plain ? "yes" : "no") << "\n";
} catch (const tern::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
