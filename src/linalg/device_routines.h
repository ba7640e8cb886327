// SPDX-License-Identifier: Apache-2.0
// Calls of a device's factorizations on tensors, for on_device.h.
#pragma once

#include <optional>
#include <utility>

#include "device/backend.h"
#include "device/linalg_kernels.h"
#include "linalg/inputs.h"
#include "linalg/matrices.h"
#include "tern/tensor.h"

namespace tern::linalg::on_device {

template <class Args>
void call(const Tensor& on, Kernel<Args> LinalgKernels::*entry, const std::type_identity_t<Args>& args) {
  const Backend& backend = on.device().backend();
  const LinalgKernels& kernels = *backend.kernels().linalg;
  kernels.prepare(backend.exec());
  (kernels.*entry)(backend.exec(), args);
}

// LAPACK's info for each matrix, 0 until a routine sets it.
inline Tensor no_info(const Matrices& of, const Tensor& x) { return Tensor::zeros({of.count}, DType::i32, x.device()); }

struct Failed {
  int64_t index;
  int32_t info;
};
// The first matrix of which a routine did not say 0.
std::optional<Failed> first_failed(const Tensor& info);

// Throws LinalgError where a matrix of x, or of what it was broadcast or copied to, `values`, has a NaN or an infinity.
void check_all_finite(const char* op, const Input& x, const Tensor& values);

// x [...] in the shape [..., 1, 1].
Tensor per_matrix(const Tensor& x);

}  // namespace tern::linalg::on_device
