// SPDX-License-Identifier: Apache-2.0
// Cosines and sines of the rotary embedding for every position of a model's window.
#pragma once

#include "tern/tensor.h"

namespace tern {

struct RopeTable {
  Tensor cos, sin;  // f32 [positions, dim/2]
};

// angle(p, i) = p · theta^(-2i/dim) (arXiv 2104.09864), with Hugging Face's rounding: frequency and angle in f32.
RopeTable make_rope_table(int64_t positions, int64_t dim, double theta, const Device& device);

}  // namespace tern
