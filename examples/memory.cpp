// SPDX-License-Identifier: Apache-2.0
// Memory: what tensors, views and copies cost, what a device counts, and what a limit does. memory.py prints the same.
#include <tern/ops.h>

#include <iostream>
#include <optional>
#include <string_view>

using tern::DType;
using tern::Tensor;

int main() try {
  // A device counts the bytes of its own tensors; this one may have 16 MiB.
  const tern::Device device = tern::Device::open("cpu", {.memory_limit = size_t{16} << 20});
  const auto report = [&](std::string_view what) {
    const tern::MemoryStatistics memory = device.memory_statistics();
    std::cout << what << ": " << memory.live << " bytes, " << memory.peak << " at most\n";
  };
  report("nothing yet");

  // 1024·1024 floats of 4 bytes are 4 MiB = 4194304 bytes.
  std::optional<Tensor> x = Tensor::zeros({1024, 1024}, DType::f32, device);
  report("a matrix of 1024 x 1024 floats");

  // Views are other ways to walk the same bytes: a stride for each axis, in elements.
  const Tensor columns = tern::transpose(*x), every_other = tern::slice(*x, 0, 0, 1024, 2);
  const Tensor repeated = tern::expand(tern::slice(*x, 0, 0, 1), {1000, 1024});
  for (const Tensor& view : {columns, every_other, repeated}) {
    std::cout << "strides " << to_string(view.strides()) << " of shape " << to_string(view.shape()) << "\n";
  }
  report("with its transpose, every other row, and its first row a thousand times");

  // A copy in 16 bits takes half of it, one in 8 bits a quarter: 2 and 1 MiB more.
  const Tensor half = tern::cast(*x, DType::bf16), bytes = tern::cast(*x, DType::i8);
  report("with copies in 16 and 8 bits");

  // Ternary weights take two bits each: 1024·1024/4 = 262144 bytes more.
  const tern::PackedTernary packed = tern::pack_ternary(bytes, 1.0f);
  std::cout << "the packed matrix: " << packed.bytes.numel() << " bytes\n";

  // A block lives as long as the last tensor over it: x goes, its views keep the 4 MiB.
  x.reset();
  report("without the matrix, but with its views");

  // Beyond the limit nothing is allocated, and all that there was stays usable.
  try {
    Tensor::zeros({4096, 1024}, DType::f32, device);
  } catch (const tern::Error& error) {
    std::cout << error.what() << "\n";
  }
  report("after an allocation that failed");
} catch (const tern::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
