// SPDX-License-Identifier: Apache-2.0
#include "linalg/device_routines.h"

#include <algorithm>

#include "linalg/on_device.h"
#include "tern/elementwise.h"
#include "tern/ops.h"
#include "tern/reductions.h"

namespace tern::linalg::on_device {

bool holds(const Tensor& x) { return x.device().backend().kernels().linalg != nullptr; }

std::optional<Failed> first_failed(const Tensor& info) {
  const std::vector<int32_t> all = info.to_vector<int32_t>();
  const auto at = std::find_if(all.begin(), all.end(), [](int32_t each) { return each != 0; });
  if (at == all.end()) return {};
  return Failed{at - all.begin(), *at};
}

void check_all_finite(const char* op, const Input& x, const Tensor& values) {
  if (values.numel() == 0) return;
  constexpr int kAxes[] = {-2, -1};
  const std::vector<uint8_t> finite = cast(all(isfinite(values), kAxes), DType::u8).to_vector<uint8_t>();
  const auto at = std::ranges::find(finite, uint8_t{0});
  if (at != finite.end()) fail_not_finite(op, x, at - finite.begin());
}

Tensor per_matrix(const Tensor& x) { return unsqueeze(unsqueeze(x, -1), -1); }

}  // namespace tern::linalg::on_device
