// SPDX-License-Identifier: Apache-2.0
// The one list of op cases: judged against references, differentiated, and compared between instruction sets.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "conformance/reference.h"
#include "tern/tensor.h"

namespace tern::conformance {

// Which numbers an input is filled with, the same on every machine.
enum class Values : uint8_t {
  any,       // 0.1 <= |x| <= 2, the first positive: away from the kinks at 0
  positive,  // 0.5 <= x <= 2
  grid,      // multiples of 1/4, plus 1/8 in every second input: never near the same element of another input
  distinct,  // a shuffled ladder with steps of 1/8: a clear maximum
};

struct Operand {
  Shape shape;
  Values values = Values::any;
};

struct OpCase {
  std::string name;
  std::vector<Operand> inputs;  // f32
  std::function<Tensor(const std::vector<Tensor>&)> op;
  std::function<reference::Array(const std::vector<reference::Array>&)> reference;
  // Length of the longest sum behind one element: rounding errors of the f32 result grow with it.
  int64_t terms = 1;
};

std::vector<OpCase> op_cases();

// The case's inputs in row-major order.
std::vector<std::vector<float>> values_of(const OpCase& c);

// How an input lies in memory.
enum class Layout : uint8_t { contiguous, transposed, reversed, strided };

inline constexpr Layout kLayouts[] = {Layout::contiguous, Layout::transposed, Layout::reversed, Layout::strided};
const char* name_of(Layout layout);

// A contiguous tensor from which view() makes the tensor of these values and this shape. The gaps of a strided one hold
// NaN.
Tensor base(const std::vector<float>& values, const Shape& shape, Layout layout, const Device& device);
Tensor view(const Tensor& base, const Shape& shape, Layout layout);

// base() of every input, and the op as a function of them.
std::vector<Tensor> bases(const OpCase& c, Layout layout, const Device& device);
Tensor run(const OpCase& c, Layout layout, const std::vector<Tensor>& bases);

}  // namespace tern::conformance
