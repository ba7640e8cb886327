// SPDX-License-Identifier: Apache-2.0
// Operations on arrays, for bench_device_ops --arrays.
#pragma once

#include <functional>
#include <vector>

#include "device_operation.h"
#include "tern/device.h"

namespace tern::benchmarks {

// Makes its operands when it is called: those of one row can be gone before the next row's are made.
using MakeOperation = std::function<Operation()>;

// Names are "<operation> <extents>", as in "sort f32 1000 x 1000"; peers/cuda_array_ops.py knows them, too.
std::vector<MakeOperation> array_operations(const Device& device);

}  // namespace tern::benchmarks
