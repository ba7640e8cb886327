// SPDX-License-Identifier: Apache-2.0
// The explicit list of weight schemes.
#include <array>
#include <string>
#include <vector>

#include "base/check.h"
#include "quant/absmean.h"
#include "quant/scheme.h"
#include "tern/ops.h"

namespace tern {
namespace {

constexpr std::array<WeightScheme, 1> kSchemes = {{
    {"absmean", &absmean_scales, &quantize_ternary, &absmean_late},
}};

}  // namespace

std::span<const WeightScheme> weight_schemes() { return kSchemes; }

const WeightScheme& find_weight_scheme(std::string_view name) {
  std::vector<std::string_view> names;
  for (const WeightScheme& scheme : kSchemes) {
    if (scheme.name == name) return scheme;
    names.emplace_back(scheme.name);
  }
  fail("scheme", "expected one of {}, got '{}'", fmt::join(names, ", "), name);
}

}  // namespace tern
