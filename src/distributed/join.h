// SPDX-License-Identifier: Apache-2.0
// The explicit list of ways in which processes become a group. What a build leaves out says so when it is asked for.
#pragma once

#include <memory>

#include "distributed/collectives.h"
#include "distributed/meeting.h"
#include "tern/distributed.h"

namespace tern {

// A group of one, which needs no device.
std::shared_ptr<Collectives> alone();

// Of CPUs. mpi.cpp, or without_mpi.cpp.
std::shared_ptr<Collectives> join_over_mpi(const ProcessPlace& place, const Device& device);

// Of GPUs. nccl.cpp, or without_nccl.cpp.
std::shared_ptr<Collectives> join_over_nccl(const ProcessPlace& place, const Device& device);

// Among processes that mpirun started; null in a build without MPI.
std::unique_ptr<Meeting> meet_over_mpi(const ProcessPlace& place);

}  // namespace tern
