// SPDX-License-Identifier: Apache-2.0
// The clock that a core runs at while it is busy.
#pragma once

namespace tern {

// In MHz: the best of several runs of additions that wait for each other, one cycle each. Takes some milliseconds.
double measure_clock_mhz();

}  // namespace tern
