// SPDX-License-Identifier: Apache-2.0
// What a build without MPI has to say of it.
#include "base/check.h"
#include "distributed/join.h"

namespace tern {

std::shared_ptr<Collectives> join_over_mpi(const ProcessPlace& place, const Device&) {
  fail("distributed",
       "expected a build with MPI (configure with -DTERN_MPI=ON) for {} processes on CPUs, this one is without",
       place.size);
}

std::unique_ptr<Meeting> meet_over_mpi(const ProcessPlace&) { return nullptr; }

}  // namespace tern
