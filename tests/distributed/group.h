// SPDX-License-Identifier: Apache-2.0
// The group of a test that runs in several processes at once, by mpirun or launch.py; of one without them.
#pragma once

#include "tern/distributed.h"

namespace tern::testing {

// This process's, the same for all tests of the program.
const Device& group_device();
const Communicator& group();

}  // namespace tern::testing
