// SPDX-License-Identifier: Apache-2.0
// Instruction sets: a CPU's kernels are chosen when a device is opened, and all of them give the same bits. Which ones
// this machine has goes to stderr; instruction_sets.py prints the same.
#include <tern/elementwise.h>
#include <tern/ops.h>
#include <tern/print.h>

#include <cstring>
#include <iostream>

using tern::DType;
using tern::Tensor;

// What is computed on each: some elementwise numbers, a product of matrices, and ternary sums.
struct Results {
  Tensor exponentials, product, sums;
};

Results computed(const tern::Device& device) {
  // 0, 0.001, …, 1: as a vector, and 3 x 333 of them times 333 x 3.
  const Tensor x = tern::mul(tern::cast(Tensor::arange(1001, DType::i64, device), DType::f32), 0.001);
  const Tensor a = tern::reshape(tern::slice(x, 0, 0, 999), {3, 333});

  // A row of 1, 2, …, 127 is its own quantization, the largest being 127. Its sums with 1, 1, 1, …, with 1, -1, 1, …
  // and with 0, 0, 0, … are 127·128/2 = 8128, 1 - 2 + 3 … + 127 = 64, and 0.
  const Tensor row = tern::cast(tern::slice(Tensor::arange(128, DType::i64, device), 0, 1, 128), DType::f32);
  std::vector<int8_t> codes(3 * 127, 0);
  for (size_t i = 0; i < 127; ++i) {
    codes[i] = 1;
    codes[127 + i] = i % 2 == 0 ? 1 : -1;
  }
  const tern::PackedTernary packed = tern::pack_ternary(Tensor::from(codes, {3, 127}, device), 1.0f);
  return {tern::exp(x), tern::matmul(a, tern::transpose(a)),
          tern::ternary_linear_sums(tern::quantize_rows(row), packed)};
}

template <class T>
bool same_bits(const Tensor& a, const Tensor& b) {
  const std::vector<T> x = a.to_vector<T>(), y = b.to_vector<T>();
  return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0;
}

int main() try {
  const Results plain = computed(tern::Device::open("cpu", {.threads = 1, .isa = "scalar"}));
  // e is 2.71828183, of which a float holds 2.71828175.
  std::cout << "the last of 1001 exponentials: " << tern::to_string(tern::select(plain.exponentials, 0, -1)) << "\n";
  // Sums of (i/1000)·(j/1000): the first is 332·333·665/6 / 10⁶ = 12.253…
  std::cout << "a product\n" << tern::to_string(plain.product, {.precision = 3}) << "\n";
  std::cout << "ternary sums\n" << plain.sums << "\n";

  bool exponentials = true, product = true, sums = true;
  for (const std::string& isa : tern::Device::cpu_isas()) {
    const tern::Device device = tern::Device::open("cpu", {.isa = isa});
    std::cerr << device.description() << "\n";
    const Results results = computed(device);
    exponentials = exponentials && same_bits<float>(results.exponentials, plain.exponentials);
    product = product && same_bits<float>(results.product, plain.product);
    sums = sums && same_bits<int32_t>(results.sums, plain.sums);
  }
  const auto answer = [](bool yes) { return yes ? "yes" : "no"; };
  std::cout << "the same bits with every instruction set: exponentials " << answer(exponentials) << ", product "
            << answer(product) << ", sums " << answer(sums) << "\n";
} catch (const tern::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
