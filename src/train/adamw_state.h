// SPDX-License-Identifier: Apache-2.0
// What a checkpoint keeps of AdamW: the moments "m.<name>" and "v.<name>" of each parameter, f32 of its shape.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tern/model.h"

namespace tern {

using AdamwState = std::vector<std::pair<std::string, Tensor>>;

// m and v of each parameter, in the order of the parameters. Throws Error when names, shapes or dtypes differ.
std::vector<Tensor> moments_in(const AdamwState& state, const std::vector<Parameter>& parameters);

}  // namespace tern
