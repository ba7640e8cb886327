// SPDX-License-Identifier: Apache-2.0
#include "train/adamw_state.h"

#include <map>

#include "base/check.h"

namespace tern {

std::vector<Tensor> moments_in(const AdamwState& state, const std::vector<Parameter>& parameters) {
  const std::map<std::string, Tensor> given(state.begin(), state.end());
  check(state.size() == 2 * parameters.size() && given.size() == state.size(), "adamw",
        "expected {} tensors of state, got {}", 2 * parameters.size(), state.size());
  std::vector<Tensor> out;
  for (const Parameter& parameter : parameters) {
    for (const char* moment : {"m.", "v."}) {
      const std::string name = moment + parameter.name;
      const auto found = given.find(name);
      check(found != given.end(), "adamw", "expected a tensor {} in the state, got none", name);
      const Tensor& saved = out.emplace_back(found->second);
      check(saved.shape() == parameter.value.shape() && saved.dtype() == DType::f32, "adamw",
            "{}: expected f32 {}, got {} {}", name, to_string(parameter.value.shape()), name_of(saved.dtype()),
            to_string(saved.shape()));
    }
  }
  return out;
}

}  // namespace tern
