// SPDX-License-Identifier: Apache-2.0
// A meeting at the address of rank 0, to which everyone else keeps a connection.
#pragma once

#include <chrono>
#include <memory>

#include "distributed/meeting.h"
#include "tern/distributed.h"

namespace tern {

// Returns when everyone is there. Throws Error, in every process that it can still reach, for an address that is
// missing or bad, a port that is taken, processes that do not come within the limit, and such as say another number of
// processes or have the same rank. Connections of other programs are closed and forgotten.
std::unique_ptr<Meeting> meet_over_tcp(const ProcessPlace& place, std::chrono::milliseconds limit);

}  // namespace tern
