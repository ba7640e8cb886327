// SPDX-License-Identifier: Apache-2.0
// The same bits, forward and backward, from every instruction set and any number of threads (docs/numerics.md).
#include <gtest/gtest.h>

#include <bit>

#include "conformance/op_cases.h"
#include "tern/autograd.h"
#include "tern/ops.h"

namespace tern::conformance {
namespace {

using Tensors = std::vector<Tensor>;

Device open(const std::string& isa, int threads) {
  DeviceOptions options;
  options.isa = isa;
  options.threads = threads;
  return Device::open("cpu", options);
}

// Shapes that are worth sharing between threads, each off the vector width.
std::vector<OpCase> large_cases() {
  std::vector<OpCase> cases;
  const auto add_case = [&](const char* name, std::vector<Operand> inputs, std::function<Tensor(const Tensors&)> op) {
    cases.push_back({name, std::move(inputs), std::move(op), nullptr});
  };
  add_case("exp", {{{70001}}}, [](const Tensors& x) { return exp(x[0]); });
  add_case("div", {{{301, 257}}, {{257}, Values::positive}}, [](const Tensors& x) { return div(x[0], x[1]); });
  add_case("sum of rows", {{{301, 257}}}, [](const Tensors& x) { return sum(x[0], std::vector<int>{1}); });
  add_case("sum of columns", {{{301, 257}}}, [](const Tensors& x) { return sum(x[0], std::vector<int>{0}); });
  add_case("relu2_gate", {{{129, 515}}, {{129, 515}}}, [](const Tensors& x) { return relu2_gate(x[0], x[1]); });
  add_case("rms_norm", {{{301, 257}}, {{257}}}, [](const Tensors& x) { return rms_norm(x[0], x[1], 1e-5f); });
  add_case("softmax", {{{301, 257}}}, [](const Tensors& x) { return softmax(x[0]); });
  add_case("matmul", {{{131, 257}}, {{257, 67}}}, [](const Tensors& x) { return matmul(x[0], x[1]); });
  add_case("linear", {{{35, 257}}, {{509, 257}}}, [](const Tensors& x) { return linear(x[0], x[1]); });
  add_case("attention", {{{2, 67, 4, 33}}, {{2, 67, 2, 33}}, {{2, 67, 2, 33}}},
           [](const Tensors& x) { return attention(x[0], x[1], x[2], 0.17f); });
  add_case("cross_entropy", {{{131, 517}}},
           [](const Tensors& x) { return cross_entropy(x[0], Tensor::arange(131, DType::i64, x[0].device())); });
  add_case("embedding", {{{257, 131}}},
           [](const Tensors& x) { return embedding(x[0], Tensor::arange(257, DType::i64, x[0].device())); });
  add_case("ternary_linear_ste", {{{67, 257}}, {{131, 257}}}, [](const Tensors& x) {
    const float scale = mean_abs(x[1].detach());
    const Tensor codes = ternary_codes(x[1].detach(), scale);
    return ternary_linear_ste(x[0], quantize_rows(x[0].detach()), x[1], codes, pack_ternary(codes, scale));
  });
  return cases;
}

// The result and the gradients, as bits.
std::vector<std::vector<uint32_t>> bits_of(const OpCase& c, const Device& device) {
  Tensors leaves = bases(c, Layout::contiguous, device);
  for (Tensor& leaf : leaves) leaf.set_requires_grad();
  const Tensor y = run(c, Layout::contiguous, leaves);
  backward(y, mul(y.detach(), 0.37));
  std::vector<std::vector<uint32_t>> out;
  leaves.push_back(y);
  for (const Tensor& t : leaves) {
    std::vector<uint32_t> bits;
    for (const float value : (t.grad().defined() ? t.grad() : t).to_vector<float>())
      bits.push_back(std::bit_cast<uint32_t>(value));
    out.push_back(std::move(bits));
  }
  return out;
}

TEST(Agreement, EveryIsaAndThreadCountGivesTheSameBits) {
  std::vector<OpCase> cases = op_cases();
  const std::vector<OpCase> large = large_cases();
  cases.insert(cases.end(), large.begin(), large.end());
  std::vector<std::vector<std::vector<uint32_t>>> expected;
  const Device scalar = open("scalar", 1);
  for (const OpCase& c : cases) expected.push_back(bits_of(c, scalar));
  for (const std::string& isa : Device::cpu_isas()) {
    for (const int threads : {1, 2, 3}) {
      const Device device = open(isa, threads);
      for (size_t i = 0; i < cases.size(); ++i) {
        EXPECT_EQ(bits_of(cases[i], device), expected[i]) << cases[i].name << " on " << device.description();
      }
    }
  }
}

}  // namespace
}  // namespace tern::conformance
