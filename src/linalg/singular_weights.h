// SPDX-License-Identifier: Apache-2.0
// Which singular values count.
#pragma once

#include <vector>

#include "tern/tensor.h"

namespace tern::linalg {

struct SingularWeights {
  Tensor weights;  // of s' dtype [..., k]: 1/s of those that count, 0 of the others
  Tensor rank;     // i64 [...]: how many count
};

// Of singular values s [..., k], in any order and of any sign, those count whose modulus is above the limit of their
// matrix times the largest; limits has one for each matrix.
SingularWeights weigh(const Tensor& s, const std::vector<double>& limits);

}  // namespace tern::linalg
