// SPDX-License-Identifier: Apache-2.0
// Entries of ScoreKernels that have files of their own.
#pragma once

#include "device/kernels.h"

namespace tern::cuda {

void best_scores(const Exec& exec, const BestScoresArgs& args) noexcept;

}  // namespace tern::cuda
