// SPDX-License-Identifier: Apache-2.0
// call.h for the kernels of arrays of any dtype, on a device that has them (check_arrays).
#pragma once

#include "device/array_kernels.h"
#include "ops/call.h"

namespace tern {

// Runs one entry of the device's table for arrays: call(device, &ArrayPointwiseKernels::copy, {.shape = …}).
template <class Family, class Args>
requires std::is_base_of_v<Family, ArrayKernels>
void call(const Device& device, Kernel<Args> Family::*entry, const std::type_identity_t<Args>& args) {
  const Backend& backend = device.backend();
  (backend.kernels().array->*entry)(backend.exec(), args);
}

}  // namespace tern
