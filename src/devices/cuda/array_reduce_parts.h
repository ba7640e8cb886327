// SPDX-License-Identifier: Apache-2.0
// The families of array_reduce's ops, from several files.
#pragma once

#include "device/array_reduce.h"

namespace tern::cuda {

// sum and prod of integers and bool.
void reduce_integers(const Exec& exec, const ArrayReduceArgs& args);
// sum and prod of floats and complex numbers, sum_squares.
void reduce_floats(const Exec& exec, const ArrayReduceArgs& args);
// max, min, argmax and argmin.
void reduce_extremes(const Exec& exec, const ArrayReduceArgs& args);
// any, all and count_nonzero.
void reduce_truths(const Exec& exec, const ArrayReduceArgs& args);

}  // namespace tern::cuda
