// SPDX-License-Identifier: Apache-2.0
// The grammar of einsum.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "tern/tensor.h"

namespace tern {

// Axes by label: 0 to 51 for A … Z a … z, from 52 on for the axes that an ellipsis stands for, the first one counted
// from the end.
using Labels = std::vector<int>;

inline constexpr int kLetters = 52;
inline constexpr int kLabels = kLetters + kMaxRank;

struct EinsumLabels {
  std::vector<Labels> operands;
  Labels result;
  std::array<int64_t, kLabels> extents;  // of each label; 0 for one that does not occur, too
};

// Reads the subscripts for these operands. Throws Error for subscripts that do not fit the grammar, each other or the
// operands.
EinsumLabels einsum_labels(std::string_view subscripts, std::span<const Tensor> operands);

}  // namespace tern
