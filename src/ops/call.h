// SPDX-License-Identifier: Apache-2.0
// One kernel call: what every op ends in.
#pragma once

#include <type_traits>

#include "device/backend.h"
#include "device/mixed_kernels.h"
#include "tern/device.h"

namespace tern {

// Runs one entry of the device's kernel table: call(device, &Kernels::unary, {.op = …}).
template <class Family, class Args>
void call(const Device& device, Kernel<Args> Family::*entry, const std::type_identity_t<Args>& args) {
  const Backend& backend = device.backend();
  (backend.kernels().*entry)(backend.exec(), args);
}

// The same of the entries for mixed precision, on a device that has them.
template <class Args>
void call(const Device& device, Kernel<Args> MixedKernels::*entry, const std::type_identity_t<Args>& args) {
  const Backend& backend = device.backend();
  (backend.kernels().mixed->*entry)(backend.exec(), args);
}

}  // namespace tern
