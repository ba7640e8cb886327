// SPDX-License-Identifier: Apache-2.0
// Models of published sizes, to be measured with random weights.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tern/model.h"

namespace tern::cli {

struct NamedShape {
  const char* name;
  const char* what;  // whose dimensions these are
  int64_t vocab_size, hidden_size, intermediate_size, layers, heads, kv_heads, window;
  double rope_theta;
};

std::span<const NamedShape> shapes();
std::vector<std::string> shape_names();

// Throws Error, listing the names, for one that there is not.
ModelConfig config_of_shape(const std::string& name);

}  // namespace tern::cli
