// SPDX-License-Identifier: Apache-2.0
#include "tern/matmul_precision.h"

#include <array>

#include "base/named_enum.h"

namespace tern {
namespace {

constexpr std::array<std::string_view, 2> kNames = {"f32", "bf16"};

}  // namespace

std::string_view name_of(MatmulPrecision precision) { return kNames[static_cast<size_t>(precision)]; }

MatmulPrecision matmul_precision_from_name(std::string_view name) {
  return enum_from_name<MatmulPrecision>("precision", kNames, name);
}

}  // namespace tern
