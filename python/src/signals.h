// SPDX-License-Identifier: Apache-2.0
// Ctrl-C in long calls.
#pragma once

#include "casters.h"

namespace tern::python {

// Takes Python's lock and lets signal handlers run. Throws what they raised: KeyboardInterrupt.
inline void check_signals() {
  nb::gil_scoped_acquire lock;
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

}  // namespace tern::python
